//! Versions, status names and the last error: functions without a handle.

use core::ffi::c_char;

use super::message::last_message;
use super::types::*;

/// Returns the version of the library's binary interface. `LMADA_ABI_VERSION` is the version of the header. While the
/// version stays the same, programs compiled against an older header work: functions and constants are only added, and
/// structs grow at their end only. When the version changes, the SONAME of the shared library (`liblmada.so.0`) changes
/// too.
#[unsafe(no_mangle)]
pub extern "C" fn lmada_abi_version() -> u32 {
    LMADA_ABI_VERSION
}

/// The version of the binary interface that this header describes; see `lmada_abi_version`.
pub const LMADA_ABI_VERSION: u32 = 1;

/// Returns the version of the library, for example "0.1.0". The string is static.
#[unsafe(no_mangle)]
pub extern "C" fn lmada_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Returns the name of a status, for example "LMADA_ERROR_BUSY", or "unknown status" for any other number. The string
/// is static.
///
/// @param status  the status that a function returned
#[unsafe(no_mangle)]
pub extern "C" fn lmada_status_string(status: lmada_status_t) -> *const c_char {
    let name = match status {
        LMADA_OK => c"LMADA_OK",
        LMADA_ERROR_NULL_POINTER => c"LMADA_ERROR_NULL_POINTER",
        LMADA_ERROR_INVALID_ARGUMENT => c"LMADA_ERROR_INVALID_ARGUMENT",
        LMADA_ERROR_DIMENSION_MISMATCH => c"LMADA_ERROR_DIMENSION_MISMATCH",
        LMADA_ERROR_NON_FINITE => c"LMADA_ERROR_NON_FINITE",
        LMADA_ERROR_OUT_OF_MEMORY => c"LMADA_ERROR_OUT_OF_MEMORY",
        LMADA_ERROR_BUSY => c"LMADA_ERROR_BUSY",
        LMADA_ERROR_WRONG_PHASE => c"LMADA_ERROR_WRONG_PHASE",
        LMADA_ERROR_BAD_STATE => c"LMADA_ERROR_BAD_STATE",
        LMADA_ERROR_INTERNAL => c"LMADA_ERROR_INTERNAL",
        LMADA_ERROR_CALLBACK => c"LMADA_ERROR_CALLBACK",
        _ => c"unknown status",
    };
    name.as_ptr()
}

/// Returns the message of the last failed call of this thread: the argument at fault and its value. Never NULL. The
/// message is empty before the first failure. A call that succeeds does not change it. The string is valid until the
/// next failure of this thread.
///
/// ```c
/// lmada_status_t status = lmada_step(opt, params, grads, dim + 1);
/// if (status != LMADA_OK) printf("%s: %s\n", lmada_status_string(status), lmada_last_error());
/// // LMADA_ERROR_DIMENSION_MISMATCH: dim is 16: this optimizer has 15
/// ```
#[unsafe(no_mangle)]
pub extern "C" fn lmada_last_error() -> *const c_char {
    last_message()
}

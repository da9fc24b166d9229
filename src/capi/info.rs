//! What a caller can ask without a handle.

use core::ffi::c_char;

use super::message::last_message;
use super::types::*;

/// Version of the binary interface that the library was built with; `LMADA_ABI_VERSION` is that of the header. While it
/// stays the same, programs that were compiled against an older header go on working: functions and constants are only
/// added, structs only grow at their end. When it changes, so does the name under which programs ask for the shared
/// library, `liblmada.so.0`.
#[unsafe(no_mangle)]
pub extern "C" fn lmada_abi_version() -> u32 {
    LMADA_ABI_VERSION
}

/// Version of the binary interface that this header describes; see `lmada_abi_version`.
pub const LMADA_ABI_VERSION: u32 = 1;

/// Version of the library, as "0.1.0". Static storage.
#[unsafe(no_mangle)]
pub extern "C" fn lmada_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The name of a status, as "LMADA_ERROR_BUSY"; "unknown status" for a number that is none. Static storage.
///
/// @param status  what a function returned
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

/// The last failure of a call made from this thread, in words: which argument was wrong and what it was. Never NULL;
/// empty before the first failure; a call that succeeds leaves it. Valid until this thread's next failure.
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

//! Writing and reading saved states through callbacks of the caller.

#![allow(non_camel_case_types)]

use core::ffi::{c_int, c_void};

use super::create::hand_out;
use super::guard::{guard, with_handle};
use super::handle::{Engine, either, lmada_t};
use super::pointers::check_place;
use super::types::*;
use crate::config::Dtype;
use crate::error::{Error, Result, Value};
use crate::optimizer::Incoming;

/// Callback of `lmada_state_write`: takes the next `len` bytes of a state. It returns 0 to continue, or any other
/// number to stop the call. `context` is the pointer that the caller passed to `lmada_state_write`.
///
/// The thread that called the library calls the callback, once at a time. The callback has to return: no C++ exception
/// and no `longjmp` may leave it. It may use other handles; a call on the handle that is being written returns
/// `LMADA_ERROR_BUSY`. It runs in the default floating-point mode. A thread that is cancelled inside a callback ends
/// after the library's call. The callback's stack is in addition to the library's.
pub type lmada_write_t = Option<unsafe extern "C" fn(context: *mut c_void, bytes: *const c_void, len: usize) -> c_int>;

/// Callback of `lmada_create_from_state`: writes the next `len` bytes of a state to `bytes`, all of them. It returns 0,
/// or any other number if it cannot, which stops the call. Otherwise the rules of `lmada_write_t` hold.
pub type lmada_read_t = Option<unsafe extern "C" fn(context: *mut c_void, bytes: *mut c_void, len: usize) -> c_int>;

/// Saves the state through a callback that takes it piece by piece. The bytes are those of `lmada_state_save`. The call
/// needs no second copy of the state: long pieces are passed from the memory of the handle, short ones are gathered to
/// pieces of about 2 KiB.
///
/// ```c
/// FILE *file = fopen("run.state", "wb");
/// if (!file) fail("run.state cannot be written");
/// if (lmada_state_write(opt, write_to_file, file) != LMADA_OK) fail(lmada_last_error());
/// if (fclose(file) != 0) fail("run.state cannot be written");
/// ```
///
/// with this callback:
///
/// ```text
/// int write_to_file(void *context, const void *bytes, size_t len)
/// {
///     return fwrite(bytes, 1, len, context) == len ? 0 : 1;
/// }
/// ```
///
/// If the call fails half way, the callback has already taken part of the state. That part cannot be loaded. Write to a
/// new file, and rename the file after the call has returned `LMADA_OK`.
///
/// @param opt      the handle
/// @param write    the callback; it gets the pieces in their order
/// @param context  passed to `write`
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER` for `opt` or `write`; `LMADA_ERROR_CALLBACK` if `write` does not
///         return 0; `LMADA_ERROR_WRONG_PHASE` inside a step in phases; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle; `write` is NULL or a function that may be called with `context`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_state_write(
    opt: *const lmada_t,
    write: lmada_write_t,
    context: *mut c_void,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            let write = write.ok_or(Error::null("write"))?;
            let mut sink = |bytes: &[u8]| returned("write", write(context, bytes.as_ptr().cast(), bytes.len()));
            either!(&inner.engine, optimizer => optimizer.state_write_to(&mut sink))
        })
    }
}

/// Creates a handle from a saved state that a callback supplies. The handle has the options, the lengths of the blocks,
/// the parameter groups and the learning rate of the state, and continues with the same bits as the saved handle. The
/// state is read straight into the new handle, without a second copy. The call asks for no byte after the end of the
/// state.
///
/// ```c
/// FILE *file = fopen("run.state", "rb");
/// if (!file) fail("run.state cannot be read");
/// if (lmada_create_from_state(read_from_file, file, &opt) != LMADA_OK) fail(lmada_last_error());
/// fclose(file);
/// ```
///
/// with this callback:
///
/// ```text
/// int read_from_file(void *context, void *bytes, size_t len)
/// {
///     return fread(bytes, 1, len, context) == len ? 0 : 1;
/// }
/// ```
///
/// The state may come from an untrusted source. Damage is found before the handle is returned, and a damaged length is
/// found before memory is reserved for it. A forged state with matching checksums may still ask for very much memory;
/// if the system refuses the memory, the call returns `LMADA_ERROR_OUT_OF_MEMORY`.
///
/// @param read     the callback; it is called for the pieces in their order
/// @param context  passed to `read`
/// @param out      receives the handle, or NULL on failure
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER` for `read` or `out`; `LMADA_ERROR_INVALID_ARGUMENT` if `out` is not
///         aligned; `LMADA_ERROR_CALLBACK` if `read` does not return 0, for example because the state is cut short;
///         `LMADA_ERROR_BAD_STATE` if the state is damaged or of an unknown version; `LMADA_ERROR_OUT_OF_MEMORY`
///
/// # Safety
/// `read` is NULL or a function that may be called with `context`, and that fills what it is given; `out` is NULL or
/// points at a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_create_from_state(
    read: lmada_read_t,
    context: *mut c_void,
    out: *mut *mut lmada_t,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on. `out` is checked before it is written to.
    guard(|| unsafe {
        check_place("out", out)?;
        out.write(core::ptr::null_mut());
        let read = read.ok_or(Error::null("read"))?;
        let mut source = |bytes: &mut [u8]| returned("read", read(context, bytes.as_mut_ptr().cast(), bytes.len()));
        let incoming = Incoming::new(&mut source)?;
        let engine = match incoming.dtype() {
            Dtype::F32 => Engine::F32(incoming.into_optimizer()?),
            Dtype::F64 => Engine::F64(incoming.into_optimizer()?),
        };
        hand_out(engine, out)
    })
}

/// Turns the return value of a callback into a result.
fn returned(argument: &'static str, code: c_int) -> Result<()> {
    if code == 0 { Ok(()) } else { Err(Error::Callback { argument, value: Value::Integer(code.into()) }) }
}

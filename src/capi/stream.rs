//! Saved states as streams, through callbacks of the caller.

#![allow(non_camel_case_types)]

use core::ffi::{c_int, c_void};

use super::create::hand_out;
use super::guard::{Engine, either, guard, lmada_t, with_handle};
use super::pointers::check_place;
use super::types::*;
use crate::config::Dtype;
use crate::error::{Error, Result, Value};
use crate::optimizer::Incoming;

/// Takes the next `len` bytes of a state, for `lmada_state_write`. Returns 0 to go on, or any other number to stop the
/// call. `context` is what the caller passed along with it.
///
/// Callbacks are called by the thread that called the library, one at a time. They end by returning: no C++ exception
/// and no `longjmp` may leave them. They may use other handles; a call on the handle that is being written returns
/// `LMADA_ERROR_BUSY`. They run in the default floating-point mode, and a thread that is cancelled meanwhile ends after
/// the library's call. The stack that they need comes on top of what the library needs.
pub type lmada_write_t = Option<unsafe extern "C" fn(context: *mut c_void, bytes: *const c_void, len: usize) -> c_int>;

/// Puts the next `len` bytes of a state to `bytes`, all of them, for `lmada_create_from_state`. Returns 0, or any other
/// number where it cannot, which stops the call. Otherwise as `lmada_write_t`.
pub type lmada_read_t = Option<unsafe extern "C" fn(context: *mut c_void, bytes: *mut c_void, len: usize) -> c_int>;

/// Saves the state as `lmada_state_save` does, the same bytes, but gives them to a callback, piece by piece. So no memory
/// of the state's size is needed besides the handle: long pieces are passed where they lie in the handle, short ones are
/// gathered to pieces of about 2 KiB.
///
/// ```c
/// FILE *file = fopen("run.state", "wb");
/// if (!file) fail("run.state cannot be written");
/// if (lmada_state_write(opt, write_to_file, file) != LMADA_OK) fail(lmada_last_error());
/// if (fclose(file) != 0) fail("run.state cannot be written");
/// ```
///
/// where the callback is
///
/// ```text
/// int write_to_file(void *context, const void *bytes, size_t len)
/// {
///     return fwrite(bytes, 1, len, context) == len ? 0 : 1;
/// }
/// ```
///
/// Where the call fails half way, the callback has already taken part of the state. That part is no state: write to a new
/// file, and give it its name once the call has returned `LMADA_OK`.
///
/// @param opt      the handle
/// @param write    called with the pieces, one after the other
/// @param context  passed to `write`
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER` for `opt` or `write`; `LMADA_ERROR_CALLBACK` where `write` does not
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

/// Creates the handle whose state a callback gives: with the configuration, the lengths of the blocks and the learning
/// rate that were saved with it. It goes on with the same bits as the handle that was saved. The state is read straight
/// into the new handle: no second copy of it is held, and no byte after its end is asked for.
///
/// ```c
/// FILE *file = fopen("run.state", "rb");
/// if (!file) fail("run.state cannot be read");
/// if (lmada_create_from_state(read_from_file, file, &opt) != LMADA_OK) fail(lmada_last_error());
/// fclose(file);
/// ```
///
/// where the callback is
///
/// ```text
/// int read_from_file(void *context, void *bytes, size_t len)
/// {
///     return fread(bytes, 1, len, context) == len ? 0 : 1;
/// }
/// ```
///
/// The state may come from anywhere. Damage is found before the handle is given out, and damage to a length before
/// memory is reserved for it. A state that was made up, with checksums that fit, may still ask for as much memory as
/// there is: `LMADA_ERROR_OUT_OF_MEMORY`, if the system refuses it.
///
/// @param read     called for the pieces, one after the other
/// @param context  passed to `read`
/// @param out      receives the handle; NULL is put there on failure
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER` for `read` or `out`; `LMADA_ERROR_INVALID_ARGUMENT` where `out` is not
///         aligned; `LMADA_ERROR_CALLBACK` where `read` does not return 0, as for a state that is cut short;
///         `LMADA_ERROR_BAD_STATE` where the state is damaged or of an unknown version; `LMADA_ERROR_OUT_OF_MEMORY`
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
    // SAFETY: the caller's promise is passed on. `out` is written to only once it is checked.
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

/// What a callback returned.
fn returned(argument: &'static str, code: c_int) -> Result<()> {
    if code == 0 { Ok(()) } else { Err(Error::Callback { argument, value: Value::Integer(code.into()) }) }
}

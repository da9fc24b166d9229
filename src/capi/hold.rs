//! Holding a handle: several calls of one thread, without calls of other threads in between.

use super::guard::inside_lock;
use super::handle::lmada_t;
use super::types::*;

/// Reserves the handle for the calling thread until `lmada_release`. Until then every call on the handle from another
/// thread returns `LMADA_ERROR_BUSY`, also between the calls of this thread. Use a hold around calls that belong
/// together, such as the phases of a step, if other threads use the handle too.
///
/// A thread may hold a handle several times, and has to release it as many times. `lmada_reset` ends all holds of the
/// calling thread. On Linux a hold ends with its thread, and a child process after `fork()` starts without holds. On
/// other systems a thread that ends while it holds a handle keeps the handle: every later call on the handle returns
/// `LMADA_ERROR_BUSY`, and `lmada_free` does not free it. On those systems the holds of the forking thread and of other
/// threads stay in force in the child.
///
/// ```c
/// if (lmada_hold(opt) != LMADA_OK) fail(lmada_last_error());
/// lmada_begin(opt);
/// lmada_feed(opt, 0, grads, dim);
/// if (lmada_solve(opt) == LMADA_OK) {
///     lmada_apply(opt, 0, params, grads, dim);
///     lmada_end(opt);
/// } else {
///     lmada_cancel(opt);
/// }
/// lmada_release(opt);
/// ```
///
/// @param opt  the handle
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_BUSY` if another thread holds the handle or is inside a
///         call on it
///
/// # Safety
/// `opt` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_hold(opt: *mut lmada_t) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        inside_lock(opt, |inside| {
            inside.hold();
            Ok(())
        })
    }
}

/// Ends one `lmada_hold` of the calling thread.
///
/// @param opt  the handle
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_WRONG_PHASE` if no thread holds the handle;
///         `LMADA_ERROR_BUSY` if another thread holds the handle or is inside a call on it
///
/// # Safety
/// `opt` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_release(opt: *mut lmada_t) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { inside_lock(opt, |inside| inside.release()) }
}

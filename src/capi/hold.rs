//! Several calls on a handle that no other thread may come between.

use super::guard::{inside_lock, lmada_t};
use super::types::*;

/// Reserves the handle for the calling thread until `lmada_release`. Meanwhile, every call on the handle from another
/// thread is `LMADA_ERROR_BUSY`, between the calls of this thread too. Use it around calls that belong together, such as
/// the phases of a step, if other threads use the handle.
///
/// A thread may hold a handle several times; it then has to release the handle as many times. `lmada_reset` ends all
/// holds of the calling thread. On Linux a hold also ends with its thread, and a child after `fork()` begins without
/// one. On other systems a thread that ends while it holds a handle keeps the handle: every later call on it is
/// `LMADA_ERROR_BUSY`, and `lmada_free` does not free it. There the thread that calls `fork()` keeps its holds in the
/// child, and handles that another thread held stay held.
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
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_BUSY` where another thread holds the handle or is
///         inside a call on it
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
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_WRONG_PHASE` where no thread holds the handle;
///         `LMADA_ERROR_BUSY` where another thread holds it or is inside a call on it
///
/// # Safety
/// `opt` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_release(opt: *mut lmada_t) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { inside_lock(opt, |inside| inside.release()) }
}

//! Holding off the cancellation of the calling thread (`pthread_cancel`) during a call.
//!
//! Some system functions are cancellation points, for example opening a file and joining a thread. A thread cancelled
//! there would unwind through the library, which ends the program. So the request waits until the call has returned.

use super::system::Cancellation;

/// Runs `call` while the thread cannot be cancelled. `call` must not unwind.
///
/// A thread with asynchronous cancellation may be cancelled at any instruction before and after `call`, also inside
/// this function. The system then unwinds through this function and its callers. They are inlined into the exported
/// function and call nothing that unwinds, so they have nothing to clean up.
#[inline(always)]
pub(crate) fn held_off<R>(call: impl FnOnce() -> R) -> R {
    let before = Cancellation::hold_off();
    let result = call();
    before.restore();
    result
}

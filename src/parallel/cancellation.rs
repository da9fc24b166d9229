//! Cancellation of the calling thread (`pthread_cancel`), held off during a call.
//!
//! Opening a file, joining a thread and the like are cancellation points. A thread that is cancelled there would unwind
//! through the library, which ends the program. Held off, the request waits until the host program's own code.

use super::system::Cancellation;

/// Runs `call`, which must not unwind, and the thread is not cancelled meanwhile.
///
/// A thread whose cancellation is asynchronous may be cancelled at any instruction before and after, in here too. The
/// system then unwinds through this function and its callers. They are inlined into the exported function and call
/// nothing that unwinds, so that they have nothing to clean up and the system passes through.
#[inline(always)]
pub(crate) fn held_off<R>(call: impl FnOnce() -> R) -> R {
    let before = Cancellation::hold_off();
    let result = call();
    before.restore();
    result
}

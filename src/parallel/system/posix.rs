//! Threads of POSIX.
//!
//! Why not `std::thread`: it aborts where memory is out. Here a thread that cannot be had is an answer.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::num::NonZeroUsize;
use core::ptr;

use once_cell::race::OnceNonZeroUsize;

use super::Main;

pub fn process() -> u32 {
    // SAFETY: always succeeds, no preconditions.
    unsafe { libc::getpid() }.cast_unsigned()
}

/// A thread that was started and not joined.
pub struct Thread(libc::pthread_t);

impl Thread {
    /// A new thread that runs `of.main()`, with the affinity and the floating-point mode of the calling one.
    ///
    /// # Safety
    /// `of` lives until the thread is joined.
    pub unsafe fn start<T: Main>(of: *const T) -> Option<Self> {
        extern "C" fn main<T: Main>(of: *mut c_void) -> *mut c_void {
            // SAFETY: it lives until this thread has been joined.
            unsafe { &*of.cast::<T>() }.main();
            ptr::null_mut()
        }
        let mut thread = MaybeUninit::uninit();
        let mut attributes = MaybeUninit::uninit();
        let mut blocked = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: each place is initialised by the first call that gets it, and destroyed once. A new thread inherits
        // the mask of the one that makes it; ours is put back as it was.
        let failure = unsafe {
            if libc::pthread_attr_init(attributes.as_mut_ptr()) != 0 {
                return None;
            }
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack(attributes.as_ptr()));
            // A signal of the host program is for its own threads. What a thread's own fault raises stays with it:
            // blocked, such a signal would end the process without asking its handler.
            libc::sigfillset(blocked.as_mut_ptr());
            for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS] {
                libc::sigdelset(blocked.as_mut_ptr(), fault);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), before.as_mut_ptr());
            let failure =
                libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), main::<T>, of.cast_mut().cast());
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            failure
        };
        // SAFETY: `pthread_create` succeeded.
        (failure == 0).then(|| Self(unsafe { thread.assume_init() }))
    }

    /// Waits until the thread is gone.
    pub fn join(self) {
        // SAFETY: the thread was made joinable, by this process, and is joined only here.
        unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
    }
}

/// Stack for the work itself: loops over memory that others own, and a backtrace if it panics.
const STACK: usize = 1 << 20;

/// Bytes of stack for a worker. The thread-local storage of the whole program lies in them, as much as it may be, and
/// what the system needs to deliver a signal.
fn stack(attributes: *const libc::pthread_attr_t) -> usize {
    static NEEDED: OnceNonZeroUsize = OnceNonZeroUsize::new();
    let needed = NEEDED.get_or_init(|| NonZeroUsize::new(needed_stack(attributes)).unwrap_or(NonZeroUsize::MIN));
    STACK + needed.get()
}

/// What a thread needs before it begins, as the C library says.
fn needed_stack(attributes: *const libc::pthread_attr_t) -> usize {
    type MinimalStack = unsafe extern "C" fn(*const libc::pthread_attr_t) -> usize;
    // SAFETY: the name is a C string. A symbol of this name is glibc's function of this type, made for callers as we
    // are; other C libraries have none, and place thread-local storage beside the stack.
    let minimal: Option<MinimalStack> =
        unsafe { core::mem::transmute(libc::dlsym(libc::RTLD_DEFAULT, c"__pthread_get_minstack".as_ptr())) };
    // SAFETY: the attributes are initialised.
    minimal.map_or(libc::PTHREAD_STACK_MIN, |minimal| unsafe { minimal(attributes) })
}

unsafe extern "C" {
    safe fn pthread_setcancelstate(state: c_int, before: Option<&mut c_int>) -> c_int;
}

/// `PTHREAD_CANCEL_DISABLE`, which the `libc` crate lacks on some systems.
const DISABLED: c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };

/// Whether the calling thread could be cancelled (`pthread_cancel`) before `hold_off`.
pub struct Cancellation(c_int);

impl Cancellation {
    #[inline(always)]
    pub fn hold_off() -> Self {
        let mut before = 0;
        pthread_setcancelstate(DISABLED, Some(&mut before));
        Self(before)
    }

    #[inline(always)]
    pub fn restore(self) {
        pthread_setcancelstate(self.0, None);
    }
}

//! POSIX threads.
//!
//! Why not `std::thread`: it may abort the process if there is no memory. Here `start` returns `None`.

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
    /// Starts a thread that runs `of.main()`. It inherits the affinity and the floating-point mode of the calling
    /// thread.
    ///
    /// # Safety
    /// `of` lives until the thread is joined.
    pub unsafe fn start<T: Main>(of: *const T) -> Option<Self> {
        extern "C" fn main<T: Main>(of: *mut c_void) -> *mut c_void {
            // SAFETY: `of` lives until this thread is joined.
            unsafe { &*of.cast::<T>() }.main();
            ptr::null_mut()
        }
        let mut thread = MaybeUninit::uninit();
        let mut attributes = MaybeUninit::uninit();
        let mut blocked = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: each variable is initialised by the first call that gets it, and destroyed once. A new thread
        // inherits the signal mask of the calling thread, which is restored afterwards.
        let failure = unsafe {
            if libc::pthread_attr_init(attributes.as_mut_ptr()) != 0 {
                return None;
            }
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack(attributes.as_ptr()));
            // Workers block the signals of the host program, except those that a fault of the thread itself raises: if
            // such a signal were blocked, the system would end the process without calling its handler.
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

    /// Waits for the end of the thread.
    pub fn join(self) {
        // SAFETY: this process started the thread as joinable, and joins it only here.
        unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
    }
}

/// Bytes of stack for the work: loops, and a backtrace after a panic.
const STACK: usize = 1 << 20;

/// Returns the bytes of stack of a worker. They include the thread-local storage of the whole program, of any size, and
/// the memory that the system needs to deliver a signal.
fn stack(attributes: *const libc::pthread_attr_t) -> usize {
    static NEEDED: OnceNonZeroUsize = OnceNonZeroUsize::new();
    let needed = NEEDED.get_or_init(|| NonZeroUsize::new(needed_stack(attributes)).unwrap_or(NonZeroUsize::MIN));
    STACK + needed.get()
}

/// Returns the bytes of stack that the C library needs for a thread.
fn needed_stack(attributes: *const libc::pthread_attr_t) -> usize {
    type MinimalStack = unsafe extern "C" fn(*const libc::pthread_attr_t) -> usize;
    // SAFETY: the name is a C string. In glibc the symbol is a function of this type, meant for such callers. Other C
    // libraries do not have it; they place thread-local storage outside the stack.
    let minimal: Option<MinimalStack> =
        unsafe { core::mem::transmute(libc::dlsym(libc::RTLD_DEFAULT, c"__pthread_get_minstack".as_ptr())) };
    // SAFETY: the attributes are initialised.
    minimal.map_or(libc::PTHREAD_STACK_MIN, |minimal| unsafe { minimal(attributes) })
}

unsafe extern "C" {
    safe fn pthread_setcancelstate(state: c_int, before: Option<&mut c_int>) -> c_int;
}

/// `PTHREAD_CANCEL_DISABLE`. The `libc` crate does not have it on some systems.
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

//! Windows. The system calls are those of Rust's standard library, but here a thread that the system refuses is no
//! panic.

use core::ffi::c_void;
use core::ptr;

use super::Main;

type Handle = *mut c_void;

#[link(name = "kernel32")]
unsafe extern "system" {
    safe fn GetCurrentProcessId() -> u32;
    fn CreateThread(
        security: *const c_void,
        stack: usize,
        main: extern "system" fn(*mut c_void) -> u32,
        argument: *mut c_void,
        flags: u32,
        id: *mut u32,
    ) -> Handle;
    fn WaitForSingleObject(object: Handle, milliseconds: u32) -> u32;
    fn CloseHandle(object: Handle) -> i32;
}

#[link(name = "api-ms-win-core-synch-l1-2-0", kind = "raw-dylib")]
unsafe extern "system" {
    fn WaitOnAddress(word: *const c_void, value: *const c_void, bytes: usize, milliseconds: u32) -> i32;
    fn WakeByAddressAll(word: *const c_void);
}

const FOREVER: u32 = u32::MAX;
/// `STACK_SIZE_PARAM_IS_A_RESERVATION`: the stack takes memory only as it is used.
const RESERVE: u32 = 0x1_0000;
/// Bytes of stack for the work: loops, and a backtrace after a panic.
const STACK: usize = 1 << 20;

pub fn process() -> u32 {
    GetCurrentProcessId()
}

pub fn sleep_on(word: *const u32, value: u32) {
    // SAFETY: the caller waits for a word that lives; `value` has the same size.
    unsafe { WaitOnAddress(word.cast(), ptr::from_ref(&value).cast(), size_of::<u32>(), FOREVER) };
}

pub fn wake_all(word: *const u32) {
    // SAFETY: the system does not access the word.
    unsafe { WakeByAddressAll(word.cast()) };
}

/// A thread that was started and not joined.
pub struct Thread(Handle);

impl Thread {
    /// Starts a thread that runs `of.main()`.
    ///
    /// # Safety
    /// `of` lives until the thread is joined.
    pub unsafe fn start<T: Main>(of: *const T) -> Option<Self> {
        extern "system" fn main<T: Main>(of: *mut c_void) -> u32 {
            // SAFETY: `of` lives until this thread is joined.
            unsafe { &*of.cast::<T>() }.main();
            0
        }
        let argument = of.cast_mut().cast();
        // SAFETY: `main` casts the argument back to the type that it has here; the other pointers may be null.
        let thread = unsafe { CreateThread(ptr::null(), STACK, main::<T>, argument, RESERVE, ptr::null_mut()) };
        (!thread.is_null()).then_some(Self(thread))
    }

    /// Waits for the end of the thread.
    pub fn join(self) {
        // SAFETY: the handle is open, and closed only here.
        unsafe {
            WaitForSingleObject(self.0, FOREVER);
            CloseHandle(self.0);
        }
    }
}

/// Windows has no cancellation of threads.
pub struct Cancellation;

impl Cancellation {
    #[inline(always)]
    pub fn hold_off() -> Self {
        Self
    }

    #[inline(always)]
    pub fn restore(self) {}
}

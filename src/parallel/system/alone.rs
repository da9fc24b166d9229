//! Systems without threads, such as wasm32-unknown-unknown. There is only the calling thread, so nothing sleeps.

use super::Main;

pub fn process() -> u32 {
    0
}

pub fn sleep_on(_word: *const u32, _value: u32) {}

pub fn wake_all(_word: *const u32) {}

/// A thread. No value of this type exists.
pub enum Thread {}

impl Thread {
    /// Returns `None`.
    ///
    /// # Safety
    /// No condition: `of` is not used.
    pub unsafe fn start<T: Main>(_of: *const T) -> Option<Self> {
        // Makes the compiler use `T::main`, as on other systems.
        let _run: fn(&T) = T::main;
        None
    }

    pub fn join(self) {
        match self {}
    }
}

/// Nothing can cancel the thread.
pub struct Cancellation;

impl Cancellation {
    #[inline(always)]
    pub fn hold_off() -> Self {
        Self
    }

    #[inline(always)]
    pub fn restore(self) {}
}

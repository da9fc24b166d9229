//! Systems without threads, such as wasm32-unknown-unknown: the calling thread is alone, so nothing sleeps.

use super::Main;

pub fn process() -> u32 {
    0
}

pub fn sleep_on(_word: *const u32, _value: u32) {}

pub fn wake_all(_word: *const u32) {}

/// A thread, of which there is none.
pub enum Thread {}

impl Thread {
    /// # Safety
    /// None is needed: `of` is not used.
    pub unsafe fn start<T: Main>(_of: *const T) -> Option<Self> {
        // What a thread would run is compiled all the same, as for other systems.
        let _run: fn(&T) = T::main;
        None
    }

    pub fn join(self) {
        match self {}
    }
}

/// Nobody could cancel the thread.
pub struct Cancellation;

impl Cancellation {
    #[inline(always)]
    pub fn hold_off() -> Self {
        Self
    }

    #[inline(always)]
    pub fn restore(self) {}
}

//! The lock of a handle. One call at a time is inside; while a thread holds the handle, only calls of that thread are let
//! in. No call waits for the lock: a call that cannot have it is refused.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};
use crate::parallel::{is_alive, thread};

/// The bit that is set while a call is inside. The other bits are the number of the thread that holds the handle.
const INSIDE: u32 = 1;
const NOBODY: u32 = 0;

/// Who is inside and who holds is in one word, and a refused call does not write to it.
pub(super) struct Lock {
    word: AtomicU32,
    /// How many times the holder holds the handle. Only the call inside uses this field.
    times: Cell<u64>,
}

/// A call that is inside, until it is dropped.
pub(super) struct Inside<'a> {
    lock: &'a Lock,
    /// The holder when the call has left.
    holder: Cell<u32>,
}

impl Lock {
    pub const fn new() -> Self {
        Self { word: AtomicU32::new(NOBODY), times: Cell::new(0) }
    }

    /// Lets the call in, or refuses it.
    #[inline(always)]
    pub fn enter(&self) -> Result<Inside<'_>> {
        match self.word.compare_exchange(NOBODY, INSIDE, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Inside { lock: self, holder: Cell::new(NOBODY) }),
            Err(found) => self.enter_held(found),
        }
    }

    /// The same where the word was `found`.
    #[cold]
    fn enter_held(&self, found: u32) -> Result<Inside<'_>> {
        if found & INSIDE != 0 {
            return Err(Error::Busy);
        }
        let holder = found >> 1;
        let is_own = holder == thread();
        // A hold ends with its thread where the system tells that the thread is gone: Linux. The child of a fork has
        // none of its parent's threads.
        if !is_own && is_alive(holder) {
            return Err(Error::Busy);
        }
        let entered = self.word.compare_exchange(found, found | INSIDE, Ordering::Acquire, Ordering::Relaxed);
        entered.map_err(|_| Error::Busy)?;
        let inside = Inside { lock: self, holder: Cell::new(holder) };
        if !is_own {
            inside.give_up();
        }
        Ok(inside)
    }
}

impl Inside<'_> {
    /// The calling thread holds the handle once more.
    pub fn hold(&self) {
        self.holder.set(thread());
        self.lock.times.set(self.lock.times.get() + 1);
    }

    /// The calling thread holds the handle once less.
    pub fn release(&self) -> Result<()> {
        match self.lock.times.get() {
            0 => Err(Error::WrongPhase { call: "release", reason: "this thread does not hold the handle" }),
            1 => {
                self.give_up();
                Ok(())
            }
            times => {
                self.lock.times.set(times - 1);
                Ok(())
            }
        }
    }

    /// Nobody holds the handle any more.
    pub fn give_up(&self) {
        self.holder.set(NOBODY);
        self.lock.times.set(0);
    }
}

impl Drop for Inside<'_> {
    /// After a panic too.
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.word.store(self.holder.get() << 1, Ordering::Release);
    }
}

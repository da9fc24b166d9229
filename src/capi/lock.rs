//! The lock of a handle. One call at a time is inside the handle. While a thread holds the handle, only calls of this
//! thread get in. No call waits: the lock refuses a call that cannot get in.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};
use crate::parallel::{is_alive, thread};

/// Set while a call is inside. The other bits are the number of the thread that holds the handle.
const INSIDE: u32 = 1;
const NOBODY: u32 = 0;

/// One word holds both facts: whether a call is inside, and which thread holds the handle. A refused call does not
/// write.
pub(super) struct Lock {
    word: AtomicU32,
    /// Number of holds of the holding thread. Only the call inside uses this field.
    times: Cell<u64>,
}

/// A call inside the handle. Dropping it leaves the handle.
pub(super) struct Inside<'a> {
    lock: &'a Lock,
    /// The thread that holds the handle after the call has left.
    holder: Cell<u32>,
}

impl Lock {
    pub const fn new() -> Self {
        Self { word: AtomicU32::new(NOBODY), times: Cell::new(0) }
    }

    /// Lets a call in.
    ///
    /// # Errors
    /// [`Error::Busy`] if another call is inside, or another thread holds the handle.
    #[inline(always)]
    pub fn enter(&self) -> Result<Inside<'_>> {
        match self.word.compare_exchange(NOBODY, INSIDE, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Inside { lock: self, holder: Cell::new(NOBODY) }),
            Err(found) => self.enter_held(found),
        }
    }

    /// Continues `enter` if the word was `found` instead of `NOBODY`.
    #[cold]
    fn enter_held(&self, found: u32) -> Result<Inside<'_>> {
        if found & INSIDE != 0 {
            return Err(Error::Busy);
        }
        let holder = found >> 1;
        let is_own = holder == thread();
        // On Linux a hold ends with its thread: the system says whether the thread is alive. A forked child has none of
        // its parent's threads.
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
    /// Adds a hold of the calling thread.
    pub fn hold(&self) {
        self.holder.set(thread());
        self.lock.times.set(self.lock.times.get() + 1);
    }

    /// Ends one hold of the calling thread.
    ///
    /// # Errors
    /// [`Error::WrongPhase`] if there is none.
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

    /// Ends all holds.
    pub fn give_up(&self) {
        self.holder.set(NOBODY);
        self.lock.times.set(0);
    }
}

impl Drop for Inside<'_> {
    /// Runs after a panic too.
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.word.store(self.holder.get() << 1, Ordering::Release);
    }
}

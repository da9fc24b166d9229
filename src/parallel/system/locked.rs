//! Sleeping and waking on systems without a public system call for it: with one mutex of the standard library, shared
//! by all sleepers. If a process forks while one of its threads holds the mutex, no thread of the child can sleep.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

static LOCK: Mutex<()> = Mutex::new(());
static WOKEN: Condvar = Condvar::new();

pub fn sleep_on(word: *const u32, value: u32) {
    let held = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    // A thread that changes the word then calls `wake_all`, which takes the mutex. So it cannot wake between this load
    // and the wait. SAFETY: the caller waits for a word that lives, and all accesses to it are atomic.
    if unsafe { AtomicU32::from_ptr(word.cast_mut()) }.load(Ordering::Relaxed) == value {
        drop(WOKEN.wait(held));
    }
}

pub fn wake_all(_word: *const u32) {
    let _held = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    WOKEN.notify_all();
}

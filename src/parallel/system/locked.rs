//! Sleeping for systems whose own calls for this are not public: under one lock of the standard library, which all
//! sleepers share. A process that forks while a thread of it holds the lock has a child in which no thread can sleep.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

static LOCK: Mutex<()> = Mutex::new(());
static WOKEN: Condvar = Condvar::new();

pub fn sleep_on(word: *const u32, value: u32) {
    let held = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    // A thread that changes the word then calls `wake_all`, which takes the lock: so not between this load and the wait.
    // SAFETY: the caller waits for a word that lives, and all access to it is atomic.
    if unsafe { AtomicU32::from_ptr(word.cast_mut()) }.load(Ordering::Relaxed) == value {
        drop(WOKEN.wait(held));
    }
}

pub fn wake_all(_word: *const u32) {
    let _held = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    WOKEN.notify_all();
}

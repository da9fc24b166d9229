//! Processors, as the standard library counts them, and numbers for threads.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

/// Processors that a thread may run on. Only on Linux does the library ask for them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Affinity {}

impl Affinity {
    pub fn current() -> Option<Self> {
        None
    }

    pub fn processors(&self, _limit: usize) -> usize {
        match *self {}
    }

    pub fn take_on(&self) {
        match *self {}
    }
}

/// 0: as many as can run at once. Never more than the process may use; 1 where the system does not tell.
pub fn usable_threads(wanted: usize) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, core::num::NonZeroUsize::get);
    match wanted {
        1 => 1,
        0 => processors(),
        _ => processors().min(wanted),
    }
}

/// A number that no other thread of the process has, until 2³⁰ threads have asked for one.
pub fn thread() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static NUMBER: Cell<u32> = const { Cell::new(0) };
    }
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(1 + LAST.fetch_add(1, Ordering::Relaxed) % ((1 << 30) - 1));
        }
        number.get()
    })
}

/// True, since the library does not ask these systems: a thread that ends while it holds a handle keeps it.
pub fn is_alive(_thread: u32) -> bool {
    true
}

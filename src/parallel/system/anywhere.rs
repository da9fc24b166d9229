//! Systems other than Linux: the number of processors, from the standard library, and numbers for threads.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

/// The processors that a thread may use. The library asks for them only on Linux; no value of this type exists.
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

/// Returns the number of threads for a handle that wants `wanted`; 0 means one for each processor. At most the number
/// of processors; 1 if the system does not tell it.
pub fn usable_threads(wanted: usize) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, core::num::NonZeroUsize::get);
    match wanted {
        1 => 1,
        0 => processors(),
        _ => processors().min(wanted),
    }
}

/// Returns the number of the calling thread, from 1 on. No other thread has it until 2³⁰ threads have asked for one.
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

/// Returns true: the library does not ask these systems. A thread that ends while it holds a handle keeps the handle.
pub fn is_alive(_thread: u32) -> bool {
    true
}

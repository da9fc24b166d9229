//! The process's threads, shared by all handles, and work handed out to them so that the result does not depend on how
//! many there are.
//!
//! The work is a list of items. Each is done by one thread, from start to end, into a place of its own; the caller
//! reduces them in order afterwards. So nothing depends on who did what, and the threads need no word with each other
//! but where the list starts and ends.
//!
//! - `Pool`, in this file, is what a handle has: how many threads it wants, and its membership in
//! - the process's thread pool (`shared.rs`), whose workers
//! - are given jobs one by one, by whichever handle finds them free (`worker.rs`);
//! - `system/` is all that differs from system to system;
//! - `cancellation.rs` and `float_mode.rs` are what a call sets aside of what the host program has set on its thread.

pub(crate) mod cancellation;
pub(crate) mod float_mode;
mod shared;
mod system;
mod worker;

use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use self::shared::{Home, Member, PROCESS};
use self::system::Affinity;
pub(crate) use self::system::{is_alive, thread, usable_threads};
use self::worker::Job;

thread_local! {
    static ON_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is a worker: the silent panic hook asks (`capi/panics.rs`).
#[cfg(any(test, feature = "capi"))]
pub(crate) fn on_worker() -> bool {
    ON_WORKER.get()
}

/// What a handle has of the process's thread pool: the calling thread, and up to a fixed number of workers at a time.
pub(crate) struct Pool {
    threads: usize,
    home: &'static Home,
    /// None where the calling thread is alone.
    member: Option<Member>,
    /// As if the system had so many processors.
    #[cfg(test)]
    processors: usize,
}

impl Pool {
    /// For steps on `threads` threads (0 as 1): the one that calls, and workers for the rest, as many as can be had.
    pub(crate) fn new(threads: usize) -> Self {
        Self::at(&PROCESS, threads)
    }

    fn at(home: &'static Home, threads: usize) -> Self {
        let threads = threads.max(1);
        let member = if threads > 1 { Member::join(home, threads - 1) } else { None };
        Self {
            threads,
            home,
            member,
            #[cfg(test)]
            processors: 1,
        }
    }

    /// Threads that work at once at most, the calling one included.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `work(index, item, scratch)` once for each item, and returns when all is done. The items are taken in
    /// `order`.
    ///
    /// At most `limit` threads take part, and no more than there are items or scratches, or processors that the calling
    /// thread may run on: the calling thread, and workers that are free. It works alone and in order where there are
    /// none. A scratch belongs to one thread during the call. Nothing is allocated, but in a child of the process that
    /// made the pool, where workers are started anew.
    ///
    /// # Panics
    /// If `work` panicked on any thread, after all have stopped; or if there are items but no scratch.
    pub(crate) fn for_each<C: Send, S: Send>(
        &mut self,
        limit: usize,
        order: Order,
        items: &mut [C],
        scratch: &mut [S],
        work: impl Fn(usize, &mut C, &mut S) + Sync,
    ) {
        assert!(!scratch.is_empty() || items.is_empty(), "no scratch to work with");
        let threads = limit.min(self.threads).min(items.len()).min(scratch.len());
        let affinity = if threads > 1 && self.member.is_some() { Affinity::current() } else { None };
        let processors = affinity.map_or(threads, |affinity| affinity.processors(threads));
        #[cfg(test)]
        let processors = processors.max(self.processors.min(threads));
        if processors > 1
            && let Some(member) = self.present()
        {
            let task = Task {
                items: items.as_mut_ptr(),
                count: items.len(),
                order,
                scratch: scratch.as_mut_ptr(),
                next: AtomicUsize::new(0),
                work: &work,
            };
            task.run(member, processors, affinity);
        } else if let Some(scratch) = scratch.first_mut() {
            let count = items.len();
            for turn in 0..count {
                let index = order.index(turn, count);
                work(index, &mut items[index], scratch);
            }
        }
    }

    /// The membership in the pool of this process: a new one if this is a child of the process in which the handle was
    /// made. `None` where the calling thread is alone.
    fn present(&mut self) -> Option<&Member> {
        if !self.member.as_ref()?.is_of_this_process() {
            self.member = Some(Member::join(self.home, self.threads - 1)?);
        }
        self.member.as_ref()
    }
}

#[cfg(test)]
impl Pool {
    fn workers(&self) -> usize {
        self.member.as_ref().map_or(0, Member::workers)
    }
}

/// From which end items are taken.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    Forward,
    /// What the last pass left in the caches first.
    Backward,
}

impl Order {
    fn index(self, turn: usize, count: usize) -> usize {
        match self {
            Self::Forward => turn,
            Self::Backward => count - 1 - turn,
        }
    }
}

/// One call of `for_each`, on the stack of the caller.
struct Task<'a, C, S, F> {
    items: *mut C,
    count: usize,
    order: Order,
    scratch: *mut S,
    next: AtomicUsize,
    work: &'a F,
}

impl<C: Send, S: Send, F: Fn(usize, &mut C, &mut S) + Sync> Task<'_, C, S, F> {
    /// Does all items, on the calling thread and free workers of the pool, at most `threads` together.
    fn run(&self, member: &Member, threads: usize, affinity: Option<Affinity>) {
        let task = ptr::from_ref(self).cast::<()>();
        let job =
            Job { work: Self::work, task, affinity, begun: AtomicUsize::new(0), panicked: AtomicBool::new(false) };
        // Caught, because the workers use what the caller's stack holds: it may not unwind before they have stopped.
        // SAFETY: `for_each` lent the items and scratches to this task alone; there are at least `threads` scratches,
        // and the workers, one fewer, have numbers from 1.
        let own = || catch_unwind(AssertUnwindSafe(|| unsafe { Self::work(task, 0) }));
        let mut outcome = Ok(());
        member.run(&job, threads - 1, || outcome = own());
        match outcome {
            Err(panic) => resume_unwind(panic),
            Ok(()) => assert!(!job.panicked.load(Ordering::Relaxed), "a worker thread panicked"),
        }
    }

    /// Does items until none is left, with the scratch of this number.
    ///
    /// # Safety
    /// `task` points at a `Self` whose items and scratches are borrowed for it alone; `number` is the index of a
    /// scratch that no other thread was given.
    unsafe fn work(task: *const (), number: usize) {
        // SAFETY: by this function's contract. All that is changed through the reference is atomic or behind a pointer.
        let task = unsafe { &*task.cast::<Self>() };
        // SAFETY: in bounds, and no other thread has this number.
        let scratch = unsafe { &mut *task.scratch.add(number) };
        loop {
            // Relaxed: the index is all that is shared. What the items hold was published with the job, and is collected
            // when the worker is done.
            let turn = task.next.fetch_add(1, Ordering::Relaxed);
            if turn >= task.count {
                return;
            }
            let index = task.order.index(turn, task.count);
            // SAFETY: in bounds, and the counter gives each index to one thread only.
            (task.work)(index, unsafe { &mut *task.items.add(index) }, scratch);
        }
    }
}

#[cfg(test)]
mod tests;

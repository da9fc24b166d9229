//! The thread pool of the process, shared by all handles. Results do not depend on the number of threads.
//!
//! The work of a call is a list of items. One thread does an item from start to end and writes to the item's own place.
//! The caller adds up the items in their order afterwards. So the result does not depend on which thread did which
//! item, and the threads synchronize only at the start and the end of the list.
//!
//! - [`Pool`], in this file: a handle's access to the pool, and its number of threads.
//! - `thread_pool.rs`: the thread pool of the process.
//! - `worker.rs`: a worker, and how callers give it jobs.
//! - `system/`: everything that differs between operating systems.
//! - `cancellation.rs`, `float_mode.rs`: settings of the calling thread that a call changes and restores.

pub(crate) mod cancellation;
pub(crate) mod float_mode;
mod system;
mod thread_pool;
mod worker;

use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use self::system::Affinity;
pub(crate) use self::system::{is_alive, thread, usable_threads};
use self::thread_pool::{Member, PROCESS, PoolCell};
use self::worker::Job;

thread_local! {
    static ON_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is a worker. The panic hook uses this (`capi/panics.rs`).
#[cfg(any(test, feature = "capi"))]
pub(crate) fn on_worker() -> bool {
    ON_WORKER.get()
}

/// A handle's access to the thread pool: its calls use the calling thread and up to a fixed number of workers.
pub(crate) struct Pool {
    threads: usize,
    home: &'static PoolCell,
    /// `None` if calls use the calling thread only.
    member: Option<Member>,
    /// A lower bound for the number of processors in tests.
    #[cfg(test)]
    processors: usize,
}

impl Pool {
    /// Prepares for calls on `threads` threads: the calling thread, and workers for the rest, as many as the system
    /// gives. 0 counts as 1.
    pub(crate) fn new(threads: usize) -> Self {
        Self::at(&PROCESS, threads)
    }

    fn at(home: &'static PoolCell, threads: usize) -> Self {
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

    /// Returns the largest number of threads of a call, the calling thread included.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `work(index, item, scratch)` once for each item, and returns when all items are done. Threads take the
    /// items in `order`.
    ///
    /// The calling thread and free workers take part. Their number is at most `limit`, the number of items, the number
    /// of scratches, and the number of processors that the calling thread may use. Without free workers the calling
    /// thread does all items in order. Each thread has one scratch during the call. Nothing is allocated, except in a
    /// forked child, where workers are started again.
    ///
    /// # Panics
    /// If `work` panicked on any thread, after all threads have stopped; or if there are items but no scratch.
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

    /// Returns the membership in the pool of this process. In a forked child it first joins the child's pool. `None` if
    /// calls use the calling thread only.
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

/// The order in which threads take items.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    Forward,
    /// From the last item to the first: the last items of the pass before may still be in a cache.
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

/// The state of one call of `for_each`, on the stack of the caller.
struct Task<'a, C, S, F> {
    items: *mut C,
    count: usize,
    order: Order,
    scratch: *mut S,
    next: AtomicUsize,
    work: &'a F,
}

impl<C: Send, S: Send, F: Fn(usize, &mut C, &mut S) + Sync> Task<'_, C, S, F> {
    /// Does all items, on at most `threads` threads: the calling thread and free workers.
    fn run(&self, member: &Member, threads: usize, affinity: Option<Affinity>) {
        let task = ptr::from_ref(self).cast::<()>();
        let job =
            Job { work: Self::work, task, affinity, begun: AtomicUsize::new(0), panicked: AtomicBool::new(false) };
        // A panic is caught here: workers use this stack, so it may not unwind before they have stopped. SAFETY:
        // `for_each` borrows the items and scratches for this task alone. There are at least `threads` scratches; the
        // workers have numbers from 1 to `threads - 1`.
        let own = || catch_unwind(AssertUnwindSafe(|| unsafe { Self::work(task, 0) }));
        let mut outcome = Ok(());
        member.run(&job, threads - 1, || outcome = own());
        match outcome {
            Err(panic) => resume_unwind(panic),
            Ok(()) => assert!(!job.panicked.load(Ordering::Relaxed), "a worker thread panicked"),
        }
    }

    /// Does items until none is left, with scratch `number`.
    ///
    /// # Safety
    /// `task` points at a `Self` whose items and scratches are borrowed for it alone. No other thread has scratch
    /// `number`.
    unsafe fn work(task: *const (), number: usize) {
        // SAFETY: by this function's contract. Only atomics, and memory behind pointers, change through the reference.
        let task = unsafe { &*task.cast::<Self>() };
        // SAFETY: in bounds, and no other thread has this number.
        let scratch = unsafe { &mut *task.scratch.add(number) };
        loop {
            // Relaxed: only the index is shared. The items were published with the job, and the caller reads them after
            // the worker is done.
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

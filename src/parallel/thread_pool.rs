//! The thread pool that all handles of a process share. It is created for the first handle that uses workers. When the
//! last such handle is dropped, its threads are joined and the pool is freed.
//!
//! A process may fork: the child then has the memory of the pool, but not its threads. So a pool stores the number of
//! its process. In a child the parent's pool is only memory, which is freed with the last handle that came from the
//! parent. A handle that needs workers in the child joins the child's pool.

use core::cell::Cell;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::system;
use super::worker::{Job, Worker};
use crate::memory::try_box;

/// The thread pool: a list of workers.
pub(super) struct ThreadPool {
    process: u32,
    /// Number of members. Changed under the lock.
    members: Cell<usize>,
    first: AtomicPtr<Worker>,
}

impl ThreadPool {
    fn workers(&self) -> impl Iterator<Item = &Worker> {
        // SAFETY: workers live as long as the pool, and the list only grows. Acquire: the worker's fields are
        // initialised.
        let follow = |link: &AtomicPtr<Worker>| unsafe { link.load(Ordering::Acquire).as_ref() };
        core::iter::successors(follow(&self.first), move |worker| follow(&worker.next))
    }

    /// Adds workers until there are `count`, or the system gives no more. Called under the lock.
    fn grow(&self, count: usize) {
        let mut link = &self.first;
        let mut present = 0;
        for worker in self.workers() {
            link = &worker.next;
            present += 1;
        }
        while present < count {
            let Ok(worker) = try_box(Worker::new()) else { return };
            let worker = Box::into_raw(worker);
            // SAFETY: the worker is freed only in `end`, after its thread has ended, or here, where it has no thread.
            unsafe {
                if !Worker::start(worker) {
                    drop(Box::from_raw(worker));
                    return;
                }
                link.store(worker, Ordering::Release);
                link = &(*worker).next;
            }
            present += 1;
        }
    }

    /// Ends the workers, if they belong to this process, and frees the pool.
    ///
    /// # Safety
    /// `pool` came from `Box::into_raw`, and nobody else uses it any more.
    unsafe fn end(pool: NonNull<Self>) {
        // SAFETY: by this function's contract.
        let pool = unsafe { Box::from_raw(pool.as_ptr()) };
        let mut link = pool.first.load(Ordering::Acquire);
        while !link.is_null() {
            // SAFETY: it came from `Box::into_raw` in `grow`, and is in the list once.
            unsafe {
                if pool.process == system::process() {
                    (*link).end();
                }
                link = Box::from_raw(link).next.load(Ordering::Acquire);
            }
        }
    }
}

/// The place of a thread pool. The process has one place; tests have their own.
pub(super) struct PoolCell {
    lock: Lock,
    pool: AtomicPtr<ThreadPool>,
}

/// The place of the process's pool.
pub(super) static PROCESS: PoolCell = PoolCell::new();

impl PoolCell {
    pub const fn new() -> Self {
        Self { lock: Lock::new(), pool: AtomicPtr::new(ptr::null_mut()) }
    }
}

#[cfg(test)]
impl PoolCell {
    pub fn is_empty(&self) -> bool {
        self.pool.load(Ordering::Relaxed).is_null()
    }

    pub fn hold(&self) -> impl Drop {
        self.lock.hold()
    }
}

/// A member of the pool: it may give jobs to the workers. The pool lives as long as it has members.
pub(super) struct Member {
    home: &'static PoolCell,
    pool: NonNull<ThreadPool>,
}

// SAFETY: what a member does with the pool from any thread is atomic or under the lock.
unsafe impl Send for Member {}
// SAFETY: as above.
unsafe impl Sync for Member {}

impl Member {
    /// Joins the pool of this process, and grows it to at least `workers` workers, or as many as the system gives.
    /// `None` if there is no memory for a pool.
    pub fn join(home: &'static PoolCell, workers: usize) -> Option<Self> {
        let _held = home.lock.hold();
        let current = NonNull::new(home.pool.load(Ordering::Relaxed));
        // SAFETY: a pool found here lives: `drop` removes it from `home` before it frees it, under the same lock.
        let of_this_process = |pool: &NonNull<ThreadPool>| unsafe { pool.as_ref() }.process == system::process();
        let pool = match current.filter(of_this_process) {
            Some(pool) => pool,
            None => {
                let first = AtomicPtr::new(ptr::null_mut());
                let pool = try_box(ThreadPool { process: system::process(), members: Cell::new(0), first }).ok()?;
                let pool = NonNull::from(Box::leak(pool));
                home.pool.store(pool.as_ptr(), Ordering::Relaxed);
                pool
            }
        };
        // SAFETY: it lives, as above.
        let shared = unsafe { pool.as_ref() };
        shared.members.set(shared.members.get() + 1);
        shared.grow(workers);
        Some(Self { home, pool })
    }

    fn shared(&self) -> &ThreadPool {
        // SAFETY: the pool lives as long as it has members.
        unsafe { self.pool.as_ref() }
    }

    /// Whether the pool belongs to this process. False in a forked child of the process that joined.
    pub fn is_of_this_process(&self) -> bool {
        self.shared().process == system::process()
    }

    /// Gives `job` to at most `workers` free workers, runs `own` on the calling thread, and returns when all have
    /// stopped. Workers that are busy are not waited for. `own` does not unwind.
    pub fn run(&self, job: &Job, workers: usize, own: impl FnOnce()) {
        let all = || self.shared().workers();
        let mut given = 0;
        // In the order of the list: if few workers are needed, the workers of the last call are still awake.
        for worker in all() {
            if given == workers {
                break;
            }
            given += usize::from(worker.give(job));
        }
        own();
        // A worker that has not begun by now is not needed: no item is left.
        if given > 0 {
            all().for_each(|worker| worker.take_back(job));
            all().for_each(|worker| worker.wait_for(job));
        }
    }
}

#[cfg(test)]
impl Member {
    pub fn workers(&self) -> usize {
        self.shared().workers().count()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _held = self.home.lock.hold();
        let shared = self.shared();
        shared.members.set(shared.members.get() - 1);
        if shared.members.get() == 0 {
            let (found, none) = (self.pool.as_ptr(), ptr::null_mut());
            // In a forked child the place may hold another pool by now.
            let _ = self.home.pool.compare_exchange(found, none, Ordering::Relaxed, Ordering::Relaxed);
            // SAFETY: this was the last member, and `home` does not hold the pool any more.
            unsafe { ThreadPool::end(self.pool) };
        }
    }
}

/// A lock that a forked child never finds taken. It stores the number of the process whose thread took it, and a lock
/// of another process counts as free. Only joining and leaving the pool take it; a step waits for no lock.
struct Lock {
    holder: AtomicU32,
    waiting: AtomicU32,
}

/// The lock is held until this is dropped.
struct Held<'a>(&'a Lock);

impl Lock {
    const fn new() -> Self {
        Self { holder: AtomicU32::new(0), waiting: AtomicU32::new(0) }
    }

    fn hold(&self) -> Held<'_> {
        let own = system::process();
        let mut expected = 0;
        loop {
            match self.holder.compare_exchange(expected, own, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Held(self),
                // A thread of this process holds the lock: wait. SeqCst orders the four accesses to the two numbers:
                // either the holder sees that a thread waits, or this thread sees that the lock is free.
                Err(holder) if holder == own => {
                    self.waiting.fetch_add(1, Ordering::SeqCst);
                    if self.holder.load(Ordering::SeqCst) == own {
                        system::sleep_on(self.holder.as_ptr(), own);
                    }
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    expected = 0;
                }
                // The lock is free, or a thread of another process holds it.
                Err(holder) => expected = holder,
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.holder.swap(0, Ordering::SeqCst);
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            system::wake_all(self.0.holder.as_ptr());
        }
    }
}

//! Threads, and work handed out to them so that the result does not depend on how many there are.
//!
//! The work is a list of items. Each is done by one thread, from start to end, into a place of its own; the caller
//! reduces them in order afterwards. So nothing depends on who did what, and the threads need no word with each other
//! but where the list starts and ends.
//!
//! Why not `std::thread` and `std::sync::Arc`: they abort where memory is out. Here a thread that cannot be had is an
//! error. And a process may fork with a pool in it: the child has the memory of the pool but none of its threads. A
//! pool therefore knows the process its threads belong to, and starts afresh in another.

mod board;
pub(crate) mod cancellation;
pub(crate) mod float_mode;

use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use self::board::{Board, Job, MOST_WORKERS};
use crate::error::{Error, Result};
use crate::memory::{try_box, try_vec};

/// Stack of a worker. The work is loops over memory that others own, and a backtrace if it panics.
const STACK: usize = 1 << 20;

thread_local! {
    static ON_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is a worker of some pool.
pub(crate) fn on_worker() -> bool {
    ON_WORKER.get()
}

/// The calling thread and a fixed number of workers that sleep between calls.
pub(crate) struct Pool {
    threads: usize,
    /// None where the calling thread is alone.
    crew: Option<Crew>,
}

impl Pool {
    /// A pool of `threads` threads (0 as 1): the one that calls, and workers for the rest.
    pub(crate) fn new(threads: usize) -> Result<Self> {
        let threads = threads.max(1);
        let crew = if threads > 1 { Some(Crew::new(threads - 1)?) } else { None };
        Ok(Self { threads, crew })
    }

    /// Threads that work at once, the calling one included.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `work(index, item, scratch)` once for each item, and returns when all is done. The items are taken in
    /// `order`.
    ///
    /// At most `limit` threads take part, and no more than there are items or scratches; the calling thread is one of
    /// them, and works alone and in order where it is the only one. A scratch belongs to one thread during the call.
    /// Nothing is allocated.
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
        let seats = limit.min(self.threads).min(items.len()).min(scratch.len());
        let crew = self.crew.as_mut().filter(|_| seats > 1).and_then(Crew::present);
        if let Some(crew) = crew {
            let task = Task {
                items: items.as_mut_ptr(),
                count: items.len(),
                order,
                scratch: scratch.as_mut_ptr(),
                next: AtomicUsize::new(0),
                work: &work,
            };
            crew.run(&task, seats);
        } else if let Some(scratch) = scratch.first_mut() {
            let count = items.len();
            for turn in 0..count {
                let index = order.index(turn, count);
                work(index, &mut items[index], scratch);
            }
        }
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
    /// Does items until none is left, with the scratch of `seat`.
    ///
    /// # Safety
    /// `task` points at a `Self` whose items and scratches are borrowed for it alone; `seat` is the index of a scratch
    /// that no other thread was given.
    unsafe fn work(task: *const (), seat: usize) {
        // SAFETY: by this function's contract. All that is changed through the reference is atomic or behind a pointer.
        let task = unsafe { &*task.cast::<Self>() };
        // SAFETY: in bounds, and no other thread has this seat.
        let scratch = unsafe { &mut *task.scratch.add(seat) };
        loop {
            // Relaxed: the index is all that is shared. What the items hold was published when the gate was opened,
            // and is collected when the worker leaves.
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

/// The workers of a pool in one process.
struct Crew {
    /// From `Box::into_raw`; the workers hold it too.
    board: *mut Board,
    workers: Vec<libc::pthread_t>,
    wanted: usize,
    process: libc::pid_t,
}

// SAFETY: what `board` points at is made for several threads, and the other fields are plain values. The thread that
// posts a job or joins the workers may be any, one at a time.
unsafe impl Send for Crew {}
// SAFETY: nothing can be done with a shared `Crew`.
unsafe impl Sync for Crew {}

impl Crew {
    fn new(wanted: usize) -> Result<Self> {
        let workers = try_vec(wanted, "threads")?;
        let board = Box::into_raw(try_box(Board::new())?);
        let mut crew = Self { board, workers, wanted, process: process() };
        for _ in 0..wanted {
            // On failure the crew is dropped, and with it the workers that there are.
            crew.workers.push(start(board)?);
        }
        Ok(crew)
    }

    /// The crew with workers in this process: new ones if it is a child of the one they were made in. `None` where it
    /// cannot have any.
    fn present(&mut self) -> Option<&mut Self> {
        if self.process != process() {
            *self = Self::new(self.wanted).ok()?;
        }
        Some(self)
    }

    fn run<C: Send, S: Send, F>(&mut self, task: &Task<'_, C, S, F>, seats: usize)
    where
        F: Fn(usize, &mut C, &mut S) + Sync,
    {
        // SAFETY: the board lives until `drop`, and all that changes in it is atomic.
        let board = unsafe { &*self.board };
        let task = ptr::from_ref(task).cast::<()>();
        let job = Job { work: Task::<C, S, F>::work, task };
        board.open(&job, u32::try_from(seats - 1).map_or(MOST_WORKERS, |workers| workers.min(MOST_WORKERS)));

        // Caught, because the workers use what the caller's stack holds: it may not unwind before they have stopped.
        // SAFETY: `task` is a task of these types, the caller of this function lent its items and scratches to it
        // alone, there are at least `seats` scratches, and the board gives seat 0 to nobody.
        let outcome = catch_unwind(AssertUnwindSafe(|| unsafe { Task::<C, S, F>::work(task, 0) }));

        // Whoever has not come by now need not: there is nothing left to do.
        let panicked = board.close();
        match outcome {
            Err(panic) => resume_unwind(panic),
            Ok(()) => assert!(!panicked, "a worker thread panicked"),
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        // In a child the workers do not exist, and its copy of the board is its own.
        if self.process == process() {
            // SAFETY: as in `run`.
            unsafe { &*self.board }.end();
            for &worker in &self.workers {
                // SAFETY: the thread was made joinable, by this process, and is joined only here.
                unsafe { libc::pthread_join(worker, ptr::null_mut()) };
            }
        }
        // SAFETY: it came from `Box::into_raw`, and no thread that could look at it is left.
        drop(unsafe { Box::from_raw(self.board) });
    }
}

fn process() -> libc::pid_t {
    // SAFETY: always succeeds, no preconditions.
    unsafe { libc::getpid() }
}

/// A new worker that serves `board`, which has to outlive it.
fn start(board: *mut Board) -> Result<libc::pthread_t> {
    extern "C" fn main(board: *mut libc::c_void) -> *mut libc::c_void {
        ON_WORKER.set(true);
        float_mode::set_default_mode();
        // SAFETY: `Crew` frees the board after it has joined this thread.
        unsafe { &*board.cast::<Board>() }.serve();
        ptr::null_mut()
    }

    let mut thread = MaybeUninit::uninit();
    let mut attributes = MaybeUninit::uninit();
    let mut blocked = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: each place is initialised by the first call that gets it, and destroyed once. A new thread inherits the
    // mask of the one that makes it; ours is put back as it was.
    let failure = unsafe {
        let failure = libc::pthread_attr_init(attributes.as_mut_ptr());
        if failure != 0 {
            return Err(Error::OutOfMemory { what: "a thread", bytes: STACK as u64 });
        }
        libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
        // A signal of the host program is for its own threads. What a thread's own fault raises stays with it: blocked,
        // such a signal would end the process without asking its handler.
        libc::sigfillset(blocked.as_mut_ptr());
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS] {
            libc::sigdelset(blocked.as_mut_ptr(), fault);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), before.as_mut_ptr());
        let failure = libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), main, board.cast());
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        failure
    };
    if failure != 0 {
        return Err(Error::OutOfMemory { what: "a thread", bytes: STACK as u64 });
    }
    // SAFETY: `pthread_create` succeeded.
    Ok(unsafe { thread.assume_init() })
}

/// Threads that this process can run at once: the processors it may use, or less where its control group has a quota.
pub(crate) fn available_threads() -> usize {
    let processors = processors().max(1);
    let mut text = [0_u8; 64];
    read(c"/sys/fs/cgroup/cpu.max", &mut text).and_then(quota).map_or(processors, |quota| quota.clamp(1, processors))
}

fn processors() -> usize {
    // Room for 65,536, where `cpu_set_t` ends at 1,024.
    let mut mask = [0_u64; 1024];
    // SAFETY: the mask is as large as we say, and aligned as `cpu_set_t`, an array of words, is.
    let rc = unsafe { libc::sched_getaffinity(0, size_of_val(&mask), mask.as_mut_ptr().cast()) };
    if rc == 0 {
        return mask.iter().map(|word| word.count_ones() as usize).sum();
    }
    // SAFETY: `sysconf` has no preconditions.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap_or(1)
}

/// What `path` begins with, as much as `text` holds.
fn read<'a>(path: &core::ffi::CStr, text: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: `path` is a C string, `text` is valid for writes of its length, and the descriptor is ours to close.
    let len = unsafe {
        let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if file < 0 {
            return None;
        }
        let len = libc::read(file, text.as_mut_ptr().cast(), text.len());
        libc::close(file);
        len
    };
    text.get(..usize::try_from(len).ok()?)
}

/// Processors' worth of time that a `cpu.max` grants, rounded up: "200000 100000" is 2, "max 100000" no limit.
fn quota(text: &[u8]) -> Option<usize> {
    let mut numbers = str::from_utf8(text).ok()?.split_ascii_whitespace().map(str::parse::<u64>);
    let (quota, period) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    usize::try_from(quota.checked_add(period.checked_sub(1)?)? / period).ok()
}

#[cfg(test)]
mod tests;

//! Where a caller and its workers meet: a job is posted, workers come in through a gate, and the caller leaves when the
//! last of them has.
//!
//! Atomic numbers, and the system's futex to sleep on them; no lock. So there is none that a process could fork with,
//! and every order between threads is one that ThreadSanitizer sees (it sees neither into the standard library's locks
//! nor into system calls).

use core::hint::spin_loop;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How long a thread waits awake before it sleeps: longer than falling asleep and being woken takes, and than the k×k
/// work between two passes of most models. It does not yield meanwhile: workers that did were at times left on the
/// processor of the caller, with another one idle.
const PATIENCE: Duration = Duration::from_micros(50);
/// Looks between two looks at the clock.
const LOOKS: u32 = 32;

/// The parts of `Board::gate`: workers at work, seats that are free, and whether the caller sleeps until it is alone.
const ACTIVE: u32 = 0xffff;
const SEAT: u32 = ACTIVE + 1;
const SEATS: u32 = MOST_WORKERS * SEAT;
const AWAITED: u32 = 1 << 31;

/// So many workers can take part in one job.
pub(super) const MOST_WORKERS: u32 = 0x7fff;

/// A task without its types, for the workers.
pub(super) struct Job {
    pub work: unsafe fn(*const (), usize),
    pub task: *const (),
}

pub(super) struct Board {
    /// What is to be done by those who came in; on the stack of the caller.
    job: AtomicPtr<Job>,
    /// How many may still come in, and how many are in.
    pub(super) gate: AtomicU32,
    /// Counts the jobs.
    posted: AtomicU32,
    /// Workers that sleep until the next job, so that nobody is woken who is awake.
    asleep: AtomicU32,
    panicked: AtomicBool,
    ended: AtomicBool,
}

impl Board {
    pub fn new() -> Self {
        Self {
            job: AtomicPtr::new(ptr::null_mut()),
            gate: AtomicU32::new(0),
            posted: AtomicU32::new(0),
            asleep: AtomicU32::new(0),
            panicked: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    // ---- the caller ----

    /// Lets so many workers in, at most [`MOST_WORKERS`], to seats 1, 2, ... The job has to live, and what it points at
    /// to be theirs, until [`Board::close`] returns.
    pub fn open(&self, job: &Job, workers: u32) {
        debug_assert!(workers <= MOST_WORKERS);
        self.job.store(ptr::from_ref(job).cast_mut(), Ordering::Relaxed);
        self.panicked.store(false, Ordering::Relaxed);
        // Release: who comes in finds the job, and all that was done before.
        self.gate.store(workers * SEAT, Ordering::Release);
        self.announce(workers);
    }

    /// Lets nobody in any more and waits until all have left. Returns whether one of them panicked.
    pub fn close(&self) -> bool {
        self.gate.fetch_and(!SEATS, Ordering::Relaxed);
        spin_while(|| self.gate.load(Ordering::Relaxed) & ACTIVE > 0);
        loop {
            // Acquire: what the workers did comes before what the caller does now.
            let gate = self.gate.load(Ordering::Acquire);
            if gate & ACTIVE == 0 {
                return self.panicked.load(Ordering::Relaxed);
            }
            let awaited = gate | AWAITED;
            if self.gate.compare_exchange(gate, awaited, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                sleep_on(&self.gate, awaited);
            }
        }
    }

    /// Sends the workers home.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.announce(u32::MAX >> 1);
    }

    /// Says that there is something new, and wakes so many of those who sleep.
    fn announce(&self, workers: u32) {
        // Either a worker that is about to sleep sees the new number, or it is seen here to be about to: all four
        // accesses stand in one order.
        self.posted.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) > 0 {
            wake_on(&self.posted, workers);
        }
    }

    // ---- the workers ----

    /// The life of a worker.
    pub fn serve(&self) {
        let mut seen = 0;
        loop {
            seen = self.next(seen);
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
            if let Some(seat) = self.enter() {
                // SAFETY: the job was stored before the gate opened, and lives until the caller has seen us leave.
                let job = unsafe { &*self.job.load(Ordering::Relaxed) };
                // SAFETY: so does the task, and the seat was given to this thread only.
                let work = || unsafe { (job.work)(job.task, seat) };
                if catch_unwind(AssertUnwindSafe(work)).is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
                self.leave();
            }
        }
    }

    /// Waits for another job than the last one seen, and returns its number.
    fn next(&self, seen: u32) -> u32 {
        spin_while(|| self.posted.load(Ordering::Relaxed) == seen);
        if self.posted.load(Ordering::Relaxed) == seen {
            self.asleep.fetch_add(1, Ordering::SeqCst);
            while self.posted.load(Ordering::SeqCst) == seen {
                sleep_on(&self.posted, seen);
            }
            self.asleep.fetch_sub(1, Ordering::Relaxed);
        }
        // Acquire: what was announced is seen too.
        self.posted.load(Ordering::Acquire)
    }

    /// Takes a seat, if one is left. (A worker may come in twice: nothing is left for it to do then.)
    fn enter(&self) -> Option<usize> {
        let one_more = |gate: u32| (gate & SEATS > 0).then(|| gate - SEAT + 1);
        let gate = self.gate.fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more).ok()?;
        Some(((gate & SEATS) / SEAT) as usize)
    }

    fn leave(&self) {
        if self.gate.fetch_sub(1, Ordering::Release) == AWAITED | 1 {
            wake_on(&self.gate, 1);
        }
    }
}

/// Sleeps until woken, or until the system wakes us for no reason; not at all where `word` is not `value`.
fn sleep_on(word: &AtomicU32, value: u32) {
    let (operation, forever) = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, ptr::null::<libc::timespec>());
    // SAFETY: the word lives through the call, which reads nothing else.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, forever) };
}

/// Wakes so many of those who sleep on `word`.
fn wake_on(word: &AtomicU32, count: u32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word, which is not even read, lives through the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, count) };
}

fn spin_while(condition: impl Fn() -> bool) {
    let mut start = None;
    loop {
        for _ in 0..LOOKS {
            if !condition() {
                return;
            }
            spin_loop();
        }
        if start.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return;
        }
    }
}

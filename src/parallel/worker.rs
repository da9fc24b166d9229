//! A worker: a thread, and one atomic word through which callers give it jobs and take them back.
//!
//! The word holds the state of the worker: free, asleep, ended, or the address of its job. Every change is one atomic
//! exchange. So two callers cannot give a job to the same worker, and a caller sees at once that a worker is busy.
//! There is no lock that a process could fork with. ThreadSanitizer sees all synchronization (it does not see inside
//! the standard library's locks and system calls).

use core::cell::Cell;
use core::hint::spin_loop;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::float_mode;
use super::system::{self, Affinity, Main, Thread};

/// How long a thread spins before it sleeps. That is longer than sleeping and waking takes, and longer than the k×k
/// work between two passes of most models. The thread does not yield while it spins: workers that yielded sometimes
/// stayed on the caller's processor while another processor was idle.
const PATIENCE: Duration = Duration::from_micros(50);
/// Number of checks of the condition between two checks of the clock.
const LOOKS: u32 = 32;

/// The word of a worker without a job: it spins (`FREE`), sleeps (`ASLEEP`), or has to end (`ENDED`).
const FREE: *mut Job = ptr::null_mut();
const ASLEEP: *mut Job = ptr::without_provenance_mut(1);
const ENDED: *mut Job = ptr::without_provenance_mut(2);

/// Flags in the address of a job: the worker has begun (`BEGUN`), and the caller sleeps until it is done (`AWAITED`).
const BEGUN: usize = 1;
const AWAITED: usize = 2;

/// A job for workers, on the stack of the caller.
#[repr(align(8))]
pub(super) struct Job {
    /// The function to run. It gets `task` and the number of the thread: from 1 on; the caller is 0.
    pub work: unsafe fn(*const (), usize),
    pub task: *const (),
    /// The processors that the caller may use. Workers use them while they have the job. `None` if the system does not
    /// tell.
    pub affinity: Option<Affinity>,
    /// Number of workers that have begun.
    pub begun: AtomicUsize,
    pub panicked: AtomicBool,
}

/// A worker. It has its own cache lines (two, which processors fetch together), since its thread polls the word.
#[repr(align(128))]
pub(super) struct Worker {
    word: AtomicPtr<Job>,
    /// The next worker in the list. Changed only under the lock of the pool.
    pub next: AtomicPtr<Worker>,
    /// Set before the worker is in the list, taken when the thread is joined.
    thread: Cell<Option<Thread>>,
}

// SAFETY: fields that several threads use are atomic. Only the threads that start and end the worker use `thread`, one
// after the other.
unsafe impl Sync for Worker {}

impl Main for Worker {
    fn main(&self) {
        float_mode::set_default_mode();
        self.serve();
    }
}

impl Worker {
    pub fn new() -> Self {
        Self { word: AtomicPtr::new(FREE), next: AtomicPtr::new(ptr::null_mut()), thread: Cell::new(None) }
    }

    /// Starts the thread. Returns false if the system gives no thread.
    ///
    /// # Safety
    /// `worker` lives, at this address, until [`Worker::end`] has returned.
    pub unsafe fn start(worker: *const Self) -> bool {
        // SAFETY: by this function's contract.
        let thread = unsafe { Thread::start(worker) };
        let started = thread.is_some();
        // SAFETY: the worker lives, and no other thread uses this field now.
        unsafe { (*worker).thread.set(thread) };
        started
    }

    /// Ends the thread and waits for its end. The worker has no job, and gets none later.
    pub fn end(&self) {
        if self.word.swap(ENDED, Ordering::Release) == ASLEEP {
            system::wake_all(self.address());
        }
        if let Some(thread) = self.thread.take() {
            thread.join();
        }
    }

    /// Returns the address of the low 32 bits of the word, on which the system sleeps.
    fn address(&self) -> *const u32 {
        let words = size_of::<usize>() / size_of::<u32>();
        self.word.as_ptr().cast::<u32>().wrapping_add(if cfg!(target_endian = "big") { words - 1 } else { 0 })
    }

    // ---- called by the callers ----

    /// Gives `job` to the worker if it is free, and returns whether it was. The job and its task have to live until
    /// `take_back` and `wait_for` have returned.
    pub fn give(&self, job: &Job) -> bool {
        let job = ptr::from_ref(job).cast_mut();
        let mut word = self.word.load(Ordering::Relaxed);
        while word == FREE || word == ASLEEP {
            // Release: the worker sees the job, and everything that the caller did before.
            match self.word.compare_exchange(word, job, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => {
                    if word == ASLEEP {
                        system::wake_all(self.address());
                    }
                    return true;
                }
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes `job` back if the worker has not begun it.
    pub fn take_back(&self, job: &Job) {
        let job = ptr::from_ref(job).cast_mut();
        let _ = self.word.compare_exchange(job, FREE, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Waits until the worker does not work on `job`. `take_back` was called before.
    pub fn wait_for(&self, job: &Job) {
        let begun = ptr::from_ref(job).cast_mut().map_addr(|address| address | BEGUN);
        let awaited = begun.map_addr(|address| address | AWAITED);
        spin_while(|| self.word.load(Ordering::Relaxed) == begun);
        // Acquire: the caller sees everything that the worker did. (Also if the worker has another job by now: the word
        // changes only by exchanges, which continue the release sequence.)
        while self.word.load(Ordering::Acquire) == begun {
            if self.word.compare_exchange(begun, awaited, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                while self.word.load(Ordering::Acquire) == awaited {
                    system::sleep_on(self.address(), low_bits(awaited));
                }
            }
        }
    }

    // ---- called by the thread ----

    /// Runs jobs until the worker has to end.
    fn serve(&self) {
        super::ON_WORKER.set(true);
        let mut affinity = Affinity::current();
        while let Some(job) = self.next_job() {
            // SAFETY: the job lives until the caller sees that the word changed, which is the last action of this loop.
            let job = unsafe { &*job };
            if affinity != job.affinity
                && let Some(wanted) = &job.affinity
            {
                wanted.take_on();
                affinity = Some(*wanted);
            }
            let number = 1 + job.begun.fetch_add(1, Ordering::Relaxed);
            // SAFETY: the task lives as long as the job, and only this thread has this number.
            let work = || unsafe { (job.work)(job.task, number) };
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                job.panicked.store(true, Ordering::Relaxed);
            }
            // Release: the caller, which reads the word, sees the work. From here on the job may be freed.
            if self.word.swap(FREE, Ordering::Release).addr() & AWAITED != 0 {
                system::wake_all(self.address());
            }
        }
    }

    /// Waits for a job and begins it. Returns `None` if the worker has to end.
    fn next_job(&self) -> Option<*const Job> {
        loop {
            spin_while(|| self.word.load(Ordering::Relaxed) == FREE);
            let word = self.word.load(Ordering::Relaxed);
            if word == FREE {
                if self.word.compare_exchange(FREE, ASLEEP, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                    while self.word.load(Ordering::Relaxed) == ASLEEP {
                        system::sleep_on(self.address(), low_bits(ASLEEP));
                    }
                }
            } else if word == ENDED {
                return None;
            } else {
                let begun = word.map_addr(|address| address | BEGUN);
                // Acquire: the thread sees the job and everything that the caller did before. The exchange fails if the
                // caller took the job back.
                if self.word.compare_exchange(word, begun, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    return Some(word);
                }
            }
        }
    }
}

/// Returns the low 32 bits of `word`.
fn low_bits(word: *mut Job) -> u32 {
    word.addr() as u32
}

/// Spins while `condition` holds, at most for `PATIENCE`.
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

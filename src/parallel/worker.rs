//! A worker, and the one word through which callers give it jobs and take them back.
//!
//! The word says what the worker does: it is free, it sleeps, it has ended, or it has a job, whose address the word then
//! holds. Every change is one atomic exchange. So two callers cannot give a job to the same worker, a caller that finds
//! a worker busy knows at once, and there is no lock: none that a process could fork with. ThreadSanitizer sees every
//! order between threads (it sees neither into the standard library's locks nor into system calls).

use core::cell::Cell;
use core::hint::spin_loop;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::float_mode;
use super::system::{self, Affinity, Main, Thread};

/// How long a thread waits awake before it sleeps: longer than falling asleep and being woken takes, and than the k×k
/// work between two passes of most models. It does not yield meanwhile: workers that did were at times left on the
/// processor of the caller, with another one idle.
const PATIENCE: Duration = Duration::from_micros(50);
/// Looks between two looks at the clock.
const LOOKS: u32 = 32;

/// A worker's word without a job: it waits awake; it sleeps; it has to end.
const FREE: *mut Job = ptr::null_mut();
const ASLEEP: *mut Job = ptr::without_provenance_mut(1);
const ENDED: *mut Job = ptr::without_provenance_mut(2);

/// With a job: flags in the address of the job. The worker has begun; the caller sleeps until the worker is done.
const BEGUN: usize = 1;
const AWAITED: usize = 2;

/// What a caller lets workers do, on the stack of the caller.
#[repr(align(8))]
pub(super) struct Job {
    /// Is given `task` and the number of the thread that takes part: from 1, the caller is 0.
    pub work: unsafe fn(*const (), usize),
    pub task: *const (),
    /// Where the caller may run, and the workers while they have this job; `None` where the system does not tell.
    pub affinity: Option<Affinity>,
    /// Workers that have begun.
    pub begun: AtomicUsize,
    pub panicked: AtomicBool,
}

/// On cache lines of its own (two, which processors fetch together), since its thread looks at the word all the time.
#[repr(align(128))]
pub(super) struct Worker {
    word: AtomicPtr<Job>,
    /// The worker that was added after this one; changed only under the lock of the pool.
    pub next: AtomicPtr<Worker>,
    /// Set before anybody but the thread itself knows of the worker, and taken when it is joined.
    thread: Cell<Option<Thread>>,
}

// SAFETY: all that several threads use is atomic. `thread` is used only by who starts and who ends the worker, one
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

    /// Starts the thread. Returns false if the system has none.
    ///
    /// # Safety
    /// `worker` lives, at this address, until [`Worker::end`] has returned.
    pub unsafe fn start(worker: *const Self) -> bool {
        // SAFETY: by this function's contract.
        let thread = unsafe { Thread::start(worker) };
        let started = thread.is_some();
        // SAFETY: the worker lives, and nobody else uses this field now.
        unsafe { (*worker).thread.set(thread) };
        started
    }

    /// Ends the thread and waits until it is gone. No job is given to the worker, now or later.
    pub fn end(&self) {
        if self.word.swap(ENDED, Ordering::Release) == ASLEEP {
            system::wake_all(self.address());
        }
        if let Some(thread) = self.thread.take() {
            thread.join();
        }
    }

    /// Where the part of the word lies that tells its values apart, for the system, which looks at 32 bits.
    fn address(&self) -> *const u32 {
        let words = size_of::<usize>() / size_of::<u32>();
        self.word.as_ptr().cast::<u32>().wrapping_add(if cfg!(target_endian = "big") { words - 1 } else { 0 })
    }

    // ---- the callers ----

    /// Gives `job` to the worker if it is free. The job, and what it points at, has to live until it is taken back and
    /// waited for.
    pub fn give(&self, job: &Job) -> bool {
        let job = ptr::from_ref(job).cast_mut();
        let mut word = self.word.load(Ordering::Relaxed);
        while word == FREE || word == ASLEEP {
            // Release: who begins finds the job, and all that was done before.
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

    /// Takes `job` back if the worker has it and has not begun: it need not any more.
    pub fn take_back(&self, job: &Job) {
        let job = ptr::from_ref(job).cast_mut();
        let _ = self.word.compare_exchange(job, FREE, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Waits until the worker does not work on `job`, which was taken back.
    pub fn wait_for(&self, job: &Job) {
        let begun = ptr::from_ref(job).cast_mut().map_addr(|address| address | BEGUN);
        let awaited = begun.map_addr(|address| address | AWAITED);
        spin_while(|| self.word.load(Ordering::Relaxed) == begun);
        // Acquire: what the worker did comes before what the caller does now. (If the worker has another job by now,
        // too: the word has only been exchanged since, never just written.)
        while self.word.load(Ordering::Acquire) == begun {
            if self.word.compare_exchange(begun, awaited, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                while self.word.load(Ordering::Acquire) == awaited {
                    system::sleep_on(self.address(), low_bits(awaited));
                }
            }
        }
    }

    // ---- the thread ----

    /// The life of a worker.
    fn serve(&self) {
        super::ON_WORKER.set(true);
        let mut affinity = Affinity::current();
        while let Some(job) = self.next_job() {
            // SAFETY: the job lives until the caller has seen that the word changed, which is the last we do.
            let job = unsafe { &*job };
            if affinity != job.affinity
                && let Some(wanted) = &job.affinity
            {
                wanted.take_on();
                affinity = Some(*wanted);
            }
            let number = 1 + job.begun.fetch_add(1, Ordering::Relaxed);
            // SAFETY: so does the task, and the number was given to this thread only.
            let work = || unsafe { (job.work)(job.task, number) };
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                job.panicked.store(true, Ordering::Relaxed);
            }
            // Release: what was done is seen by the caller, who looks at the word. From here on the job may be gone.
            if self.word.swap(FREE, Ordering::Release).addr() & AWAITED != 0 {
                system::wake_all(self.address());
            }
        }
    }

    /// Waits for a job and begins it; `None` when the worker has to end.
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
                // Acquire: the job, and all that the caller did before. It fails where the caller took the job back.
                if self.word.compare_exchange(word, begun, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    return Some(word);
                }
            }
        }
    }
}

/// What [`Worker::address`] holds while the word is `word`.
fn low_bits(word: *mut Job) -> u32 {
    word.addr() as u32
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

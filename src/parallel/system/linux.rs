//! Linux: futexes, with which threads sleep and wake, processor affinity, and quotas of processor time.
//!
//! Why futexes instead of the mutex and condition variable of `locked.rs`: a forked child could find the mutex taken,
//! and ThreadSanitizer does not see inside it.

use core::ffi::c_int;
use core::num::NonZeroUsize;
use core::ptr;

use once_cell::race::OnceNonZeroUsize;

use super::process;
use crate::memory::try_vec;

/// Returns the number of the calling thread: from 1 on, below 2³⁰.
pub fn thread() -> u32 {
    // SAFETY: always succeeds, no preconditions.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// Whether a thread of this process has this number. The parent's threads are not threads of a forked child.
pub fn is_alive(thread: u32) -> bool {
    // SAFETY: signal 0 sends nothing; the system only looks up the thread.
    let rc = unsafe { libc::syscall(libc::SYS_tgkill, process(), thread, 0) };
    rc == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// Sleeps until `wake_all`, or until the system wakes the thread without reason. Returns at once if `word` does not
/// hold `value`.
pub fn sleep_on(word: *const u32, value: u32) {
    let (operation, forever) = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, ptr::null::<libc::timespec>());
    // SAFETY: the system only reads the word, and fails if it cannot.
    unsafe { libc::syscall(libc::SYS_futex, word, operation, value, forever) };
}

/// Wakes all threads that sleep on `word`.
pub fn wake_all(word: *const u32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the system does not access the word.
    unsafe { libc::syscall(libc::SYS_futex, word, operation, i32::MAX) };
}

/// The processors that a thread may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Affinity([u64; 128]); // 8,192 bits, the most processors that Linux supports; `cpu_set_t` ends at 1,024

impl Affinity {
    /// Returns the affinity of the calling thread; `None` if the system does not tell it.
    pub fn current() -> Option<Self> {
        Self::of(0)
    }

    fn of(thread: libc::pid_t) -> Option<Self> {
        let mut mask = [0_u64; 128];
        // SAFETY: the mask has the size that is passed, and the alignment of `cpu_set_t`, an array of words.
        let rc = unsafe { libc::sched_getaffinity(thread, size_of_val(&mask), mask.as_mut_ptr().cast()) };
        (rc == 0).then_some(Self(mask))
    }

    /// Returns the number of processors, at most `limit`.
    pub fn processors(&self, limit: usize) -> usize {
        let mut count = 0;
        for word in self.0 {
            count += word.count_ones() as usize;
            if count >= limit {
                return limit;
            }
        }
        count
    }

    /// Moves the calling thread to these processors. If the system refuses, the thread keeps its own.
    pub fn take_on(&self) {
        // SAFETY: as in `of`; the mask is only read.
        unsafe { libc::sched_setaffinity(0, size_of_val(&self.0), self.0.as_ptr().cast()) };
    }
}

#[cfg(test)]
impl Affinity {
    /// Returns the first of these processors alone.
    pub fn first(&self) -> Self {
        let mut first = [0; 128];
        let word = self.0.iter().position(|&word| word != 0).unwrap();
        first[word] = 1 << self.0[word].trailing_zeros();
        Self(first)
    }
}

/// Returns the number of threads, the calling thread included, for a handle that wants `wanted`; 0 means one for each
/// processor. At most the number of processors of the process.
///
/// The thread that creates a handle may have fewer processors than the thread that uses it. So the processors of this
/// thread and of the first thread of the process count.
pub fn usable_threads(wanted: usize) -> usize {
    let own = Affinity::current();
    let first = Affinity::of(process().cast_signed());
    let all = match (&own, &first) {
        (Some(own), Some(first)) => Some(Affinity(core::array::from_fn(|word| own.0[word] | first.0[word]))),
        _ => own.or(first),
    };
    let count = |affinity: &Option<Affinity>| affinity.map_or(usize::MAX, |affinity| affinity.processors(usize::MAX));
    let processors = match wanted {
        1 => 1,
        0 => {
            let told = share_of_processors(count(&own), own == all).min(count(&all));
            if told == usize::MAX { 1 } else { told }
        }
        _ => count(&all).min(wanted),
    };
    processors.max(1)
}

/// Returns the number of processors that the quota of the control group allows, from the standard library. `usize::MAX`
/// if that is not below `own`, the number of processors of the calling thread, or if asking is not safe. The answer is
/// stored, since asking reads files; but only if `usual`: other threads would get the same answer.
fn share_of_processors(own: usize, usual: bool) -> usize {
    static SHARE: OnceNonZeroUsize = OnceNonZeroUsize::new();
    if let Some(known) = SHARE.get() {
        return known.get();
    }
    if files_may_be_forbidden() || !some_memory_is_left() {
        return usize::MAX;
    }
    let told = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MAX);
    let share = if told.get() < own { told } else { NonZeroUsize::MAX };
    if usual {
        let _ = SHARE.set(share);
    }
    share.get()
}

/// Whether opening a file may end the process: a seccomp filter with `no_new_privs` is in force, as programs put on
/// themselves. (A filter without `no_new_privs`, as containers use, allows files: without files the program could not
/// have started.)
fn files_may_be_forbidden() -> bool {
    const FILTER: c_int = 2;
    // SAFETY: both calls only read settings.
    unsafe { libc::prctl(libc::PR_GET_SECCOMP) == FILTER && libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 }
}

/// Whether there is enough memory for the standard library to read those files. It aborts the process if there is not.
fn some_memory_is_left() -> bool {
    core::hint::black_box(try_vec::<u8>(64 << 10, "the number of processors")).is_ok()
}

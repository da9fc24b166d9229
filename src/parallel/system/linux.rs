//! What only Linux has: futexes, by which threads sleep and are woken, affinity, and quotas of processor time.
//!
//! Why futexes and not the lock and condition of `locked.rs`: a forked child could find that lock taken, and
//! ThreadSanitizer does not see into it.

use core::ffi::c_int;
use core::num::NonZeroUsize;
use core::ptr;

use once_cell::race::OnceNonZeroUsize;

use super::process;
use crate::memory::try_vec;

/// The number of the calling thread: from 1 on, and below 2³⁰.
pub fn thread() -> u32 {
    // SAFETY: always succeeds, no preconditions.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// Whether a thread of this process has that number. In a child after `fork`, no thread of the parent has.
pub fn is_alive(thread: u32) -> bool {
    // SAFETY: signal 0 is only looked up, not sent.
    let rc = unsafe { libc::syscall(libc::SYS_tgkill, process(), thread, 0) };
    rc == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// Sleeps until woken, or until the system wakes us for no reason; not at all where `word` does not hold `value`.
pub fn sleep_on(word: *const u32, value: u32) {
    let (operation, forever) = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, ptr::null::<libc::timespec>());
    // SAFETY: the system reads the word, if it can, and nothing else.
    unsafe { libc::syscall(libc::SYS_futex, word, operation, value, forever) };
}

/// Wakes all who sleep on `word`.
pub fn wake_all(word: *const u32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word is not even read.
    unsafe { libc::syscall(libc::SYS_futex, word, operation, i32::MAX) };
}

/// Processors that a thread may run on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Affinity([u64; 128]); // of 8,192, the most that Linux can have; `cpu_set_t` ends at 1,024

impl Affinity {
    /// That of the calling thread; `None` where the system does not tell.
    pub fn current() -> Option<Self> {
        Self::of(0)
    }

    fn of(thread: libc::pid_t) -> Option<Self> {
        let mut mask = [0_u64; 128];
        // SAFETY: the mask is as large as we say, and aligned as `cpu_set_t`, an array of words, is.
        let rc = unsafe { libc::sched_getaffinity(thread, size_of_val(&mask), mask.as_mut_ptr().cast()) };
        (rc == 0).then_some(Self(mask))
    }

    /// How many there are, if not more than `limit`.
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

    /// Has the calling thread run there. Where that is refused it stays where it is.
    pub fn take_on(&self) {
        // SAFETY: as in `of`; the mask is only read.
        unsafe { libc::sched_setaffinity(0, size_of_val(&self.0), self.0.as_ptr().cast()) };
    }
}

#[cfg(test)]
impl Affinity {
    /// The first of these processors alone.
    pub fn first(&self) -> Self {
        let mut first = [0; 128];
        let word = self.0.iter().position(|&word| word != 0).unwrap();
        first[word] = 1 << self.0[word].trailing_zeros();
        Self(first)
    }
}

/// Threads, the calling one included, for a handle that wants `wanted`; 0: as many as can run at once. Never more than
/// the process has processors.
///
/// It may be a thread of few processors that makes a handle for one of many, so what counts is where this thread or the
/// first of the process may run.
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

/// Processors' worth of time that the process may take by the standard library's account, which knows control groups;
/// `usize::MAX` where there is no such limit below `own`, the processors of the calling thread, or none may be asked
/// for. Asked once: it reads files. `usual`: whether other threads would be told the same.
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

/// Whether opening a file may end the process: a seccomp filter is in force that binds what the process may ever
/// become, as programs put on themselves. (Filters without that, as those of containers, let a program open files, else
/// it could not have been started.)
fn files_may_be_forbidden() -> bool {
    const FILTER: c_int = 2;
    // SAFETY: both only ask.
    unsafe { libc::prctl(libc::PR_GET_SECCOMP) == FILTER && libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 }
}

/// Whether there is as much memory as the standard library allocates to read those files, without an answer for the
/// case that there is none: it would end the process.
fn some_memory_is_left() -> bool {
    core::hint::black_box(try_vec::<u8>(64 << 10, "the number of processors")).is_ok()
}

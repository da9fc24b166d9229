//! The operating system's interface for threads. The rest of the library calls the system only through this module and
//! `memory/pages.rs`.
//!
//! | | Linux | other Unix | Windows | no threads (wasm) |
//! | --- | --- | --- | --- | --- |
//! | `process`, `Thread`, `Cancellation` | `posix.rs` | `posix.rs` | `windows.rs` | `alone.rs` |
//! | `sleep_on`, `wake_all` | `linux.rs` | `locked.rs` | `windows.rs` | `alone.rs` |
//! | `Affinity`, `usable_threads`, `thread`, `is_alive` | `linux.rs` | `anywhere.rs` | `anywhere.rs` | `anywhere.rs` |
//!
//! - `process()` returns the number of this process. A forked child has another number.
//! - `sleep_on(word, value)` sleeps until `wake_all(word)`, or until the system wakes the thread without reason. It
//!   returns at once if `word` does not hold `value`.
//! - `Thread::start(of)` starts a thread that runs `of.main()`; `None` if the system gives no thread. `join` waits for
//!   its end.
//! - `Affinity` holds the processors that a thread may use. `current()` is `None` if the system does not tell.
//! - `usable_threads(wanted)` returns the number of threads, the calling thread included, for a handle that wants
//!   `wanted`.
//! - `thread()` returns the number of the calling thread, from 1 on, below 2³⁰. `is_alive(number)` tells whether a
//!   thread of this process has the number; it is always true on systems that are not asked.
//! - `Cancellation::hold_off()` prevents cancellation of the calling thread until `restore()`.

/// The main function of a new thread.
pub(super) trait Main: Sync {
    fn main(&self);
}

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{Affinity, is_alive, sleep_on, thread, usable_threads, wake_all};

#[cfg(not(target_os = "linux"))]
mod anywhere;
#[cfg(not(target_os = "linux"))]
pub(crate) use anywhere::{Affinity, is_alive, thread, usable_threads};

#[cfg(unix)]
mod posix;
#[cfg(unix)]
pub(super) use posix::{Cancellation, Thread, process};

#[cfg(all(unix, not(target_os = "linux")))]
mod locked;
#[cfg(all(unix, not(target_os = "linux")))]
pub(super) use locked::{sleep_on, wake_all};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{Cancellation, Thread, process, sleep_on, wake_all};

#[cfg(not(any(unix, windows)))]
mod alone;
#[cfg(not(any(unix, windows)))]
pub(super) use alone::{Cancellation, Thread, process, sleep_on, wake_all};

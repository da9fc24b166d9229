//! What threads ask of the system. Other code of the library asks the system through this interface and `memory/pages.rs`
//! only.
//!
//! | | Linux | other Unix | Windows | no threads (wasm) |
//! | --- | --- | --- | --- | --- |
//! | `process`, `Thread`, `Cancellation` | `posix.rs` | `posix.rs` | `windows.rs` | `alone.rs` |
//! | `sleep_on`, `wake_all` | `linux.rs` | `locked.rs` | `windows.rs` | `alone.rs` |
//! | `Affinity`, `usable_threads`, `thread`, `is_alive` | `linux.rs` | `anywhere.rs` | `anywhere.rs` | `anywhere.rs` |
//!
//! - `process()`: the number of this process. A forked child has another one.
//! - `sleep_on(word, value)`: sleeps until woken, or for no reason; returns at once if `word` does not hold `value`.
//!   `wake_all(word)`: wakes all threads that sleep on `word`.
//! - `Thread::start(of)`: a new thread that runs `of.main()`; `None` if the system has none. `join` waits for its end.
//! - `Affinity`: the processors that a thread may run on; `current()` is `None` where the system does not tell.
//! - `usable_threads(wanted)`: threads, the calling one included, for a handle that wants `wanted`.
//! - `thread()`: the number of the calling thread, from 1 on and below 2³⁰. `is_alive(number)`: whether a thread of this
//!   process has it; true where the system is not asked.
//! - `Cancellation::hold_off()`: the calling thread is not cancelled until `restore()`.

/// What a new thread runs.
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

//! Panics inside the library: their output and their message.
//!
//! A panic of the library is a defect. `guard` catches it and returns a status. Before that, the standard library calls
//! the panic hook, and the default hook prints to stderr. A library should print nothing, and should not replace the
//! hook of a Rust program. So there are two builds:
//!
//! - *The C library* (feature `capi`: make, CMake and cargo-c build it). It contains its own copy of Rust's standard
//!   library, which no other code uses, and so its own hook. The first call sets a hook that prints nothing for panics
//!   inside the library. Other panics go to the hook that was there before.
//! - *The Rust crate* (without the feature). It shares the standard library and the hook with the program. The
//!   program's hook stays, and handles a defect as any other panic.

use core::any::Any;
use core::cell::Cell;

use super::message::remember;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Whether the hook has stored the message, which then names the place of the panic.
    static KEPT: Cell<bool> = const { Cell::new(false) };
}

/// Runs a call of the interface. Until it returns, panics of this thread count as panics of the library.
pub(super) fn inside<R>(call: impl FnOnce() -> R) -> R {
    /// Restores the flag after a panic too.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            INSIDE.set(self.0);
        }
    }
    let _restore = Restore(INSIDE.replace(true));
    call()
}

/// Whether a panic on this thread, at this moment, is a panic of the library.
#[cfg(any(test, feature = "capi"))]
fn is_ours() -> bool {
    INSIDE.get() || crate::parallel::on_worker()
}

/// Stores the text of a caught panic as the thread's message, unless the hook has stored it, and drops the payload.
pub(super) fn keep_message(payload: Box<dyn Any + Send>) {
    if !KEPT.replace(false) {
        remember(&format_args!("internal error: {}", text_of(&*payload)));
    }
    // Dropping the payload may panic. The payload of that panic is leaked.
    let dropped = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| drop(payload)));
    let _ = dropped.map_err(core::mem::forget);
    KEPT.set(false);
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}

/// Sets the silent hook, once in a process; see the top of this file.
#[cfg(feature = "capi")]
pub(super) fn silence() {
    use core::sync::atomic::{AtomicBool, Ordering};
    use std::panic::{PanicHookInfo, set_hook, take_hook};
    use std::sync::OnceLock;

    type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send>;
    static BEFORE: OnceLock<Hook> = OnceLock::new();
    // Not `Once`: a process that forks while another thread is inside `Once` would leave the child waiting.
    static SET: AtomicBool = AtomicBool::new(false);

    if !SET.load(Ordering::Relaxed) && !SET.swap(true, Ordering::Relaxed) {
        let _ = BEFORE.set(take_hook());
        // The closure captures nothing, so boxing it allocates nothing.
        set_hook(Box::new(|panic| {
            if INSIDE.get() {
                remember(&format_args!("internal error: {panic}"));
                KEPT.set(true);
            }
            if is_ours() {
                return;
            }
            if let Some(before) = BEFORE.get() {
                before(panic);
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capi::message::message;

    #[test]
    fn panics_inside_a_call_count_as_the_librarys() {
        assert!(!is_ours());
        assert!(inside(|| inside(is_ours) && is_ours()));
        assert!(!is_ours());
        let panicked = std::panic::catch_unwind(|| inside(|| panic!("injected")));
        assert!(panicked.is_err() && !is_ours(), "the thread is outside again");
    }

    #[test]
    fn keep_message_stores_the_text_of_a_panic() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        keep_message(Box::new("static"));
        assert_eq!(message(), "internal error: static");
        keep_message(Box::new(String::from("made")));
        assert_eq!(message(), "internal error: made");
        keep_message(Box::new(Bomb));
        assert_eq!(message(), "internal error: a panic without a message");
    }
}

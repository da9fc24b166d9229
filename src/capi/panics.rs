//! What a panic inside the library prints.
//!
//! A panic of the library is a defect. `guard` catches it and makes it a status. Before that, the standard library calls
//! the panic hook, and the default hook prints to stderr. A library prints nothing, but it does not replace the hook of
//! a program either. So there are two builds:
//!
//! - *The C library* (feature `capi`: what make, CMake and cargo-c build). The shared library has a copy of Rust's
//!   standard library of its own, which no other code reaches, and so a hook of its own. The first call sets one that is
//!   silent for panics inside the library. Any other panic goes to the hook that was there before.
//! - *The Rust crate* (without the feature). It shares the standard library, and the hook, with the program. The hook
//!   stays the program's; it hears of a defect as it hears of any panic.

use core::any::Any;
use core::cell::Cell;

use super::message::remember;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Whether the hook has kept the message, with the place of the panic in it.
    static KEPT: Cell<bool> = const { Cell::new(false) };
}

/// Runs a call of the interface; panics of this thread belong to the library meanwhile.
pub(super) fn inside<R>(call: impl FnOnce() -> R) -> R {
    /// Also where the call breaks off.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            INSIDE.set(self.0);
        }
    }
    let _restore = Restore(INSIDE.replace(true));
    call()
}

/// Whether a panic on this thread, at this moment, is one of the library.
#[cfg(any(test, feature = "capi"))]
fn is_ours() -> bool {
    INSIDE.get() || crate::parallel::on_worker()
}

/// Makes what a caught panic carries the thread's message, unless the hook has, and drops it.
pub(super) fn keep_message(payload: Box<dyn Any + Send>) {
    if !KEPT.replace(false) {
        remember(&format_args!("internal error: {}", text_of(&*payload)));
    }
    // What is carried may panic where it is dropped. What that panic carries is lost.
    let dropped = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| drop(payload)));
    let _ = dropped.map_err(core::mem::forget);
    KEPT.set(false);
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}

/// Sets the silent hook, once in a process. See the head of this file.
#[cfg(feature = "capi")]
pub(super) fn silence() {
    use core::sync::atomic::{AtomicBool, Ordering};
    use std::panic::{PanicHookInfo, set_hook, take_hook};
    use std::sync::OnceLock;

    type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send>;
    static BEFORE: OnceLock<Hook> = OnceLock::new();
    // No `Once`: a process that forks while another thread is in it would leave the child waiting.
    static SET: AtomicBool = AtomicBool::new(false);

    if !SET.load(Ordering::Relaxed) && !SET.swap(true, Ordering::Relaxed) {
        let _ = BEFORE.set(take_hook());
        // The closure captures nothing, and is boxed without an allocation.
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
    fn panics_inside_a_call_are_the_librarys() {
        assert!(!is_ours());
        assert!(inside(|| inside(is_ours) && is_ours()));
        assert!(!is_ours());
        let panicked = std::panic::catch_unwind(|| inside(|| panic!("injected")));
        assert!(panicked.is_err() && !is_ours(), "the thread is outside again");
    }

    #[test]
    fn what_a_panic_says_is_kept() {
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

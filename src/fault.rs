//! Injected defects for tests. The code calls [`point`] where a panic would leave something half done. A test makes the
//! n-th call panic. Outside tests a point compiles to nothing.

/// A place at which a test may inject a panic.
#[inline(always)]
pub(crate) fn point() {
    #[cfg(test)]
    armed::reached();
}

#[cfg(test)]
pub(crate) use armed::{disarm, panic_at};

#[cfg(test)]
mod armed {
    use core::sync::atomic::{AtomicI64, Ordering};

    /// Number of points to pass before the one that panics; `i64::MAX` if none panics.
    static LEFT: AtomicI64 = AtomicI64::new(i64::MAX);

    pub(super) fn reached() {
        // While no panic is armed, threads only read the counter.
        if LEFT.load(Ordering::Relaxed) != i64::MAX && LEFT.fetch_sub(1, Ordering::Relaxed) == 0 {
            panic!("an injected defect");
        }
    }

    /// Makes the point after the next `passed` points panic, on any thread of the process.
    pub(crate) fn panic_at(passed: u32) {
        LEFT.store(passed.into(), Ordering::Relaxed);
    }

    /// Makes no point panic any more. Returns whether one panicked.
    pub(crate) fn disarm() -> bool {
        LEFT.swap(i64::MAX, Ordering::Relaxed) < 0
    }
}

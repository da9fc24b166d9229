//! Defects for tests. The code has points, each in the middle of something that a panic would leave half done; a test
//! has the n-th that is reached panic. Without a test a point is nothing.

/// A point at which a test may have a defect.
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

    /// Points that are still passed before the one that panics.
    static LEFT: AtomicI64 = AtomicI64::new(i64::MAX);

    pub(super) fn reached() {
        // As long as nobody has armed it, nothing is written that threads would share.
        if LEFT.load(Ordering::Relaxed) != i64::MAX && LEFT.fetch_sub(1, Ordering::Relaxed) == 0 {
            panic!("an injected defect");
        }
    }

    /// Has the point after the next `passed` ones panic, on whichever thread of the process reaches it.
    pub(crate) fn panic_at(passed: u32) {
        LEFT.store(passed.into(), Ordering::Relaxed);
    }

    /// Has none panic. Returns whether one did.
    pub(crate) fn disarm() -> bool {
        LEFT.swap(i64::MAX, Ordering::Relaxed) < 0
    }
}

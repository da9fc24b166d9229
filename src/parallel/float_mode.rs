//! Setting the default floating-point mode during a call, and restoring the thread's mode after it.
//!
//! A program may flush subnormal numbers to zero, round upwards, or let exceptions raise signals. Libraries built with
//! fast-math set the first on load. The library computes in the default mode, so the bits of a result depend neither on
//! the mode nor on the number of threads, and no exception ends the program. The sticky exception flags are restored
//! too: a call sets none and clears none.

/// Runs `call` in the default mode, then restores the mode of the calling thread. `call` must not unwind.
///
/// `call` runs in a separate function, so that the compiler moves no arithmetic across the switch.
#[inline(always)]
pub(crate) fn in_default_mode<R>(call: impl FnOnce() -> R) -> R {
    let mode = Mode::current();
    Mode::DEFAULT.set();
    let result = out_of_line(call);
    mode.set();
    result
}

/// Sets the default mode for the rest of the calling thread. A new worker needs it, since it inherits a mode.
pub(super) fn set_default_mode() {
    Mode::DEFAULT.set();
}

/// Calls `call`. `extern "C"`: nothing unwinds out of this function, and callers rely on that
/// ([`super::cancellation`]).
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "no other language calls it")]
extern "C" fn out_of_line<R, F: FnOnce() -> R>(call: F) -> R {
    call()
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[derive(Clone, Copy)]
struct Mode {
    /// Control and flags of the SSE and AVX units. The library does not use the x87 unit, which has its own.
    mxcsr: u32,
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
impl Mode {
    /// All exceptions masked, rounding to nearest, no flushing of subnormal numbers, no flag set.
    const DEFAULT: Self = Self { mxcsr: 0x1f80 };

    fn current() -> Self {
        let mut mxcsr = 0_u32;
        // SAFETY: stores four bytes to `mxcsr`.
        unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
        Self { mxcsr }
    }

    fn set(self) {
        // SAFETY: reads four bytes from `self.mxcsr`. The value is the default or came from the register, so no
        // reserved bit is set. Rust code runs in the default mode: another mode is set only after it is done.
        unsafe { core::arch::asm!("ldmxcsr [{}]", in(reg) &raw const self.mxcsr, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy)]
struct Mode {
    control: u64,
    flags: u64,
}

#[cfg(target_arch = "aarch64")]
impl Mode {
    /// No exception trapped, rounding to nearest, no flushing of subnormal numbers, no flag set.
    const DEFAULT: Self = Self { control: 0, flags: 0 };

    fn current() -> Self {
        let (control, flags);
        // SAFETY: reads two registers that every process may read.
        unsafe {
            core::arch::asm!("mrs {}, fpcr", "mrs {}, fpsr", out(reg) control, out(reg) flags, options(nostack));
        }
        Self { control, flags }
    }

    fn set(self) {
        // SAFETY: writes two registers that every process may write, with zeros or values that came from them. Rust
        // code runs in the default mode: another mode is set only after it is done.
        unsafe {
            core::arch::asm!("msr fpcr, {}", "msr fpsr, {}", in(reg) self.control, in(reg) self.flags, options(nostack));
        }
    }
}

/// On other processors the mode is not changed.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
#[derive(Clone, Copy)]
struct Mode;

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
impl Mode {
    const DEFAULT: Self = Self;

    fn current() -> Self {
        Self
    }

    fn set(self) {}
}

//! The floating-point mode of the calling thread, set aside during a call.
//!
//! A program may flush subnormal numbers to zero, round upwards, or have exceptions raise signals; libraries built with
//! fast-math set the first on load. Inside the library the mode is the default one, so that the bits of a result depend
//! on neither the mode nor the number of threads, and no exception ends the program. Sticky exception flags are part of
//! what is restored: a call leaves none behind and clears none.

/// Runs `call` in the default mode and restores the mode of the calling thread afterwards. `call` must not unwind.
///
/// `call` runs in a function of its own, so that the compiler moves no arithmetic across the switch.
#[inline(always)]
pub(crate) fn in_default_mode<R>(call: impl FnOnce() -> R) -> R {
    let mode = Mode::current();
    Mode::DEFAULT.set();
    let result = out_of_line(call);
    mode.set();
    result
}

/// Puts the calling thread into the default mode for good: what a new worker does, which inherits a mode.
pub(super) fn set_default_mode() {
    Mode::DEFAULT.set();
}

/// `extern "C"`: nothing unwinds out of it, which callers rely on ([`super::cancellation`]).
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "no other language calls it")]
extern "C" fn out_of_line<R, F: FnOnce() -> R>(call: F) -> R {
    call()
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[derive(Clone, Copy)]
struct Mode {
    /// Control and flags of the SSE and AVX units. Nothing in the library uses the x87 unit, which has its own.
    mxcsr: u32,
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
impl Mode {
    /// All exceptions masked, round to nearest, subnormals as they are, no flag set.
    const DEFAULT: Self = Self { mxcsr: 0x1f80 };

    fn current() -> Self {
        let mut mxcsr = 0_u32;
        // SAFETY: stores four bytes to the place given.
        unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
        Self { mxcsr }
    }

    fn set(self) {
        // SAFETY: reads four bytes from the place given. The value is the default one or came from the register, so
        // that no reserved bit is set. Rust code runs in the default mode: the other one is set when it is done.
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
    /// No exception trapped, round to nearest, subnormals as they are, no flag set.
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
        // SAFETY: writes two registers that every process may write, with zeros or what came from them. Rust code runs
        // in the default mode: the other one is set when it is done.
        unsafe {
            core::arch::asm!("msr fpcr, {}", "msr fpsr, {}", in(reg) self.control, in(reg) self.flags, options(nostack));
        }
    }
}

/// Other processors keep what they are in.
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

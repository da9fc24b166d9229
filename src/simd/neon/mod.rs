//! Vectors in the registers of aarch64. A register has 128 bits; four hold a vector of `f64`. Every such machine has
//! NEON with fused multiply-add, so there is nothing to detect.

mod memory;
mod quantized;
mod roots;
mod sparse;

use core::arch::aarch64::*;
use core::arch::asm;

use super::lanes::{LANES, Lanes};

/// NEON. Every aarch64 with an operating system has it.
#[derive(Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    /// # Safety
    /// None: every aarch64 has NEON. Unsafe as for the other instruction sets.
    #[inline(always)]
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }

    pub(crate) const fn is_available() -> bool {
        true
    }
}

impl Lanes for Neon {
    type F64s = [float64x2_t; 4];

    /// Four columns take sixteen of the 32 registers, and have as many independent sums as keep four units with a
    /// latency of four busy. Six columns would just fit, but the compiler then moves registers about.
    const SUMS: usize = 4;

    #[inline(always)]
    fn load_f64s(self, vector: &[f64; LANES]) -> Self::F64s {
        let start = vector.as_ptr();
        // SAFETY: every aarch64 has NEON; the loads lie inside the vector and need no alignment.
        unsafe { [vld1q_f64(start), vld1q_f64(start.add(2)), vld1q_f64(start.add(4)), vld1q_f64(start.add(6))] }
    }

    #[inline(always)]
    fn store_f64s(self, x: Self::F64s, vector: &mut [f64; LANES]) {
        let start = vector.as_mut_ptr();
        // SAFETY: every aarch64 has NEON; the stores lie inside the vector and need no alignment.
        unsafe {
            vst1q_f64(start, x[0]);
            vst1q_f64(start.add(2), x[1]);
            vst1q_f64(start.add(4), x[2]);
            vst1q_f64(start.add(6), x[3]);
        }
    }

    #[inline(always)]
    fn splat(self, value: f64) -> Self::F64s {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vdupq_n_f64(value); 4] }
    }

    #[inline(always)]
    fn add(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vaddq_f64(a[0], b[0]), vaddq_f64(a[1], b[1]), vaddq_f64(a[2], b[2]), vaddq_f64(a[3], b[3])] }
    }

    #[inline(always)]
    fn mul(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vmulq_f64(a[0], b[0]), vmulq_f64(a[1], b[1]), vmulq_f64(a[2], b[2]), vmulq_f64(a[3], b[3])] }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::F64s, b: Self::F64s, c: Self::F64s) -> Self::F64s {
        // SAFETY: every aarch64 has NEON.
        unsafe {
            [
                vfmaq_f64(c[0], a[0], b[0]),
                vfmaq_f64(c[1], a[1], b[1]),
                vfmaq_f64(c[2], a[2], b[2]),
                vfmaq_f64(c[3], a[3], b[3]),
            ]
        }
    }

    #[inline(always)]
    fn mul_sub_from(self, a: Self::F64s, b: Self::F64s, c: Self::F64s) -> Self::F64s {
        // SAFETY: every aarch64 has NEON.
        unsafe {
            [
                vfmsq_f64(c[0], a[0], b[0]),
                vfmsq_f64(c[1], a[1], b[1]),
                vfmsq_f64(c[2], a[2], b[2]),
                vfmsq_f64(c[3], a[3], b[3]),
            ]
        }
    }

    #[inline(always)]
    fn div(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vdivq_f64(a[0], b[0]), vdivq_f64(a[1], b[1]), vdivq_f64(a[2], b[2]), vdivq_f64(a[3], b[3])] }
    }

    #[inline(always)]
    fn min(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vminq_f64(a[0], b[0]), vminq_f64(a[1], b[1]), vminq_f64(a[2], b[2]), vminq_f64(a[3], b[3])] }
    }

    #[inline(always)]
    fn total(self, x: Self::F64s) -> f64 {
        // SAFETY: every aarch64 has NEON.
        unsafe { vpaddd_f64(pair(x)) }
    }

    #[inline(always)]
    fn totals(self, [a, b, c, d, e, f, g, h]: [Self::F64s; LANES]) -> Self::F64s {
        // SAFETY: every aarch64 has NEON.
        unsafe {
            [
                vpaddq_f64(pair(a), pair(b)),
                vpaddq_f64(pair(c), pair(d)),
                vpaddq_f64(pair(e), pair(f)),
                vpaddq_f64(pair(g), pair(h)),
            ]
        }
    }

    #[inline(always)]
    fn prefetch(self, address: usize) {
        // SAFETY: a hint, for which no address is invalid. Brings the line into the level-2 cache.
        unsafe { asm!("prfm pldl2keep, [{}]", in(reg) address, options(nomem, nostack, preserves_flags)) }
    }
}

/// `(a+e) + (c+g)` and `(b+f) + (d+h)` of the lanes a to h.
///
/// # Safety
/// The machine has NEON.
#[inline(always)]
unsafe fn pair(x: [float64x2_t; 4]) -> float64x2_t {
    // SAFETY: the caller's promise.
    unsafe { vaddq_f64(vaddq_f64(x[0], x[2]), vaddq_f64(x[1], x[3])) }
}

//! Blocks in the vector registers of aarch64, of 128 bits: four hold a block. Every such machine has them (NEON), fused
//! multiplication and addition among what they do, so that nothing need be found out when the program runs.

mod narrow;
mod scaling;
mod stored;

use core::arch::aarch64::*;
use core::arch::asm;

use super::lanes::{BLOCK, Lanes, Load, table};
use super::portable::{self, Portable};
use super::sparse::{SparseKernels, sparse_table};
use super::stored::Compressed;
use super::symmetric::{SymmetricKernels, symmetric_table};
use super::{Element, Kernels};

pub(super) use stored::from_bf16;

/// Every aarch64 with an operating system has NEON.
#[derive(Clone, Copy)]
pub(super) struct Neon(());

table!(Neon, "neon", []);
symmetric_table!(Neon, "neon", []);
sparse_table!(Neon, "neon", []);

/// The loops with every instruction set that the machine has, the best first.
pub(super) fn tables<T: Element>() -> [Option<&'static Kernels<T>>; 2]
where
    Neon: Load<T>,
{
    [Some(Neon::table()), Some(Portable::table())]
}

/// The loops over what windows store, likewise.
pub(super) fn compressed() -> [Option<&'static Compressed<f32>>; 2] {
    const NEON: &Compressed<f32> = &Neon::compressed_table();
    [Some(NEON), Some(portable::COMPRESSED)]
}

/// The symmetric solver's kernels, likewise.
pub(super) fn symmetric() -> [Option<&'static SymmetricKernels>; 2] {
    [Some(Neon::symmetric_table()), Some(Portable::symmetric_table())]
}

/// The loops over sparse columns, likewise.
pub(super) fn sparse() -> [Option<&'static SparseKernels<f32>>; 2] {
    [Some(Neon::sparse_table()), Some(Portable::sparse_table())]
}

impl Lanes for Neon {
    type Wide = [float64x2_t; 4];

    /// Sixteen registers of 32, and sums that do not wait for one another: as many as four units with a latency of four
    /// keep going. With six, for which there would be just enough registers, the compiler moves them about.
    const SUMS: usize = 4;

    #[inline(always)]
    fn splat(self, value: f64) -> Self::Wide {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vdupq_n_f64(value); 4] }
    }

    #[inline(always)]
    fn add(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vaddq_f64(a[0], b[0]), vaddq_f64(a[1], b[1]), vaddq_f64(a[2], b[2]), vaddq_f64(a[3], b[3])] }
    }

    #[inline(always)]
    fn mul(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vmulq_f64(a[0], b[0]), vmulq_f64(a[1], b[1]), vmulq_f64(a[2], b[2]), vmulq_f64(a[3], b[3])] }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide {
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
    fn mul_sub_from(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide {
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
    fn div(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vdivq_f64(a[0], b[0]), vdivq_f64(a[1], b[1]), vdivq_f64(a[2], b[2]), vdivq_f64(a[3], b[3])] }
    }

    #[inline(always)]
    fn min(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vminq_f64(a[0], b[0]), vminq_f64(a[1], b[1]), vminq_f64(a[2], b[2]), vminq_f64(a[3], b[3])] }
    }

    #[inline(always)]
    fn total(self, wide: Self::Wide) -> f64 {
        // SAFETY: every aarch64 has NEON.
        unsafe { vpaddd_f64(pair(wide)) }
    }

    #[inline(always)]
    fn totals(self, [a, b, c, d, e, f, g, h]: [Self::Wide; BLOCK]) -> Self::Wide {
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
    fn fetch(self, address: usize) {
        // SAFETY: a hint, which no address makes fail. The line is wanted in the second cache.
        unsafe { asm!("prfm pldl2keep, [{}]", in(reg) address, options(nomem, nostack, preserves_flags)) }
    }
}

/// Of a block's numbers a to h, `(a+e) + (c+g)` and `(b+f) + (d+h)`.
///
/// # Safety
/// The machine has NEON.
#[inline(always)]
unsafe fn pair(wide: [float64x2_t; 4]) -> float64x2_t {
    // SAFETY: the caller's promise.
    unsafe { vaddq_f64(vaddq_f64(wide[0], wide[2]), vaddq_f64(wide[1], wide[3])) }
}

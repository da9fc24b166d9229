//! Blocks in memory, and in the precision of their elements: two registers of 32-bit numbers, or four of 64-bit ones.

use core::arch::aarch64::*;

use super::super::lanes::{BLOCK, Lanes, Load, narrow_is_wide};
use super::super::scaling::in_twos;
use super::Neon;

impl Load<f32> for Neon {
    type Narrow = [float32x4_t; 2];

    in_twos!();

    #[inline(always)]
    fn load(self, block: &[f32; BLOCK]) -> Self::Wide {
        Load::<f32>::widen(self, self.load_narrow(block))
    }

    #[inline(always)]
    fn store(self, wide: Self::Wide, block: &mut [f32; BLOCK]) {
        // SAFETY: every aarch64 has NEON.
        let narrow = unsafe {
            [vcvt_high_f32_f64(vcvt_f32_f64(wide[0]), wide[1]), vcvt_high_f32_f64(vcvt_f32_f64(wide[2]), wide[3])]
        };
        self.store_narrow(narrow, block);
    }

    #[inline(always)]
    fn load_narrow(self, block: &[f32; BLOCK]) -> Self::Narrow {
        let start = block.as_ptr();
        // SAFETY: every aarch64 has NEON; both loads lie inside the block and need no alignment.
        unsafe { [vld1q_f32(start), vld1q_f32(start.add(4))] }
    }

    #[inline(always)]
    fn store_narrow(self, narrow: Self::Narrow, block: &mut [f32; BLOCK]) {
        let start = block.as_mut_ptr();
        // SAFETY: every aarch64 has NEON; both stores lie inside the block and need no alignment.
        unsafe {
            vst1q_f32(start, narrow[0]);
            vst1q_f32(start.add(4), narrow[1]);
        }
    }

    /// Only a hint to the machine would be different.
    #[inline(always)]
    fn stream_narrow(self, narrow: Self::Narrow, block: &mut [f32; BLOCK]) {
        self.store_narrow(narrow, block);
    }

    #[inline(always)]
    fn splat_narrow(self, value: f64) -> Self::Narrow {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vdupq_n_f32(value as f32); 2] }
    }

    #[inline(always)]
    fn mul_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vmulq_f32(a[0], b[0]), vmulq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    fn add_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    fn sub_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vsubq_f32(a[0], b[0]), vsubq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul_add_narrow(self, a: Self::Narrow, b: Self::Narrow, c: Self::Narrow) -> Self::Narrow {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])] }
    }

    #[inline(always)]
    fn widen(self, narrow: Self::Narrow) -> Self::Wide {
        // SAFETY: every aarch64 has NEON.
        unsafe {
            [
                vcvt_f64_f32(vget_low_f32(narrow[0])),
                vcvt_high_f64_f32(narrow[0]),
                vcvt_f64_f32(vget_low_f32(narrow[1])),
                vcvt_high_f64_f32(narrow[1]),
            ]
        }
    }

    #[inline(always)]
    fn max_abs_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vmaxq_f32(vabsq_f32(a[0]), vabsq_f32(b[0])), vmaxq_f32(vabsq_f32(a[1]), vabsq_f32(b[1]))] }
    }
}

impl Load<f64> for Neon {
    narrow_is_wide!();

    #[inline(always)]
    fn load(self, block: &[f64; BLOCK]) -> Self::Wide {
        let start = block.as_ptr();
        // SAFETY: every aarch64 has NEON; the loads lie inside the block and need no alignment.
        unsafe { [vld1q_f64(start), vld1q_f64(start.add(2)), vld1q_f64(start.add(4)), vld1q_f64(start.add(6))] }
    }

    #[inline(always)]
    fn store(self, wide: Self::Wide, block: &mut [f64; BLOCK]) {
        let start = block.as_mut_ptr();
        // SAFETY: every aarch64 has NEON; the stores lie inside the block and need no alignment.
        unsafe {
            vst1q_f64(start, wide[0]);
            vst1q_f64(start.add(2), wide[1]);
            vst1q_f64(start.add(4), wide[2]);
            vst1q_f64(start.add(6), wide[3]);
        }
    }

    #[inline(always)]
    fn stream_narrow(self, narrow: Self::Narrow, block: &mut [f64; BLOCK]) {
        self.store(narrow, block);
    }

    #[inline(always)]
    fn max_abs_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
        // SAFETY: every aarch64 has NEON.
        unsafe {
            [
                vmaxq_f64(vabsq_f64(a[0]), vabsq_f64(b[0])),
                vmaxq_f64(vabsq_f64(a[1]), vabsq_f64(b[1])),
                vmaxq_f64(vabsq_f64(a[2]), vabsq_f64(b[2])),
                vmaxq_f64(vabsq_f64(a[3]), vabsq_f64(b[3])),
            ]
        }
    }
}

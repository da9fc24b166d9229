//! Vectors in memory and in the precision of their elements: two registers of `f32`, or four of `f64`.

use core::arch::aarch64::*;

use super::Neon;
use crate::simd::lanes::{LANES, Lanes, Load, native_is_f64};

impl Load<f32> for Neon {
    type Native = [float32x4_t; 2];

    #[inline(always)]
    fn load(self, vector: &[f32; LANES]) -> Self::F64s {
        Load::<f32>::widen(self, self.load_native(vector))
    }

    #[inline(always)]
    fn store(self, x: Self::F64s, vector: &mut [f32; LANES]) {
        // SAFETY: every aarch64 has NEON.
        let x = unsafe { [vcvt_high_f32_f64(vcvt_f32_f64(x[0]), x[1]), vcvt_high_f32_f64(vcvt_f32_f64(x[2]), x[3])] };
        self.store_native(x, vector);
    }

    #[inline(always)]
    fn load_native(self, vector: &[f32; LANES]) -> Self::Native {
        let start = vector.as_ptr();
        // SAFETY: every aarch64 has NEON; both loads lie inside the vector and need no alignment.
        unsafe { [vld1q_f32(start), vld1q_f32(start.add(4))] }
    }

    #[inline(always)]
    fn store_native(self, x: Self::Native, vector: &mut [f32; LANES]) {
        let start = vector.as_mut_ptr();
        // SAFETY: every aarch64 has NEON; both stores lie inside the vector and need no alignment.
        unsafe {
            vst1q_f32(start, x[0]);
            vst1q_f32(start.add(4), x[1]);
        }
    }

    /// An ordinary store: on aarch64 a non-temporal store differs only by a hint.
    #[inline(always)]
    fn store_non_temporal(self, x: Self::Native, vector: &mut [f32; LANES]) {
        self.store_native(x, vector);
    }

    #[inline(always)]
    fn splat_native(self, value: f64) -> Self::Native {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vdupq_n_f32(value as f32); 2] }
    }

    #[inline(always)]
    fn mul_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vmulq_f32(a[0], b[0]), vmulq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    fn add_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    fn sub_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vsubq_f32(a[0], b[0]), vsubq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul_add_native(self, a: Self::Native, b: Self::Native, c: Self::Native) -> Self::Native {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])] }
    }

    #[inline(always)]
    fn widen(self, x: Self::Native) -> Self::F64s {
        // SAFETY: every aarch64 has NEON.
        unsafe {
            [
                vcvt_f64_f32(vget_low_f32(x[0])),
                vcvt_high_f64_f32(x[0]),
                vcvt_f64_f32(vget_low_f32(x[1])),
                vcvt_high_f64_f32(x[1]),
            ]
        }
    }

    #[inline(always)]
    fn max_abs_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vmaxq_f32(vabsq_f32(a[0]), vabsq_f32(b[0])), vmaxq_f32(vabsq_f32(a[1]), vabsq_f32(b[1]))] }
    }
}

impl Load<f64> for Neon {
    native_is_f64!();

    #[inline(always)]
    fn store_non_temporal(self, x: Self::Native, vector: &mut [f64; LANES]) {
        self.store_f64s(x, vector);
    }

    #[inline(always)]
    fn max_abs_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
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

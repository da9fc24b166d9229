//! Roots for diagonal preconditioning, one vector at a time.

use core::arch::aarch64::*;

use super::Neon;
use crate::simd::numbers::Number;
use crate::simd::roots::Roots;

impl Roots<f32> for Neon {
    #[inline(always)]
    fn sqrt(self, a: Self::Native) -> Self::Native {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vsqrtq_f32(a[0]), vsqrtq_f32(a[1])] }
    }

    #[inline(always)]
    fn powers(self, a: Self::Native) -> [Self::Native; 3] {
        let mut powers = [a; 3];
        for (index, &a) in a.iter().enumerate() {
            // SAFETY: every aarch64 has NEON.
            unsafe {
                let even = vandq_u32(vreinterpretq_u32_f32(a), vdupq_n_u32(f32::EVEN));
                powers[0][index] = vreinterpretq_f32_u32(vsubq_u32(vdupq_n_u32(f32::POWER), even));
                let half = vshrq_n_u32::<1>(even);
                powers[1][index] = vreinterpretq_f32_u32(vsubq_u32(vdupq_n_u32(f32::ROOT), half));
                powers[2][index] = vreinterpretq_f32_u32(vsubq_u32(even, vdupq_n_u32(f32::INVERSE)));
            }
        }
        powers
    }

    #[inline(always)]
    fn guess(self, minus_a: Self::Native) -> Self::Native {
        let mut guess = minus_a;
        for guess in &mut guess {
            // SAFETY: every aarch64 has NEON.
            unsafe {
                let quarter = vshrq_n_u32::<2>(vreinterpretq_u32_f32(*guess));
                *guess = vreinterpretq_f32_u32(vsubq_u32(vdupq_n_u32(f32::FOURTH_ROOT), quarter));
            }
        }
        guess
    }
}

impl Roots<f64> for Neon {
    #[inline(always)]
    fn sqrt(self, a: Self::Native) -> Self::Native {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vsqrtq_f64(a[0]), vsqrtq_f64(a[1]), vsqrtq_f64(a[2]), vsqrtq_f64(a[3])] }
    }

    #[inline(always)]
    fn powers(self, a: Self::Native) -> [Self::Native; 3] {
        let mut powers = [a; 3];
        for (index, &a) in a.iter().enumerate() {
            // SAFETY: every aarch64 has NEON.
            unsafe {
                let even = vandq_u64(vreinterpretq_u64_f64(a), vdupq_n_u64(f64::EVEN));
                powers[0][index] = vreinterpretq_f64_u64(vsubq_u64(vdupq_n_u64(f64::POWER), even));
                let half = vshrq_n_u64::<1>(even);
                powers[1][index] = vreinterpretq_f64_u64(vsubq_u64(vdupq_n_u64(f64::ROOT), half));
                powers[2][index] = vreinterpretq_f64_u64(vsubq_u64(even, vdupq_n_u64(f64::INVERSE)));
            }
        }
        powers
    }

    #[inline(always)]
    fn guess(self, minus_a: Self::Native) -> Self::Native {
        let mut guess = minus_a;
        for guess in &mut guess {
            // SAFETY: every aarch64 has NEON.
            unsafe {
                let quarter = vshrq_n_u64::<2>(vreinterpretq_u64_f64(*guess));
                *guess = vreinterpretq_f64_u64(vsubq_u64(vdupq_n_u64(f64::FOURTH_ROOT), quarter));
            }
        }
        guess
    }
}

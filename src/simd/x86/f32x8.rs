//! Vectors of `f32` in a register of 256 bits, on AVX2 and AVX-512 alike.

use core::arch::x86_64::*;

/// The part of `Load<f32>` that is the same for both.
macro_rules! load_f32 {
    () => {
        type Native = __m256;

        #[inline(always)]
        fn load_native(self, vector: &[f32; LANES]) -> Self::Native {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists; the load is the vector's and needs no alignment.
            unsafe { _mm256_loadu_ps(vector.as_ptr()) }
        }

        #[inline(always)]
        fn store_native(self, x: Self::Native, vector: &mut [f32; LANES]) {
            // SAFETY: the machine has AVX2, as `self` exists; the store is the vector's and needs no alignment.
            unsafe { _mm256_storeu_ps(vector.as_mut_ptr(), x) }
        }

        #[inline(always)]
        fn store_non_temporal(self, x: Self::Native, vector: &mut [f32; LANES]) {
            let start = vector.as_mut_ptr();
            if start.addr().is_multiple_of(32) {
                // SAFETY: the machine has AVX2 and FMA, as `self` exists; the store is the vector's and aligned.
                unsafe { _mm256_stream_ps(start, x) }
            } else {
                // SAFETY: as above; the store needs no alignment.
                unsafe { _mm256_storeu_ps(start, x) }
            }
        }

        #[inline(always)]
        fn splat_native(self, value: f64) -> Self::Native {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists.
            unsafe { _mm256_set1_ps(value as f32) }
        }

        #[inline(always)]
        fn mul_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists.
            unsafe { _mm256_mul_ps(a, b) }
        }

        #[inline(always)]
        fn add_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists.
            unsafe { _mm256_add_ps(a, b) }
        }

        #[inline(always)]
        fn sub_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists.
            unsafe { _mm256_sub_ps(a, b) }
        }

        #[inline(always)]
        fn mul_add_native(self, a: Self::Native, b: Self::Native, c: Self::Native) -> Self::Native {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }

        #[inline(always)]
        fn max_abs_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
            // SAFETY: the machine has AVX2, as `self` exists.
            unsafe { $crate::simd::x86::f32x8::max_abs(a, b) }
        }
    };
}

pub(super) use load_f32;

/// The larger magnitude of each lane.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
pub(super) unsafe fn max_abs(a: __m256, b: __m256) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe {
        let sign = _mm256_set1_ps(-0.0);
        _mm256_max_ps(_mm256_andnot_ps(sign, a), _mm256_andnot_ps(sign, b))
    }
}

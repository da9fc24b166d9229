//! Eight 32-bit numbers in a register of 256 bits, which both instruction sets use for them.

use core::arch::x86_64::*;

/// What of `Load<f32>` is the same for both.
macro_rules! narrow_f32 {
    () => {
        type Narrow = __m256;

        #[inline(always)]
        fn load_narrow(self, block: &[f32; BLOCK]) -> Self::Narrow {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists; the load is the block's and needs no alignment.
            unsafe { _mm256_loadu_ps(block.as_ptr()) }
        }

        #[inline(always)]
        fn store_narrow(self, narrow: Self::Narrow, block: &mut [f32; BLOCK]) {
            // SAFETY: the machine has AVX2, as `self` exists; the store is the block's and needs no alignment.
            unsafe { _mm256_storeu_ps(block.as_mut_ptr(), narrow) }
        }

        #[inline(always)]
        fn stream_narrow(self, narrow: Self::Narrow, block: &mut [f32; BLOCK]) {
            let start = block.as_mut_ptr();
            if start.addr().is_multiple_of(32) {
                // SAFETY: the machine has AVX2 and FMA, as `self` exists; the store is the block's and aligned.
                unsafe { _mm256_stream_ps(start, narrow) }
            } else {
                // SAFETY: as above, without need of alignment.
                unsafe { _mm256_storeu_ps(start, narrow) }
            }
        }

        #[inline(always)]
        fn splat_narrow(self, value: f64) -> Self::Narrow {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists.
            unsafe { _mm256_set1_ps(value as f32) }
        }

        #[inline(always)]
        fn mul_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists.
            unsafe { _mm256_mul_ps(a, b) }
        }

        #[inline(always)]
        fn add_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists.
            unsafe { _mm256_add_ps(a, b) }
        }

        #[inline(always)]
        fn sub_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists.
            unsafe { _mm256_sub_ps(a, b) }
        }

        #[inline(always)]
        fn mul_add_narrow(self, a: Self::Narrow, b: Self::Narrow, c: Self::Narrow) -> Self::Narrow {
            // SAFETY: the machine has AVX2 and FMA, as `self` exists.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }

        #[inline(always)]
        fn max_abs_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
            // SAFETY: the machine has AVX2, as `self` exists.
            unsafe { $crate::kernels::x86::narrow::max_abs(a, b) }
        }
    };
}

pub(super) use narrow_f32;

/// The larger of each two magnitudes.
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

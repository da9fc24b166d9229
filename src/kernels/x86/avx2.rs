//! A block in two vector registers of AVX2.

use core::arch::x86_64::*;

use super::super::lanes::{BLOCK, Lanes, Load, narrow_is_wide, table};
use super::super::scaling::in_twos;
use super::super::sparse::sparse_table;
use super::super::symmetric::symmetric_table;
use super::narrow::narrow_f32;

/// Lives only inside the functions of its tables, which run where the machine has AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx2(pub(super) ());

table!(Avx2, "avx2", ["avx2,fma,f16c"]);
symmetric_table!(Avx2, "avx2", ["avx2,fma"]);
sparse_table!(Avx2, "avx2", ["avx2,fma,popcnt,bmi1"]);

impl Lanes for Avx2 {
    type Wide = [__m256d; 2];

    const SUMS: usize = 6;

    // Nothing is prefetched. On Zen 3 prefetching makes most passes longer, by up to 40 % where the window lies in a
    // cache and by up to 20 % where it lies in memory (docs/performance.md).

    #[inline(always)]
    fn splat(self, value: f64) -> Self::Wide {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_set1_pd(value); 2] }
    }

    #[inline(always)]
    fn add(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_add_pd(a[0], b[0]), _mm256_add_pd(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_mul_pd(a[0], b[0]), _mm256_mul_pd(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has FMA, as `self` exists.
        unsafe { [_mm256_fmadd_pd(a[0], b[0], c[0]), _mm256_fmadd_pd(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn mul_sub_from(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has FMA, as `self` exists.
        unsafe { [_mm256_fnmadd_pd(a[0], b[0], c[0]), _mm256_fnmadd_pd(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn div(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_div_pd(a[0], b[0]), _mm256_div_pd(a[1], b[1])] }
    }

    #[inline(always)]
    fn min(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_min_pd(a[0], b[0]), _mm256_min_pd(a[1], b[1])] }
    }

    #[inline(always)]
    fn total(self, wide: Self::Wide) -> f64 {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe {
            let four = _mm256_add_pd(wide[0], wide[1]);
            let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        }
    }

    #[inline(always)]
    fn totals(self, w: [Self::Wide; BLOCK]) -> Self::Wide {
        let mut four = [w[0][0]; BLOCK];
        for (four, wide) in four.iter_mut().zip(w) {
            // SAFETY: the machine has AVX2, as `self` exists.
            *four = unsafe { _mm256_add_pd(wide[0], wide[1]) };
        }
        // SAFETY: as above.
        unsafe { [totals(four[0], four[1], four[2], four[3]), totals(four[4], four[5], four[6], four[7])] }
    }

    #[inline(always)]
    fn settle(self) {
        // SAFETY: every x86-64 has it.
        unsafe { _mm_sfence() }
    }
}

/// The sums of four numbers each, `(a+c) + (b+d)`.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
pub(super) unsafe fn totals(p: __m256d, q: __m256d, r: __m256d, s: __m256d) -> __m256d {
    // SAFETY: the caller's promise.
    unsafe {
        let pr = _mm256_add_pd(_mm256_permute2f128_pd::<0x20>(p, r), _mm256_permute2f128_pd::<0x31>(p, r));
        let qs = _mm256_add_pd(_mm256_permute2f128_pd::<0x20>(q, s), _mm256_permute2f128_pd::<0x31>(q, s));
        _mm256_hadd_pd(pr, qs)
    }
}

impl Load<f32> for Avx2 {
    narrow_f32!();
    in_twos!();

    #[inline(always)]
    fn load(self, block: &[f32; BLOCK]) -> Self::Wide {
        let start = block.as_ptr();
        // SAFETY: the machine has AVX2, as `self` exists; both loads lie inside the block and need no alignment.
        unsafe { [_mm256_cvtps_pd(_mm_loadu_ps(start)), _mm256_cvtps_pd(_mm_loadu_ps(start.add(4)))] }
    }

    #[inline(always)]
    fn store(self, wide: Self::Wide, block: &mut [f32; BLOCK]) {
        let start = block.as_mut_ptr();
        // SAFETY: the machine has AVX2, as `self` exists; both stores lie inside the block and need no alignment.
        unsafe {
            _mm_storeu_ps(start, _mm256_cvtpd_ps(wide[0]));
            _mm_storeu_ps(start.add(4), _mm256_cvtpd_ps(wide[1]));
        }
    }

    #[inline(always)]
    fn widen(self, narrow: Self::Narrow) -> Self::Wide {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe {
            [_mm256_cvtps_pd(_mm256_castps256_ps128(narrow)), _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(narrow))]
        }
    }
}

impl Load<f64> for Avx2 {
    narrow_is_wide!();

    #[inline(always)]
    fn load(self, block: &[f64; BLOCK]) -> Self::Wide {
        let start = block.as_ptr();
        // SAFETY: the machine has AVX2, as `self` exists; both loads lie inside the block and need no alignment.
        unsafe { [_mm256_loadu_pd(start), _mm256_loadu_pd(start.add(4))] }
    }

    #[inline(always)]
    fn store(self, wide: Self::Wide, block: &mut [f64; BLOCK]) {
        let start = block.as_mut_ptr();
        // SAFETY: the machine has AVX2, as `self` exists; both stores lie inside the block and need no alignment.
        unsafe {
            _mm256_storeu_pd(start, wide[0]);
            _mm256_storeu_pd(start.add(4), wide[1]);
        }
    }

    #[inline(always)]
    fn stream_narrow(self, narrow: Self::Narrow, block: &mut [f64; BLOCK]) {
        let start = block.as_mut_ptr();
        if start.addr().is_multiple_of(32) {
            // SAFETY: the machine has AVX2, as `self` exists; both stores are the block's and aligned.
            unsafe {
                _mm256_stream_pd(start, narrow[0]);
                _mm256_stream_pd(start.add(4), narrow[1]);
            }
        } else {
            self.store(narrow, block);
        }
    }

    #[inline(always)]
    fn max_abs_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe {
            let sign = _mm256_set1_pd(-0.0);
            [
                _mm256_max_pd(_mm256_andnot_pd(sign, a[0]), _mm256_andnot_pd(sign, b[0])),
                _mm256_max_pd(_mm256_andnot_pd(sign, a[1]), _mm256_andnot_pd(sign, b[1])),
            ]
        }
    }
}

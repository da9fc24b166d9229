//! A vector of `f64` in two registers of AVX2.

use core::arch::x86_64::*;

use super::f32x8::load_f32;
use super::features::Features;
use crate::simd::lanes::{LANES, Lanes, Load, native_is_f64};

/// AVX2, FMA, F16C, POPCNT and BMI1.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The machine has the instruction set ([`Avx2::is_available`]), and the caller is compiled for it.
    #[inline(always)]
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }

    pub(crate) fn is_available() -> bool {
        Features::detected().avx2()
    }
}

impl Lanes for Avx2 {
    type F64s = [__m256d; 2];

    const SUMS: usize = 6;

    // `prefetch` does nothing: on Zen 3 prefetching makes most passes longer, by up to 40 % where the window lies in a
    // cache and by up to 20 % where it lies in memory (docs/performance.md).

    #[inline(always)]
    fn load_f64s(self, vector: &[f64; LANES]) -> Self::F64s {
        let start = vector.as_ptr();
        // SAFETY: the machine has AVX2, as `self` exists; both loads lie inside the vector and need no alignment.
        unsafe { [_mm256_loadu_pd(start), _mm256_loadu_pd(start.add(4))] }
    }

    #[inline(always)]
    fn store_f64s(self, x: Self::F64s, vector: &mut [f64; LANES]) {
        let start = vector.as_mut_ptr();
        // SAFETY: the machine has AVX2, as `self` exists; both stores lie inside the vector and need no alignment.
        unsafe {
            _mm256_storeu_pd(start, x[0]);
            _mm256_storeu_pd(start.add(4), x[1]);
        }
    }

    #[inline(always)]
    fn splat(self, value: f64) -> Self::F64s {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_set1_pd(value); 2] }
    }

    #[inline(always)]
    fn add(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_add_pd(a[0], b[0]), _mm256_add_pd(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_mul_pd(a[0], b[0]), _mm256_mul_pd(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::F64s, b: Self::F64s, c: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has FMA, as `self` exists.
        unsafe { [_mm256_fmadd_pd(a[0], b[0], c[0]), _mm256_fmadd_pd(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn mul_sub_from(self, a: Self::F64s, b: Self::F64s, c: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has FMA, as `self` exists.
        unsafe { [_mm256_fnmadd_pd(a[0], b[0], c[0]), _mm256_fnmadd_pd(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn div(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_div_pd(a[0], b[0]), _mm256_div_pd(a[1], b[1])] }
    }

    #[inline(always)]
    fn min(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_min_pd(a[0], b[0]), _mm256_min_pd(a[1], b[1])] }
    }

    #[inline(always)]
    fn total(self, x: Self::F64s) -> f64 {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe {
            let four = _mm256_add_pd(x[0], x[1]);
            let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        }
    }

    #[inline(always)]
    fn totals(self, w: [Self::F64s; LANES]) -> Self::F64s {
        let mut four = [w[0][0]; LANES];
        for (four, x) in four.iter_mut().zip(w) {
            // SAFETY: the machine has AVX2, as `self` exists.
            *four = unsafe { _mm256_add_pd(x[0], x[1]) };
        }
        // SAFETY: as above.
        unsafe { [totals(four[0], four[1], four[2], four[3]), totals(four[4], four[5], four[6], four[7])] }
    }

    #[inline(always)]
    fn fence(self) {
        // SAFETY: every x86-64 has the instruction.
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
    load_f32!();

    #[inline(always)]
    fn load(self, vector: &[f32; LANES]) -> Self::F64s {
        let start = vector.as_ptr();
        // SAFETY: the machine has AVX2, as `self` exists; both loads lie inside the vector and need no alignment.
        unsafe { [_mm256_cvtps_pd(_mm_loadu_ps(start)), _mm256_cvtps_pd(_mm_loadu_ps(start.add(4)))] }
    }

    #[inline(always)]
    fn store(self, x: Self::F64s, vector: &mut [f32; LANES]) {
        let start = vector.as_mut_ptr();
        // SAFETY: the machine has AVX2, as `self` exists; both stores lie inside the vector and need no alignment.
        unsafe {
            _mm_storeu_ps(start, _mm256_cvtpd_ps(x[0]));
            _mm_storeu_ps(start.add(4), _mm256_cvtpd_ps(x[1]));
        }
    }

    #[inline(always)]
    fn widen(self, x: Self::Native) -> Self::F64s {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_cvtps_pd(_mm256_castps256_ps128(x)), _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(x))] }
    }
}

impl Load<f64> for Avx2 {
    native_is_f64!();

    #[inline(always)]
    fn store_non_temporal(self, x: Self::Native, vector: &mut [f64; LANES]) {
        let start = vector.as_mut_ptr();
        if start.addr().is_multiple_of(32) {
            // SAFETY: the machine has AVX2, as `self` exists; both stores are the vector's and aligned.
            unsafe {
                _mm256_stream_pd(start, x[0]);
                _mm256_stream_pd(start.add(4), x[1]);
            }
        } else {
            self.store_f64s(x, vector);
        }
    }

    #[inline(always)]
    fn max_abs_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
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

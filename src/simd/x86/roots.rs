//! Roots for diagonal preconditioning: two vectors of `f32` in one register of AVX-512, otherwise one vector at a time.

use core::arch::x86_64::*;

use super::avx2::Avx2;
use super::avx512::Avx512;
use crate::simd::lanes::PAIR;
use crate::simd::numbers::Number;
use crate::simd::roots::{Paired, Pairs, Roots};

/// Pairs on AVX-512.
#[derive(Clone, Copy)]
pub(crate) struct F32x16(());

impl<const BF16: bool> Paired<f32> for Avx512<BF16> {
    type Pairs = F32x16;

    #[inline(always)]
    fn pairs(self) -> F32x16 {
        F32x16(())
    }
}

impl Pairs<f32> for F32x16 {
    type Pair = __m512;

    #[inline(always)]
    fn load(self, pair: &[f32; PAIR]) -> Self::Pair {
        // SAFETY: the machine has AVX-512F, as `self` exists; the load is the pair's and needs no alignment.
        unsafe { _mm512_loadu_ps(pair.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, numbers: Self::Pair, pair: &mut [f32; PAIR]) {
        // SAFETY: the machine has AVX-512F, as `self` exists; the store is the pair's and needs no alignment.
        unsafe { _mm512_storeu_ps(pair.as_mut_ptr(), numbers) }
    }

    #[inline(always)]
    fn splat(self, value: f64) -> Self::Pair {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_set1_ps(value as f32) }
    }

    #[inline(always)]
    fn mul(self, a: Self::Pair, b: Self::Pair) -> Self::Pair {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Pair, b: Self::Pair, c: Self::Pair) -> Self::Pair {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn sqrt(self, a: Self::Pair) -> Self::Pair {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_sqrt_ps(a) }
    }

    #[inline(always)]
    fn max_abs(self, a: Self::Pair, b: Self::Pair) -> Self::Pair {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)) }
    }

    #[inline(always)]
    fn powers(self, a: Self::Pair) -> [Self::Pair; 3] {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe {
            let even = _mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(f32::EVEN as i32));
            let [power, root, inverse] = [f32::POWER, f32::ROOT, f32::INVERSE];
            [
                _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_set1_epi32(power as i32), even)),
                _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_set1_epi32(root as i32), _mm512_srli_epi32::<1>(even))),
                _mm512_castsi512_ps(_mm512_sub_epi32(even, _mm512_set1_epi32(inverse as i32))),
            ]
        }
    }

    #[inline(always)]
    fn guess(self, minus_a: Self::Pair) -> Self::Pair {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe {
            let quarter = _mm512_srli_epi32::<2>(_mm512_castps_si512(minus_a));
            _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_set1_epi32(f32::FOURTH_ROOT as i32), quarter))
        }
    }
}

impl<const BF16: bool> Roots<f64> for Avx512<BF16> {
    #[inline(always)]
    fn sqrt(self, a: Self::Native) -> Self::Native {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_sqrt_pd(a) }
    }

    #[inline(always)]
    fn powers(self, a: Self::Native) -> [Self::Native; 3] {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe {
            let even = _mm512_and_si512(_mm512_castpd_si512(a), _mm512_set1_epi64(f64::EVEN as i64));
            let [power, root, inverse] = [f64::POWER, f64::ROOT, f64::INVERSE];
            [
                _mm512_castsi512_pd(_mm512_sub_epi64(_mm512_set1_epi64(power as i64), even)),
                _mm512_castsi512_pd(_mm512_sub_epi64(_mm512_set1_epi64(root as i64), _mm512_srli_epi64::<1>(even))),
                _mm512_castsi512_pd(_mm512_sub_epi64(even, _mm512_set1_epi64(inverse as i64))),
            ]
        }
    }

    #[inline(always)]
    fn guess(self, minus_a: Self::Native) -> Self::Native {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe {
            let quarter = _mm512_srli_epi64::<2>(_mm512_castpd_si512(minus_a));
            _mm512_castsi512_pd(_mm512_sub_epi64(_mm512_set1_epi64(f64::FOURTH_ROOT as i64), quarter))
        }
    }
}

impl Roots<f32> for Avx2 {
    #[inline(always)]
    fn sqrt(self, a: Self::Native) -> Self::Native {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { _mm256_sqrt_ps(a) }
    }

    #[inline(always)]
    fn powers(self, a: Self::Native) -> [Self::Native; 3] {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe {
            let even = _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(f32::EVEN as i32));
            let [power, root, inverse] = [f32::POWER, f32::ROOT, f32::INVERSE];
            [
                _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_set1_epi32(power as i32), even)),
                _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_set1_epi32(root as i32), _mm256_srli_epi32::<1>(even))),
                _mm256_castsi256_ps(_mm256_sub_epi32(even, _mm256_set1_epi32(inverse as i32))),
            ]
        }
    }

    #[inline(always)]
    fn guess(self, minus_a: Self::Native) -> Self::Native {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe {
            let quarter = _mm256_srli_epi32::<2>(_mm256_castps_si256(minus_a));
            _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_set1_epi32(f32::FOURTH_ROOT as i32), quarter))
        }
    }
}

impl Roots<f64> for Avx2 {
    #[inline(always)]
    fn sqrt(self, a: Self::Native) -> Self::Native {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [_mm256_sqrt_pd(a[0]), _mm256_sqrt_pd(a[1])] }
    }

    #[inline(always)]
    fn powers(self, a: Self::Native) -> [Self::Native; 3] {
        // SAFETY: the machine has AVX2, as `self` exists.
        let [a, b] = unsafe { [powers(a[0]), powers(a[1])] };
        [[a[0], b[0]], [a[1], b[1]], [a[2], b[2]]]
    }

    #[inline(always)]
    fn guess(self, minus_a: Self::Native) -> Self::Native {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { [guess(minus_a[0]), guess(minus_a[1])] }
    }
}

/// As [`Roots::powers`].
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn powers(a: __m256d) -> [__m256d; 3] {
    // SAFETY: the caller's promise.
    unsafe {
        let even = _mm256_and_si256(_mm256_castpd_si256(a), _mm256_set1_epi64x(f64::EVEN as i64));
        [
            _mm256_castsi256_pd(_mm256_sub_epi64(_mm256_set1_epi64x(f64::POWER as i64), even)),
            _mm256_castsi256_pd(_mm256_sub_epi64(_mm256_set1_epi64x(f64::ROOT as i64), _mm256_srli_epi64::<1>(even))),
            _mm256_castsi256_pd(_mm256_sub_epi64(even, _mm256_set1_epi64x(f64::INVERSE as i64))),
        ]
    }
}

/// As [`Roots::guess`].
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn guess(minus_a: __m256d) -> __m256d {
    // SAFETY: the caller's promise.
    unsafe {
        let quarter = _mm256_srli_epi64::<2>(_mm256_castpd_si256(minus_a));
        _mm256_castsi256_pd(_mm256_sub_epi64(_mm256_set1_epi64x(f64::FOURTH_ROOT as i64), quarter))
    }
}

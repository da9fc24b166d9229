//! A vector of `f64` in one register of AVX-512.

use core::arch::x86_64::*;

use super::avx2::totals;
use super::f32x8::load_f32;
use super::features::Features;
use crate::simd::lanes::{LANES, Lanes, Load, native_is_f64};

/// AVX-512F, which implies AVX2, FMA and F16C, with POPCNT and BMI1. `BF16`: also AVX-512 VL and BF16, used for
/// encoding bfloat16.
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const BF16: bool = false>(());

pub(crate) type Avx512Bf16 = Avx512<true>;

impl<const BF16: bool> Avx512<BF16> {
    /// # Safety
    /// The machine has the instruction set ([`Avx512::is_available`]), and the caller is compiled for it.
    #[inline(always)]
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }

    pub(crate) fn is_available() -> bool {
        let has = Features::detected();
        if BF16 { has.avx512_bf16() } else { has.avx512() }
    }
}

impl<const BF16: bool> Lanes for Avx512<BF16> {
    type F64s = __m512d;

    #[inline(always)]
    fn load_f64s(self, vector: &[f64; LANES]) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists; the load is the vector's and needs no alignment.
        unsafe { _mm512_loadu_pd(vector.as_ptr()) }
    }

    #[inline(always)]
    fn store_f64s(self, x: Self::F64s, vector: &mut [f64; LANES]) {
        // SAFETY: the machine has AVX-512F, as `self` exists; the store is the vector's and needs no alignment.
        unsafe { _mm512_storeu_pd(vector.as_mut_ptr(), x) }
    }

    #[inline(always)]
    fn splat(self, value: f64) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_set1_pd(value) }
    }

    #[inline(always)]
    fn add(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_add_pd(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_mul_pd(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::F64s, b: Self::F64s, c: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_fmadd_pd(a, b, c) }
    }

    #[inline(always)]
    fn mul_sub_from(self, a: Self::F64s, b: Self::F64s, c: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_fnmadd_pd(a, b, c) }
    }

    #[inline(always)]
    fn div(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_div_pd(a, b) }
    }

    #[inline(always)]
    fn min(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_min_pd(a, b) }
    }

    #[inline(always)]
    fn total(self, x: Self::F64s) -> f64 {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
        unsafe {
            let four = _mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd::<1>(x));
            let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        }
    }

    #[inline(always)]
    fn totals(self, w: [Self::F64s; LANES]) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
        let mut four = [unsafe { _mm256_setzero_pd() }; LANES];
        for (four, x) in four.iter_mut().zip(w) {
            // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
            *four = unsafe { _mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd::<1>(x)) };
        }
        // SAFETY: as above.
        unsafe {
            let low = totals(four[0], four[1], four[2], four[3]);
            let high = totals(four[4], four[5], four[6], four[7]);
            _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high)
        }
    }

    #[inline(always)]
    fn prefetch(self, address: usize) {
        // SAFETY: a hint, which no address makes fail.
        unsafe { _mm_prefetch::<_MM_HINT_T2>(core::ptr::without_provenance(address)) }
    }

    #[inline(always)]
    fn fence(self) {
        // SAFETY: every x86-64 has the instruction.
        unsafe { _mm_sfence() }
    }
}

impl<const BF16: bool> Load<f32> for Avx512<BF16> {
    load_f32!();

    #[inline(always)]
    fn load(self, vector: &[f32; LANES]) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists; the load is the vector's and needs no alignment.
        unsafe { _mm512_cvtps_pd(_mm256_loadu_ps(vector.as_ptr())) }
    }

    #[inline(always)]
    fn store(self, x: Self::F64s, vector: &mut [f32; LANES]) {
        // SAFETY: the machine has AVX-512F, as `self` exists; the store is the vector's and needs no alignment.
        unsafe { _mm256_storeu_ps(vector.as_mut_ptr(), _mm512_cvtpd_ps(x)) }
    }

    #[inline(always)]
    fn widen(self, x: Self::Native) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_cvtps_pd(x) }
    }
}

impl<const BF16: bool> Load<f64> for Avx512<BF16> {
    native_is_f64!();

    #[inline(always)]
    fn store_non_temporal(self, x: Self::Native, vector: &mut [f64; LANES]) {
        let start = vector.as_mut_ptr();
        if start.addr().is_multiple_of(64) {
            // SAFETY: the machine has AVX-512F, as `self` exists; the store is the vector's and aligned.
            unsafe { _mm512_stream_pd(start, x) }
        } else {
            self.store_f64s(x, vector);
        }
    }

    #[inline(always)]
    fn max_abs_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_max_pd(_mm512_abs_pd(a), _mm512_abs_pd(b)) }
    }
}

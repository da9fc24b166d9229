//! A block in one vector register of AVX-512.

use core::arch::x86_64::*;

use super::super::lanes::{BLOCK, Lanes, Load, narrow_is_wide, table};
use super::super::sparse::sparse_table;
use super::super::symmetric::symmetric_table;
use super::avx2::totals;
use super::narrow::narrow_f32;
use super::scaling::WholeTwin;

/// Lives only inside the functions of its tables, which run where the machine has AVX-512F.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx512(pub(super) ());

table!(Avx512, "avx512", ["avx512f"]);
symmetric_table!(Avx512, "avx512", ["avx512f"]);
sparse_table!(Avx512, "avx512", ["avx512f,popcnt,bmi1"]);

impl Lanes for Avx512 {
    type Wide = __m512d;

    #[inline(always)]
    fn splat(self, value: f64) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_set1_pd(value) }
    }

    #[inline(always)]
    fn add(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_add_pd(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_mul_pd(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_fmadd_pd(a, b, c) }
    }

    #[inline(always)]
    fn mul_sub_from(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_fnmadd_pd(a, b, c) }
    }

    #[inline(always)]
    fn div(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_div_pd(a, b) }
    }

    #[inline(always)]
    fn min(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_min_pd(a, b) }
    }

    #[inline(always)]
    fn total(self, wide: Self::Wide) -> f64 {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
        unsafe {
            let four = _mm256_add_pd(_mm512_castpd512_pd256(wide), _mm512_extractf64x4_pd::<1>(wide));
            let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        }
    }

    #[inline(always)]
    fn totals(self, w: [Self::Wide; BLOCK]) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
        let mut four = [unsafe { _mm256_setzero_pd() }; BLOCK];
        for (four, wide) in four.iter_mut().zip(w) {
            // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
            *four = unsafe { _mm256_add_pd(_mm512_castpd512_pd256(wide), _mm512_extractf64x4_pd::<1>(wide)) };
        }
        // SAFETY: as above.
        unsafe {
            let low = totals(four[0], four[1], four[2], four[3]);
            let high = totals(four[4], four[5], four[6], four[7]);
            _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high)
        }
    }

    #[inline(always)]
    fn fetch(self, address: usize) {
        // SAFETY: a hint, which no address makes fail.
        unsafe { _mm_prefetch::<_MM_HINT_T2>(core::ptr::without_provenance(address)) }
    }

    #[inline(always)]
    fn settle(self) {
        // SAFETY: every x86-64 has it.
        unsafe { _mm_sfence() }
    }
}

impl Load<f32> for Avx512 {
    narrow_f32!();

    type Scaling = WholeTwin;

    #[inline(always)]
    fn scaling(self) -> Self::Scaling {
        WholeTwin::new(self)
    }

    #[inline(always)]
    fn load(self, block: &[f32; BLOCK]) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists; the load is the block's and needs no alignment.
        unsafe { _mm512_cvtps_pd(_mm256_loadu_ps(block.as_ptr())) }
    }

    #[inline(always)]
    fn store(self, wide: Self::Wide, block: &mut [f32; BLOCK]) {
        // SAFETY: the machine has AVX-512F, as `self` exists; the store is the block's and needs no alignment.
        unsafe { _mm256_storeu_ps(block.as_mut_ptr(), _mm512_cvtpd_ps(wide)) }
    }

    #[inline(always)]
    fn widen(self, narrow: Self::Narrow) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_cvtps_pd(narrow) }
    }
}

impl Load<f64> for Avx512 {
    narrow_is_wide!();

    #[inline(always)]
    fn load(self, block: &[f64; BLOCK]) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists; the load is the block's and needs no alignment.
        unsafe { _mm512_loadu_pd(block.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, wide: Self::Wide, block: &mut [f64; BLOCK]) {
        // SAFETY: the machine has AVX-512F, as `self` exists; the store is the block's and needs no alignment.
        unsafe { _mm512_storeu_pd(block.as_mut_ptr(), wide) }
    }

    #[inline(always)]
    fn stream_narrow(self, narrow: Self::Narrow, block: &mut [f64; BLOCK]) {
        let start = block.as_mut_ptr();
        if start.addr().is_multiple_of(64) {
            // SAFETY: the machine has AVX-512F, as `self` exists; the store is the block's and aligned.
            unsafe { _mm512_stream_pd(start, narrow) }
        } else {
            self.store(narrow, block);
        }
    }

    #[inline(always)]
    fn max_abs_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
        // SAFETY: the machine has AVX-512F, as `self` exists.
        unsafe { _mm512_max_pd(_mm512_abs_pd(a), _mm512_abs_pd(b)) }
    }
}

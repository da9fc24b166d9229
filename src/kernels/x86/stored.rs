//! Numbers as windows store them, in the vector registers of x86.

use core::arch::x86_64::*;

use super::super::lanes::{BLOCK, Convert, Load};
use super::super::stored::{Bf16, Compressed, F16, StoredKernels, compressed_table};
use super::{Avx2, Avx512, has_avx2};

compressed_table!(Avx2, "avx2", ["avx2,fma,f16c"]);
compressed_table!(Avx512, "avx512", ["avx512f"]);

/// The loops over what windows store, with every instruction set that the machine has, the best first.
pub(in super::super) fn compressed() -> [Option<&'static Compressed<f32>>; 3] {
    const AVX2: &Compressed<f32> = &Avx2::compressed_table();
    const AVX512: &Compressed<f32> = &Avx512::compressed_table();
    const AVX512_BF16: &Compressed<f32> = &Compressed {
        name: "avx512bf16",
        bf16: StoredKernels { encode: encode_bf16, ..Avx512::compressed_table().bf16 },
        ..Avx512::compressed_table()
    };
    let avx512 = is_x86_feature_detected!("avx512f");
    let bf16 = avx512 && is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512vl");
    [bf16.then_some(AVX512_BF16), avx512.then_some(AVX512), has_avx2().then_some(AVX2)]
}

/// Numbers beyond the largest that bfloat16 has become that.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn within_bf16(x: __m256) -> __m256 {
    let largest = Bf16(0x7f7f).to_f32();
    // SAFETY: the caller's promise.
    unsafe { _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(largest)), _mm256_set1_ps(-largest)) }
}

/// Numbers within the range of bfloat16 to the nearest, of two as near the even one.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn to_bf16(x: __m256) -> __m128i {
    // SAFETY: the caller's promise.
    unsafe {
        let bits = _mm256_castps_si256(x);
        let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
        let rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
        let halves = _mm256_srli_epi32::<16>(rounded);
        _mm_packus_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves))
    }
}

/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn from_bf16(block: &[Bf16; BLOCK]) -> __m256 {
    // SAFETY: the caller's promise; the load is the block's and needs no alignment.
    unsafe {
        let halves = _mm_loadu_si128(block.as_ptr().cast());
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
    }
}

/// # Safety
/// The machine has F16C.
#[inline(always)]
unsafe fn from_f16(block: &[F16; BLOCK]) -> __m256 {
    // SAFETY: the caller's promise; the load is the block's and needs no alignment.
    unsafe { _mm256_cvtph_ps(_mm_loadu_si128(block.as_ptr().cast())) }
}

/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn from_int8(block: &[i8; BLOCK]) -> __m256i {
    // SAFETY: the caller's promise; the load is the block's and needs no alignment.
    unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(block.as_ptr().cast())) }
}

/// Eight integers that 8 bits hold.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn store_int8(low: __m128i, high: __m128i, block: &mut [i8; BLOCK]) {
    // SAFETY: the caller's promise; the store is the block's and needs no alignment.
    unsafe {
        let words = _mm_packs_epi32(low, high);
        _mm_storel_epi64(block.as_mut_ptr().cast(), _mm_packs_epi16(words, words));
    }
}

/// Both halves of a block, which 32 bits hold.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn narrowed(wide: [__m256d; 2]) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe { _mm256_set_m128(_mm256_cvtpd_ps(wide[1]), _mm256_cvtpd_ps(wide[0])) }
}

impl Convert<Bf16, f32> for Avx2 {
    #[inline(always)]
    fn decode(self, block: &[Bf16; BLOCK]) -> Self::Wide {
        Load::<f32>::widen(self, Convert::<Bf16, f32>::decode_narrow(self, block))
    }

    #[inline(always)]
    fn decode_narrow(self, block: &[Bf16; BLOCK]) -> __m256 {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { from_bf16(block) }
    }

    #[inline(always)]
    fn encode(self, wide: Self::Wide, block: &mut [Bf16; BLOCK]) {
        // SAFETY: the machine has AVX2, as `self` exists; the store is the block's and needs no alignment.
        unsafe { _mm_storeu_si128(block.as_mut_ptr().cast(), to_bf16(within_bf16(narrowed(wide)))) }
    }
}

impl Convert<F16, f32> for Avx2 {
    #[inline(always)]
    fn decode(self, block: &[F16; BLOCK]) -> Self::Wide {
        Load::<f32>::widen(self, Convert::<F16, f32>::decode_narrow(self, block))
    }

    #[inline(always)]
    fn decode_narrow(self, block: &[F16; BLOCK]) -> __m256 {
        // SAFETY: the machine has F16C, as `self` exists.
        unsafe { from_f16(block) }
    }

    #[inline(always)]
    fn encode(self, wide: Self::Wide, block: &mut [F16; BLOCK]) {
        // SAFETY: the machine has AVX2 and F16C, as `self` exists; the store is the block's and needs no alignment.
        unsafe {
            let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(narrowed(wide));
            _mm_storeu_si128(block.as_mut_ptr().cast(), halves);
        }
    }
}

impl Convert<i8, f32> for Avx2 {
    #[inline(always)]
    fn decode(self, block: &[i8; BLOCK]) -> Self::Wide {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe {
            let x = from_int8(block);
            [_mm256_cvtepi32_pd(_mm256_castsi256_si128(x)), _mm256_cvtepi32_pd(_mm256_extracti128_si256::<1>(x))]
        }
    }

    #[inline(always)]
    fn decode_narrow(self, block: &[i8; BLOCK]) -> __m256 {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { _mm256_cvtepi32_ps(from_int8(block)) }
    }

    #[inline(always)]
    fn encode(self, wide: Self::Wide, block: &mut [i8; BLOCK]) {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { store_int8(_mm256_cvtpd_epi32(wide[0]), _mm256_cvtpd_epi32(wide[1]), block) }
    }
}

impl Convert<Bf16, f32> for Avx512 {
    #[inline(always)]
    fn decode(self, block: &[Bf16; BLOCK]) -> Self::Wide {
        Load::<f32>::widen(self, Convert::<Bf16, f32>::decode_narrow(self, block))
    }

    #[inline(always)]
    fn decode_narrow(self, block: &[Bf16; BLOCK]) -> __m256 {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
        unsafe { from_bf16(block) }
    }

    #[inline(always)]
    fn encode(self, wide: Self::Wide, block: &mut [Bf16; BLOCK]) {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2; the store is the block's.
        unsafe { _mm_storeu_si128(block.as_mut_ptr().cast(), to_bf16(within_bf16(_mm512_cvtpd_ps(wide)))) }
    }
}

impl Convert<F16, f32> for Avx512 {
    #[inline(always)]
    fn decode(self, block: &[F16; BLOCK]) -> Self::Wide {
        Load::<f32>::widen(self, Convert::<F16, f32>::decode_narrow(self, block))
    }

    #[inline(always)]
    fn decode_narrow(self, block: &[F16; BLOCK]) -> __m256 {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it F16C.
        unsafe { from_f16(block) }
    }

    #[inline(always)]
    fn encode(self, wide: Self::Wide, block: &mut [F16; BLOCK]) {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it F16C; the store is the block's.
        unsafe {
            let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm512_cvtpd_ps(wide));
            _mm_storeu_si128(block.as_mut_ptr().cast(), halves);
        }
    }
}

impl Convert<i8, f32> for Avx512 {
    #[inline(always)]
    fn decode(self, block: &[i8; BLOCK]) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
        unsafe { _mm512_cvtepi32_pd(from_int8(block)) }
    }

    #[inline(always)]
    fn decode_narrow(self, block: &[i8; BLOCK]) -> __m256 {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
        unsafe { _mm256_cvtepi32_ps(from_int8(block)) }
    }

    #[inline(always)]
    fn encode(self, wide: Self::Wide, block: &mut [i8; BLOCK]) {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
        unsafe {
            let x = _mm512_cvtpd_epi32(wide);
            store_int8(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x), block);
        }
    }
}

/// `encode` by the machine's own conversion; the factor is 1.
fn encode_bf16(source: &[f32], factor: f64, target: &mut [Bf16]) {
    assert!(source.len() == target.len() && factor == 1.0);
    // SAFETY: the table is given away only where the machine was found to have these features.
    unsafe { encode_bf16_blocks(source, target) };
}

#[target_feature(enable = "avx512f,avx512vl,avx512bf16")]
fn encode_bf16_blocks(source: &[f32], target: &mut [Bf16]) {
    let (blocks, rest) = source.as_chunks::<BLOCK>();
    let (targets, target_rest) = target.as_chunks_mut::<BLOCK>();
    let least = _mm256_set1_ps(f32::MIN_POSITIVE);
    for (block, target) in blocks.iter().zip(targets) {
        // SAFETY: the load is the block's and needs no alignment; the machine has AVX2 with AVX-512.
        let x = unsafe { within_bf16(_mm256_loadu_ps(block.as_ptr())) };
        // The instruction takes numbers below the least normal one for zeros.
        let small = _mm256_cmp_ps_mask::<_CMP_LT_OQ>(_mm256_andnot_ps(_mm256_set1_ps(-0.0), x), least);
        let zero = _mm256_cmp_ps_mask::<_CMP_EQ_OQ>(x, _mm256_setzero_ps());
        let halves = if small == zero {
            // SAFETY: both types are 128 bits.
            unsafe { core::mem::transmute::<__m128bh, __m128i>(_mm256_cvtneps_pbh(x)) }
        } else {
            // SAFETY: the machine has AVX2 with AVX-512.
            unsafe { to_bf16(x) }
        };
        // SAFETY: the store is the block's and needs no alignment.
        unsafe { _mm_storeu_si128(target.as_mut_ptr().cast(), halves) };
    }
    for (x, target) in rest.iter().zip(target_rest) {
        *target = Bf16::from_f32(*x);
    }
}

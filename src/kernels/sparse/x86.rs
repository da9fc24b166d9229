//! Selection and sparse columns in the vector registers of x86.

use core::arch::x86_64::*;

use super::{COUNTED, KEY, Sparse, WORD};
use crate::kernels::lanes::BLOCK;
use crate::kernels::x86::{Avx2, Avx512};

impl Sparse for Avx2 {
    #[inline(always)]
    fn reach(self, numbers: &[u32; WORD], bound: u32) -> u64 {
        let mut word = 0;
        // SAFETY: the machine has AVX2, as `self` exists; the loads are whole blocks and need no alignment.
        unsafe {
            let (key, bound) = (_mm256_set1_epi32(KEY as i32), _mm256_set1_epi32((bound as i32).wrapping_sub(1)));
            for (index, block) in numbers.as_chunks::<BLOCK>().0.iter().enumerate() {
                // Without the sign they are in order as signed integers too.
                let keys = _mm256_and_si256(_mm256_loadu_si256(block.as_ptr().cast()), key);
                let reached = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(keys, bound)));
                word |= (reached as u64) << (index * BLOCK);
            }
        }
        word
    }

    #[inline(always)]
    fn count(self, keys: &[[u32; COUNTED]], bound: u32) -> u32 {
        // SAFETY: the machine has AVX2, as `self` exists; the loads are whole blocks and need no alignment.
        unsafe {
            let bound = _mm256_set1_epi32((bound as i32).wrapping_sub(1));
            let mut counts = [_mm256_setzero_si256(); 2];
            for keys in keys {
                for (count, keys) in counts.iter_mut().zip(keys.as_chunks::<BLOCK>().0) {
                    let keys = _mm256_loadu_si256(keys.as_ptr().cast());
                    *count = _mm256_sub_epi32(*count, _mm256_cmpgt_epi32(keys, bound));
                }
            }
            let eight = _mm256_add_epi32(counts[0], counts[1]);
            let four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
            let two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
            _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two))) as u32
        }
    }

    #[inline(always)]
    unsafe fn pick(self, x: &[f32], indices: &[u16; BLOCK]) -> Self::Wide {
        // SAFETY: the caller's promise; the machine has AVX2, as `self` exists.
        unsafe {
            let [low, high] = halves(x, indices);
            [_mm256_cvtps_pd(low), _mm256_cvtps_pd(high)]
        }
    }

    #[inline(always)]
    fn widen_bf16(self, values: &[u16; BLOCK]) -> Self::Wide {
        // SAFETY: the machine has AVX2, as `self` exists; the load is the block's and needs no alignment.
        unsafe {
            let narrow = widen_bf16(values);
            [_mm256_cvtps_pd(_mm256_castps256_ps128(narrow)), _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(narrow))]
        }
    }
}

impl Sparse for Avx512 {
    #[inline(always)]
    fn reach(self, numbers: &[u32; WORD], bound: u32) -> u64 {
        let mut word = 0;
        // SAFETY: the machine has AVX-512F, as `self` exists; the loads are whole blocks and need no alignment.
        unsafe {
            let (key, bound) = (_mm512_set1_epi32(KEY as i32), _mm512_set1_epi32(bound as i32));
            for (index, block) in numbers.as_chunks::<16>().0.iter().enumerate() {
                let keys = _mm512_and_si512(_mm512_loadu_si512(block.as_ptr().cast()), key);
                word |= u64::from(_mm512_cmpge_epu32_mask(keys, bound)) << (index * 16);
            }
        }
        word
    }

    #[inline(always)]
    fn count(self, keys: &[[u32; COUNTED]], bound: u32) -> u32 {
        let mut count = 0;
        // SAFETY: the machine has AVX-512F, as `self` exists; the loads are whole blocks and need no alignment.
        unsafe {
            let bound = _mm512_set1_epi32(bound as i32);
            for keys in keys {
                let keys = _mm512_loadu_si512(keys.as_ptr().cast());
                count += _mm512_cmpge_epu32_mask(keys, bound).count_ones();
            }
        }
        count
    }

    #[inline(always)]
    unsafe fn pick(self, x: &[f32], indices: &[u16; BLOCK]) -> Self::Wide {
        // SAFETY: the caller's promise; the machine has AVX-512F, as `self` exists, and with it AVX2.
        unsafe {
            let [low, high] = halves(x, indices);
            _mm512_cvtps_pd(_mm256_set_m128(high, low))
        }
    }

    #[inline(always)]
    fn widen_bf16(self, values: &[u16; BLOCK]) -> Self::Wide {
        // SAFETY: the machine has AVX-512F, as `self` exists; the load is the block's and needs no alignment.
        unsafe { _mm512_cvtps_pd(widen_bf16(values)) }
    }
}

/// The numbers at eight places, each by a load of its own: the instruction that gathers is no faster, and on many
/// machines slower.
///
/// # Safety
/// The indices are below the length of `x`.
#[inline(always)]
unsafe fn halves(x: &[f32], indices: &[u16; BLOCK]) -> [__m128; 2] {
    let [a, b, c, d, e, f, g, h] = *indices;
    // SAFETY: the caller's promise; every x86-64 has the rest.
    unsafe {
        [_mm_setr_ps(at(x, a), at(x, b), at(x, c), at(x, d)), _mm_setr_ps(at(x, e), at(x, f), at(x, g), at(x, h))]
    }
}

/// # Safety
/// The index is below the length of `x`.
#[inline(always)]
unsafe fn at(x: &[f32], index: u16) -> f32 {
    // SAFETY: the caller's promise.
    unsafe { *x.get_unchecked(usize::from(index)) }
}

/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn widen_bf16(values: &[u16; BLOCK]) -> __m256 {
    // SAFETY: the caller's promise; the load is the block's and needs no alignment.
    unsafe {
        let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(values.as_ptr().cast()));
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
    }
}

//! Selection and sparse columns in the vector registers of x86.

use core::arch::x86_64::*;

use super::avx2::Avx2;
use super::avx512::Avx512;
use crate::simd::lanes::LANES;
use crate::simd::sparse::{COUNTED, Filter, KEY, KEYS, MET, Sparse};

impl Sparse<f32> for Avx2 {
    #[inline(always)]
    fn reach(self, given: &[f32; KEYS], feedback: &[f32; KEYS], bound: u32) -> u64 {
        let mut bits = 0;
        let vectors = given.as_chunks::<LANES>().0.iter().zip(feedback.as_chunks::<LANES>().0);
        // SAFETY: the machine has AVX2, as `self` exists; the loads are whole vectors and need no alignment.
        unsafe {
            let (key, bound) = (_mm256_set1_epi32(KEY as i32), _mm256_set1_epi32((bound as i32).wrapping_sub(1)));
            for (index, (given, feedback)) in vectors.enumerate() {
                let sums = _mm256_add_ps(_mm256_loadu_ps(feedback.as_ptr()), _mm256_loadu_ps(given.as_ptr()));
                // Keys have no sign bit, so a signed comparison orders them.
                let keys = _mm256_and_si256(_mm256_castps_si256(sums), key);
                let reached = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(keys, bound)));
                bits |= (reached as u64) << (index * LANES);
            }
        }
        bits
    }

    #[inline(always)]
    fn count(self, keys: &[[u32; COUNTED]], bound: u32) -> u32 {
        // SAFETY: the machine has AVX2, as `self` exists; the loads are whole vectors and need no alignment.
        unsafe {
            let bound = _mm256_set1_epi32((bound as i32).wrapping_sub(1));
            let mut counts = [_mm256_setzero_si256(); 2];
            for keys in keys {
                for (count, keys) in counts.iter_mut().zip(keys.as_chunks::<LANES>().0) {
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
    fn meet(self, filter: &Filter, indices: &[u16; MET]) -> u32 {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { meet(filter, indices) }
    }

    #[inline(always)]
    unsafe fn pick(self, x: &[f32], indices: &[u16; LANES]) -> Self::F64s {
        // SAFETY: the caller's promise; the machine has AVX2, as `self` exists.
        unsafe {
            let [low, high] = halves(x, indices);
            [_mm256_cvtps_pd(low), _mm256_cvtps_pd(high)]
        }
    }

    #[inline(always)]
    fn widen_bf16(self, values: &[u16; LANES]) -> Self::F64s {
        // SAFETY: the machine has AVX2, as `self` exists; the load is the vector's and needs no alignment.
        unsafe {
            let (zero, values) = (_mm_setzero_si128(), _mm_loadu_si128(values.as_ptr().cast()));
            let (low, high) = (_mm_unpacklo_epi16(zero, values), _mm_unpackhi_epi16(zero, values));
            [_mm256_cvtps_pd(_mm_castsi128_ps(low)), _mm256_cvtps_pd(_mm_castsi128_ps(high))]
        }
    }
}

impl<const BF16: bool> Sparse<f32> for Avx512<BF16> {
    #[inline(always)]
    fn reach(self, given: &[f32; KEYS], feedback: &[f32; KEYS], bound: u32) -> u64 {
        let mut bits = 0;
        let sixteens = given.as_chunks::<16>().0.iter().zip(feedback.as_chunks::<16>().0);
        // SAFETY: the machine has AVX-512F, as `self` exists; the loads are whole sixteens and need no alignment.
        unsafe {
            let (key, bound) = (_mm512_set1_epi32(KEY as i32), _mm512_set1_epi32(bound as i32));
            for (index, (given, feedback)) in sixteens.enumerate() {
                let sums = _mm512_add_ps(_mm512_loadu_ps(feedback.as_ptr()), _mm512_loadu_ps(given.as_ptr()));
                let keys = _mm512_and_si512(_mm512_castps_si512(sums), key);
                bits |= u64::from(_mm512_cmpge_epu32_mask(keys, bound)) << (index * 16);
            }
        }
        bits
    }

    #[inline(always)]
    fn count(self, keys: &[[u32; COUNTED]], bound: u32) -> u32 {
        let mut count = 0;
        // SAFETY: the machine has AVX-512F, as `self` exists; the loads are whole vectors and need no alignment.
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
    fn meet(self, filter: &Filter, indices: &[u16; MET]) -> u32 {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { meet(filter, indices) }
    }

    #[inline(always)]
    unsafe fn pick(self, x: &[f32], indices: &[u16; LANES]) -> Self::F64s {
        // SAFETY: the caller's promise; the machine has AVX-512F, as `self` exists, and with it AVX2.
        unsafe {
            let [low, high] = halves(x, indices);
            _mm512_cvtps_pd(_mm256_set_m128(high, low))
        }
    }

    #[inline(always)]
    fn widen_bf16(self, values: &[u16; LANES]) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists; the load is the vector's and needs no alignment.
        unsafe {
            let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(values.as_ptr().cast()));
            _mm512_cvtps_pd(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits)))
        }
    }
}

/// The numbers at eight indices, each by a load of its own: the gather instruction is not faster, and slower on many
/// machines.
///
/// # Safety
/// The indices are below the length of `x`.
#[inline(always)]
unsafe fn halves(x: &[f32], indices: &[u16; LANES]) -> [__m128; 2] {
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
unsafe fn meet(filter: &Filter, indices: &[u16; MET]) -> u32 {
    let start: *const __m256i = indices.as_ptr().cast();
    // SAFETY: the caller's promise; the loads lie inside the array and need no alignment.
    unsafe {
        let (first, second) = (_mm256_loadu_si256(start), _mm256_loadu_si256(start.add(1)));
        let byte = _mm256_set1_epi16(0xff);
        // Packing interleaves the halves of `first` and `second`. The permutation at the end undoes it.
        let low = _mm256_packus_epi16(_mm256_and_si256(first, byte), _mm256_and_si256(second, byte));
        let (first, second) = (_mm256_srli_epi16::<4>(first), _mm256_srli_epi16::<4>(second));
        let high = _mm256_packus_epi16(_mm256_and_si256(first, byte), _mm256_and_si256(second, byte));
        let absent = _mm256_or_si256(absent(&filter.low, low), absent(&filter.high, high));
        let present = _mm256_cmpeq_epi8(absent, _mm256_setzero_si256());
        _mm256_movemask_epi8(_mm256_permute4x64_epi64::<0b11_01_10_00>(present)) as u32
    }
}

/// Not zero for each of 32 bytes that has no bit in a table of 256 bits.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn absent(table: &[u8; 32], bytes: __m256i) -> __m256i {
    // SAFETY: the caller's promise; the loads lie inside the table and need no alignment.
    unsafe {
        let halves: *const __m128i = table.as_ptr().cast();
        let first = _mm256_broadcastsi128_si256(_mm_loadu_si128(halves));
        let second = _mm256_broadcastsi128_si256(_mm_loadu_si128(halves.add(1)));
        let row = _mm256_and_si256(_mm256_srli_epi16::<3>(bytes), _mm256_set1_epi8(31));
        // A lookup gives zero where the highest bit of the row is set. The sums set it for rows of the other half.
        let low = _mm256_shuffle_epi8(first, _mm256_add_epi8(row, _mm256_set1_epi8(0x70)));
        let high = _mm256_shuffle_epi8(second, _mm256_sub_epi8(row, _mm256_set1_epi8(16)));
        let bit = _mm256_shuffle_epi8(
            _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64),
            _mm256_and_si256(bytes, _mm256_set1_epi8(7)),
        );
        _mm256_andnot_si256(_mm256_or_si256(low, high), bit)
    }
}

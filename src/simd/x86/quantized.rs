//! Conversions and products of quantized numbers in the vector registers of x86.

use core::arch::x86_64::*;

use super::avx2::Avx2;
use super::avx512::Avx512;
use crate::simd::lanes::{LANES, Lanes, Load, PAIR};
use crate::simd::numbers::{Bf16, F16};
use crate::simd::products::{Products, RUN};
use crate::simd::quantized::{Decode, Encode, in_two};

/// Numbers clamped to the range of finite bfloat16.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn within_bf16(x: __m256) -> __m256 {
    let largest = Bf16(0x7f7f).to_f32();
    // SAFETY: the caller's promise.
    unsafe { _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(largest)), _mm256_set1_ps(-largest)) }
}

/// In the high halves, the nearest bfloat16 of numbers within its range; of two equally near, the even one.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn round_to_bf16(x: __m256) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        let bits = _mm256_castps_si256(x);
        let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
        _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd)
    }
}

/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn high_halves(x: __m256i) -> __m128i {
    // SAFETY: the caller's promise.
    unsafe {
        let halves = _mm256_srli_epi32::<16>(x);
        _mm_packus_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves))
    }
}

/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn from_bf16(vector: &[Bf16; LANES]) -> __m256 {
    // SAFETY: the caller's promise; the load is the vector's and needs no alignment.
    unsafe {
        let halves = _mm_loadu_si128(vector.as_ptr().cast());
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
    }
}

/// # Safety
/// The machine has F16C.
#[inline(always)]
unsafe fn from_f16(vector: &[F16; LANES]) -> __m256 {
    // SAFETY: the caller's promise; the load is the vector's and needs no alignment.
    unsafe { _mm256_cvtph_ps(_mm_loadu_si128(vector.as_ptr().cast())) }
}

/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn from_int8(vector: &[i8; LANES]) -> __m256i {
    // SAFETY: the caller's promise; the load is the vector's and needs no alignment.
    unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(vector.as_ptr().cast())) }
}

/// Eight integers that 8 bits hold.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn store_int8(x: __m256i, vector: &mut [i8; LANES]) {
    // SAFETY: the caller's promise; the store is the vector's and needs no alignment.
    unsafe {
        let words = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
        _mm_storel_epi64(vector.as_mut_ptr().cast(), _mm_packs_epi16(words, words));
    }
}

/// The conversions that are the same on AVX2 and AVX-512, in registers of 256 bits.
macro_rules! conversions {
    ($lanes:ty $(, const $parameter:ident)?) => {
        impl$(<const $parameter: bool>)? Decode<Bf16, f32> for $lanes {
            #[inline(always)]
            fn decode(self, vector: &[Bf16; LANES]) -> Self::F64s {
                Load::<f32>::widen(self, Decode::<Bf16, f32>::decode_native(self, vector))
            }

            #[inline(always)]
            fn decode_native(self, vector: &[Bf16; LANES]) -> __m256 {
                // SAFETY: the machine has AVX2, as `self` exists.
                unsafe { from_bf16(vector) }
            }

            /// The numbers at even places, then those at odd places: one shift and one mask. Single vectors take two
            /// shuffles each.
            #[inline(always)]
            fn decode_pair(self, pair: &[Bf16; PAIR]) -> [__m256; 2] {
                // SAFETY: the machine has AVX2, as `self` exists; the load is the pair's and needs no alignment.
                unsafe {
                    let halves = _mm256_loadu_si256(pair.as_ptr().cast());
                    let odd = _mm256_and_si256(halves, _mm256_set1_epi32(!0xffff));
                    [_mm256_castsi256_ps(_mm256_slli_epi32::<16>(halves)), _mm256_castsi256_ps(odd)]
                }
            }

            #[inline(always)]
            fn in_order(self, [even, odd]: [__m256; 2]) -> [__m256; 2] {
                // SAFETY: the machine has AVX2, as `self` exists.
                unsafe {
                    let (low, high) = (_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd));
                    [_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high)]
                }
            }
        }

        impl$(<const $parameter: bool>)? Decode<F16, f32> for $lanes {
            #[inline(always)]
            fn decode(self, vector: &[F16; LANES]) -> Self::F64s {
                Load::<f32>::widen(self, Decode::<F16, f32>::decode_native(self, vector))
            }

            #[inline(always)]
            fn decode_native(self, vector: &[F16; LANES]) -> __m256 {
                // SAFETY: the machine has F16C, as `self` exists.
                unsafe { from_f16(vector) }
            }
        }

        impl$(<const $parameter: bool>)? Encode<F16, f32> for $lanes {
            #[inline(always)]
            fn encode(self, x: __m256, factor: f64, vector: &mut [F16; LANES]) -> __m256 {
                // SAFETY: the machine has AVX2 and F16C, as `self` exists; the store is the vector's and needs no
                // alignment.
                unsafe {
                    let scaled = _mm256_mul_ps(x, _mm256_set1_ps(factor as f32));
                    let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(scaled);
                    _mm_storeu_si128(vector.as_mut_ptr().cast(), halves);
                    _mm256_cvtph_ps(halves)
                }
            }
        }

        impl$(<const $parameter: bool>)? Encode<i8, f32> for $lanes {
            #[inline(always)]
            fn encode(self, x: __m256, factor: f64, vector: &mut [i8; LANES]) -> __m256 {
                let [first, second] = in_two(factor);
                // SAFETY: the machine has AVX2, as `self` exists.
                unsafe {
                    let scaled = _mm256_mul_ps(_mm256_mul_ps(x, _mm256_set1_ps(first)), _mm256_set1_ps(second));
                    let integers = _mm256_cvtps_epi32(scaled);
                    store_int8(integers, vector);
                    _mm256_cvtepi32_ps(integers)
                }
            }
        }
    };
}
conversions!(Avx2);
conversions!(Avx512<BF16>, const BF16);

/// Encoding bfloat16 without instructions for it.
macro_rules! encode_bf16 {
    ($lanes:ty) => {
        impl Encode<Bf16, f32> for $lanes {
            #[inline(always)]
            fn encode(self, x: __m256, _factor: f64, vector: &mut [Bf16; LANES]) -> __m256 {
                // SAFETY: the machine has AVX2, as `self` exists; the store is the vector's and needs no alignment.
                unsafe {
                    let rounded = round_to_bf16(within_bf16(x));
                    _mm_storeu_si128(vector.as_mut_ptr().cast(), high_halves(rounded));
                    _mm256_castsi256_ps(_mm256_and_si256(rounded, _mm256_set1_epi32(!0xffff)))
                }
            }
        }
    };
}
encode_bf16!(Avx2);
encode_bf16!(Avx512<false>);

impl Decode<i8, f32> for Avx2 {
    #[inline(always)]
    fn decode(self, vector: &[i8; LANES]) -> Self::F64s {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { integers_to_f64s(from_int8(vector)) }
    }

    #[inline(always)]
    fn decode_native(self, vector: &[i8; LANES]) -> __m256 {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { _mm256_cvtepi32_ps(from_int8(vector)) }
    }
}

impl<const BF16: bool> Decode<i8, f32> for Avx512<BF16> {
    #[inline(always)]
    fn decode(self, vector: &[i8; LANES]) -> Self::F64s {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
        unsafe { _mm512_cvtepi32_pd(from_int8(vector)) }
    }

    #[inline(always)]
    fn decode_native(self, vector: &[i8; LANES]) -> __m256 {
        // SAFETY: the machine has AVX-512F, as `self` exists, and with it AVX2.
        unsafe { _mm256_cvtepi32_ps(from_int8(vector)) }
    }
}

/// Products of integers, the same on AVX2 and AVX-512, in registers of 256 bits.
macro_rules! integer_products {
    ($lanes:ty, $widen:expr $(, const $parameter:ident)?) => {
        impl$(<const $parameter: bool>)? Products<i8> for $lanes {
            const COLUMNS: usize = <Self as Lanes>::COMBINED;

            /// Magnitudes, and the numbers themselves, whose signs are used.
            type Factors = [__m256i; 2];
            type Sums = __m256i;

            #[inline(always)]
            fn start(_norm: f64, _largest: f64) -> f64 {
                0.0
            }

            #[inline(always)]
            fn begin(self, _start: f64) -> __m256i {
                // SAFETY: the machine has AVX2, as `self` exists.
                unsafe { _mm256_setzero_si256() }
            }

            #[inline(always)]
            fn factors(self, x: &[i8; RUN], _power: f32) -> [__m256i; 2] {
                // SAFETY: the machine has AVX2, as `self` exists; the load is the array's and needs no alignment.
                unsafe {
                    let x = _mm256_loadu_si256(x.as_ptr().cast());
                    [_mm256_abs_epi8(x), x]
                }
            }

            #[inline(always)]
            fn add_products(self, [magnitude, sign]: [__m256i; 2], y: &[i8; RUN], sums: __m256i) -> __m256i {
                // SAFETY: the machine has AVX2, as `self` exists; the load is the array's and needs no alignment.
                unsafe {
                    let y = _mm256_sign_epi8(_mm256_loadu_si256(y.as_ptr().cast()), sign);
                    // Two products of at most 127² do not overflow 16 bits.
                    let pairs = _mm256_maddubs_epi16(magnitude, y);
                    _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
                }
            }

            #[inline(always)]
            fn widen_sums(self, sums: __m256i, _start: f64) -> Self::F64s {
                // SAFETY: the machine has this table's instructions, as `self` exists.
                unsafe { $widen(sums) }
            }
        }
    };
}
integer_products!(Avx2, integers_to_f64s);
integer_products!(Avx512<BF16>, _mm512_cvtepi32_pd, const BF16);

/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn integers_to_f64s(x: __m256i) -> [__m256d; 2] {
    // SAFETY: the caller's promise.
    unsafe { [_mm256_cvtepi32_pd(_mm256_castsi256_si128(x)), _mm256_cvtepi32_pd(_mm256_extracti128_si256::<1>(x))] }
}

/// Encoding bfloat16 by the machine's own instruction.
impl Encode<Bf16, f32> for Avx512<true> {
    #[inline(always)]
    fn encode(self, x: __m256, _factor: f64, vector: &mut [Bf16; LANES]) -> __m256 {
        // SAFETY: the machine has AVX-512 BF16 and VL, as `self` exists.
        unsafe { encode_bf16(x, vector) }
    }
}

/// The bits of the least normal number, and of the least number that is rounded to an infinity.
const LEAST: i32 = 0x0080_0000;
const BEYOND: i32 = 0x7f7f_8000;

/// Stores eight numbers, and returns what it stored.
///
/// # Safety
/// The machine has AVX-512 BF16 and VL.
#[inline(always)]
unsafe fn encode_bf16(x: __m256, vector: &mut [Bf16; LANES]) -> __m256 {
    // SAFETY: the caller's promise; both types are 128 bits; the store is the vector's and needs no alignment.
    unsafe {
        // The instruction takes subnormal numbers for zeros, and rounds numbers beyond the largest bfloat16 to
        // infinity.
        let bits = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fff_ffff));
        let above = _mm256_sub_epi32(bits, _mm256_set1_epi32(LEAST));
        let ordinary = _mm256_cmplt_epu32_mask(above, _mm256_set1_epi32(BEYOND - LEAST));
        let halves = if ordinary == !0 {
            core::mem::transmute::<__m128bh, __m128i>(_mm256_cvtneps_pbh(x))
        } else {
            high_halves(round_to_bf16(within_bf16(x)))
        };
        _mm_storeu_si128(vector.as_mut_ptr().cast(), halves);
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
    }
}

//! Numbers as windows store them, in the vector registers of x86.

use core::arch::x86_64::*;

use super::super::lanes::{BLOCK, Decode, Encode, Encoder, Lanes, Load, PAIR};
use super::super::portable;
use super::super::products::{Products, RUN};
use super::super::stored::{Bf16, Compressed, F16, StoredKernels, compressed_table, encode_loop, in_two, measure_loop};
use super::{Avx2, Avx512, Features};

compressed_table!(Avx2, "avx2", ["avx2,fma,f16c"]);
compressed_table!(Avx512, "avx512", ["avx512f"]);

/// The loops over what windows store, with every instruction set that the machine has, the best first.
pub(in super::super) fn compressed() -> [Option<&'static Compressed<f32>>; 4] {
    const AVX2: &Compressed<f32> = &Avx2::compressed_table();
    const AVX512: &Compressed<f32> = &Avx512::compressed_table();
    const AVX512_BF16: &Compressed<f32> = &Compressed {
        name: "avx512bf16",
        bf16: StoredKernels {
            encode: encode_loop!(Avx512, ["avx512f,avx512vl,avx512bf16"], Bf16, Native),
            measure: measure_loop!(Avx512, ["avx512f,avx512vl,avx512bf16"], Bf16, Native),
            ..Avx512::compressed_table().bf16
        },
        ..Avx512::compressed_table()
    };
    let has = Features::detected();
    [
        has.avx512_bf16_loops().then_some(AVX512_BF16),
        has.avx512_loops().then_some(AVX512),
        has.avx2_loops().then_some(AVX2),
        Some(portable::COMPRESSED),
    ]
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

/// In the high halves the nearest that bfloat16 has of numbers within its range, of two as near the even one.
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
unsafe fn store_int8(x: __m256i, block: &mut [i8; BLOCK]) {
    // SAFETY: the caller's promise; the store is the block's and needs no alignment.
    unsafe {
        let words = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
        _mm_storel_epi64(block.as_mut_ptr().cast(), _mm_packs_epi16(words, words));
    }
}

/// The same for every set of registers that has 256 bits: decoding to 32 bits, and encoding.
macro_rules! narrow_conversions {
    ($lanes:ident) => {
        impl Decode<Bf16, f32> for $lanes {
            #[inline(always)]
            fn decode(self, block: &[Bf16; BLOCK]) -> Self::Wide {
                Load::<f32>::widen(self, Decode::<Bf16, f32>::decode_narrow(self, block))
            }

            #[inline(always)]
            fn decode_narrow(self, block: &[Bf16; BLOCK]) -> __m256 {
                // SAFETY: the machine has AVX2, as `self` exists.
                unsafe { from_bf16(block) }
            }

            /// The even numbers, then the odd ones: a shift and a mask. Single blocks take two shuffles each.
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

        impl Encode<Bf16, f32> for $lanes {
            #[inline(always)]
            fn encode(self, x: __m256, _factor: f64, block: &mut [Bf16; BLOCK]) -> __m256 {
                // SAFETY: the machine has AVX2, as `self` exists; the store is the block's and needs no alignment.
                unsafe {
                    let rounded = round_to_bf16(within_bf16(x));
                    _mm_storeu_si128(block.as_mut_ptr().cast(), high_halves(rounded));
                    _mm256_castsi256_ps(_mm256_and_si256(rounded, _mm256_set1_epi32(!0xffff)))
                }
            }
        }

        impl Decode<F16, f32> for $lanes {
            #[inline(always)]
            fn decode(self, block: &[F16; BLOCK]) -> Self::Wide {
                Load::<f32>::widen(self, Decode::<F16, f32>::decode_narrow(self, block))
            }

            #[inline(always)]
            fn decode_narrow(self, block: &[F16; BLOCK]) -> __m256 {
                // SAFETY: the machine has F16C, as `self` exists.
                unsafe { from_f16(block) }
            }
        }

        impl Encode<F16, f32> for $lanes {
            #[inline(always)]
            fn encode(self, x: __m256, factor: f64, block: &mut [F16; BLOCK]) -> __m256 {
                // SAFETY: the machine has AVX2 and F16C, as `self` exists; the store is the block's and needs no
                // alignment.
                unsafe {
                    let scaled = _mm256_mul_ps(x, _mm256_set1_ps(factor as f32));
                    let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(scaled);
                    _mm_storeu_si128(block.as_mut_ptr().cast(), halves);
                    _mm256_cvtph_ps(halves)
                }
            }
        }

        impl Encode<i8, f32> for $lanes {
            #[inline(always)]
            fn encode(self, x: __m256, factor: f64, block: &mut [i8; BLOCK]) -> __m256 {
                let [first, second] = in_two(factor);
                // SAFETY: the machine has AVX2, as `self` exists.
                unsafe {
                    let scaled = _mm256_mul_ps(_mm256_mul_ps(x, _mm256_set1_ps(first)), _mm256_set1_ps(second));
                    let whole = _mm256_cvtps_epi32(scaled);
                    store_int8(whole, block);
                    _mm256_cvtepi32_ps(whole)
                }
            }
        }
    };
}
narrow_conversions!(Avx2);
narrow_conversions!(Avx512);

impl Decode<i8, f32> for Avx2 {
    #[inline(always)]
    fn decode(self, block: &[i8; BLOCK]) -> Self::Wide {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { whole_to_wide(from_int8(block)) }
    }

    #[inline(always)]
    fn decode_narrow(self, block: &[i8; BLOCK]) -> __m256 {
        // SAFETY: the machine has AVX2, as `self` exists.
        unsafe { _mm256_cvtepi32_ps(from_int8(block)) }
    }
}

impl Decode<i8, f32> for Avx512 {
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
}

/// The same for every set of registers that has 256 bits.
macro_rules! whole_products {
    ($lanes:ident, $widen:expr) => {
        impl Products<i8> for $lanes {
            const COLUMNS: usize = <Self as Lanes>::COMBINED;

            /// Magnitudes, and the numbers themselves for their signs.
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
            fn factors(self, x: &[i8; RUN], _unit: f32) -> [__m256i; 2] {
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
            fn widen_sums(self, sums: __m256i, _start: f64) -> Self::Wide {
                // SAFETY: the machine has this table's instructions, as `self` exists.
                unsafe { $widen(sums) }
            }
        }
    };
}
whole_products!(Avx2, whole_to_wide);
whole_products!(Avx512, _mm512_cvtepi32_pd);

/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn whole_to_wide(x: __m256i) -> [__m256d; 2] {
    // SAFETY: the caller's promise.
    unsafe { [_mm256_cvtepi32_pd(_mm256_castsi256_si128(x)), _mm256_cvtepi32_pd(_mm256_extracti128_si256::<1>(x))] }
}

/// The machine's own conversion to bfloat16. Named only in the tables of machines that have it.
struct Native;

impl Encoder<Avx512, Bf16, f32> for Native {
    #[inline(always)]
    fn encode(_lanes: Avx512, x: __m256, _factor: f64, block: &mut [Bf16; BLOCK]) -> __m256 {
        // SAFETY: the machine has AVX-512 BF16 and VL, as this is named.
        unsafe { encode_bf16(x, block) }
    }
}

/// The bits of the least normal number, and of the least that is rounded to an infinity.
const LEAST: i32 = 0x0080_0000;
const BEYOND: i32 = 0x7f7f_8000;

/// Stores eight numbers, and returns what it stored.
///
/// # Safety
/// The machine has AVX-512 BF16 and VL.
#[inline(always)]
unsafe fn encode_bf16(x: __m256, block: &mut [Bf16; BLOCK]) -> __m256 {
    // SAFETY: the caller's promise; both types are 128 bits; the store is the block's and needs no alignment.
    unsafe {
        // The instruction takes numbers below the least normal one for zeros, and rounds those beyond the largest to
        // infinity.
        let bits = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fff_ffff));
        let above = _mm256_sub_epi32(bits, _mm256_set1_epi32(LEAST));
        let usual = _mm256_cmplt_epu32_mask(above, _mm256_set1_epi32(BEYOND - LEAST));
        let halves = if usual == !0 {
            core::mem::transmute::<__m128bh, __m128i>(_mm256_cvtneps_pbh(x))
        } else {
            high_halves(round_to_bf16(within_bf16(x)))
        };
        _mm_storeu_si128(block.as_mut_ptr().cast(), halves);
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
    }
}

//! Conversions and products of quantized numbers in the vector registers of aarch64. They do without the instructions
//! for bfloat16 and 8-bit products that only newer machines have.

use core::arch::aarch64::*;
use core::arch::asm;

use super::Neon;
use crate::simd::lanes::{LANES, Lanes, Load, PAIR};
use crate::simd::numbers::{Bf16, F16};
use crate::simd::products::{Products, RUN};
use crate::simd::quantized::{Decode, Encode, in_two};

impl Decode<Bf16, f32> for Neon {
    #[inline(always)]
    fn decode(self, vector: &[Bf16; LANES]) -> Self::F64s {
        Load::<f32>::widen(self, Decode::<Bf16, f32>::decode_native(self, vector))
    }

    #[inline(always)]
    fn decode_native(self, vector: &[Bf16; LANES]) -> [float32x4_t; 2] {
        // SAFETY: every aarch64 has NEON; the load is the vector's and needs no alignment.
        unsafe { from_bf16(vld1q_u16(vector.as_ptr().cast())) }
    }

    /// The numbers at even places, then those at odd places.
    #[inline(always)]
    fn decode_pair(self, pair: &[Bf16; PAIR]) -> [[float32x4_t; 2]; 2] {
        // SAFETY: every aarch64 has NEON; both loads lie inside the pair and need no alignment.
        unsafe {
            let start = pair.as_ptr().cast::<u16>();
            let halves = [vreinterpretq_u32_u16(vld1q_u16(start)), vreinterpretq_u32_u16(vld1q_u16(start.add(LANES)))];
            let odd = vdupq_n_u32(!0xffff);
            [
                [
                    vreinterpretq_f32_u32(vshlq_n_u32::<16>(halves[0])),
                    vreinterpretq_f32_u32(vshlq_n_u32::<16>(halves[1])),
                ],
                [vreinterpretq_f32_u32(vandq_u32(halves[0], odd)), vreinterpretq_f32_u32(vandq_u32(halves[1], odd))],
            ]
        }
    }

    #[inline(always)]
    fn in_order(self, [even, odd]: [[float32x4_t; 2]; 2]) -> [[float32x4_t; 2]; 2] {
        // SAFETY: every aarch64 has NEON.
        unsafe {
            [
                [vzip1q_f32(even[0], odd[0]), vzip2q_f32(even[0], odd[0])],
                [vzip1q_f32(even[1], odd[1]), vzip2q_f32(even[1], odd[1])],
            ]
        }
    }
}

impl Encode<Bf16, f32> for Neon {
    #[inline(always)]
    fn encode(self, x: [float32x4_t; 2], _factor: f64, vector: &mut [Bf16; LANES]) -> [float32x4_t; 2] {
        // SAFETY: every aarch64 has NEON; the store is the vector's and needs no alignment.
        unsafe {
            let rounded = [round_to_bf16(x[0]), round_to_bf16(x[1])];
            let halves = vshrn_high_n_u32::<16>(vshrn_n_u32::<16>(rounded[0]), rounded[1]);
            vst1q_u16(vector.as_mut_ptr().cast(), halves);
            from_bf16(halves)
        }
    }
}

/// # Safety
/// The machine has NEON.
#[inline(always)]
pub(super) unsafe fn from_bf16(halves: uint16x8_t) -> [float32x4_t; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        let zeros = vdupq_n_u16(0);
        [vreinterpretq_f32_u16(vzip1q_u16(zeros, halves)), vreinterpretq_f32_u16(vzip2q_u16(zeros, halves))]
    }
}

/// In the high halves, the nearest finite bfloat16; of two equally near, the even one.
///
/// # Safety
/// The machine has NEON.
#[inline(always)]
unsafe fn round_to_bf16(x: float32x4_t) -> uint32x4_t {
    let largest = Bf16(0x7f7f).to_f32();
    // SAFETY: the caller's promise.
    unsafe {
        let within = vmaxnmq_f32(vminnmq_f32(x, vdupq_n_f32(largest)), vdupq_n_f32(-largest));
        let bits = vreinterpretq_u32_f32(within);
        let odd = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
        vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd)
    }
}

impl Decode<F16, f32> for Neon {
    #[inline(always)]
    fn decode(self, vector: &[F16; LANES]) -> Self::F64s {
        Load::<f32>::widen(self, Decode::<F16, f32>::decode_native(self, vector))
    }

    #[inline(always)]
    fn decode_native(self, vector: &[F16; LANES]) -> [float32x4_t; 2] {
        // SAFETY: every aarch64 has NEON; the load is the vector's and needs no alignment.
        unsafe { from_f16(vld1q_u16(vector.as_ptr().cast())) }
    }
}

impl Encode<F16, f32> for Neon {
    #[inline(always)]
    fn encode(self, x: [float32x4_t; 2], factor: f64, vector: &mut [F16; LANES]) -> [float32x4_t; 2] {
        let scaled = Load::<f32>::mul_native(self, x, Load::<f32>::splat_native(self, factor));
        // SAFETY: every aarch64 has NEON; the store is the vector's and needs no alignment.
        unsafe {
            let halves = to_f16(scaled);
            vst1q_u16(vector.as_mut_ptr().cast(), halves);
            from_f16(halves)
        }
    }
}

/// Converts by the machine's own instruction, for which stable Rust has no function.
///
/// # Safety
/// The machine has NEON.
#[inline(always)]
unsafe fn from_f16(halves: uint16x8_t) -> [float32x4_t; 2] {
    let (low, high);
    // SAFETY: the caller's promise; nothing but the results is written.
    unsafe {
        asm!("fcvtl {0:v}.4s, {1:v}.4h", out(vreg) low, in(vreg) halves, options(pure, nomem, nostack));
        asm!("fcvtl2 {0:v}.4s, {1:v}.8h", out(vreg) high, in(vreg) halves, options(pure, nomem, nostack));
    }
    [low, high]
}

/// The nearest binary16; of two equally near, the even one. Numbers that are too large become an infinity.
///
/// # Safety
/// The machine has NEON.
#[inline(always)]
unsafe fn to_f16([low, high]: [float32x4_t; 2]) -> uint16x8_t {
    let halves;
    // SAFETY: the caller's promise; nothing but the result is written.
    unsafe {
        asm!(
            "fcvtn {0:v}.4h, {1:v}.4s",
            "fcvtn2 {0:v}.8h, {2:v}.4s",
            out(vreg) halves, in(vreg) low, in(vreg) high,
            options(pure, nomem, nostack)
        );
    }
    halves
}

impl Decode<i8, f32> for Neon {
    #[inline(always)]
    fn decode(self, vector: &[i8; LANES]) -> Self::F64s {
        Load::<f32>::widen(self, Decode::<i8, f32>::decode_native(self, vector))
    }

    #[inline(always)]
    fn decode_native(self, vector: &[i8; LANES]) -> [float32x4_t; 2] {
        // SAFETY: every aarch64 has NEON; the load is the vector's and needs no alignment.
        unsafe {
            let words = vmovl_s8(vld1_s8(vector.as_ptr()));
            [vcvtq_f32_s32(vmovl_s16(vget_low_s16(words))), vcvtq_f32_s32(vmovl_high_s16(words))]
        }
    }
}

impl Encode<i8, f32> for Neon {
    #[inline(always)]
    fn encode(self, x: [float32x4_t; 2], factor: f64, vector: &mut [i8; LANES]) -> [float32x4_t; 2] {
        let [first, second] = in_two(factor);
        // SAFETY: every aarch64 has NEON; the store is the vector's and needs no alignment.
        unsafe {
            let rounded = |x: float32x4_t| vcvtnq_s32_f32(vmulq_n_f32(vmulq_n_f32(x, first), second));
            let [low, high] = [rounded(x[0]), rounded(x[1])];
            vst1_s8(vector.as_mut_ptr(), vmovn_s16(vmovn_high_s32(vmovn_s32(low), high)));
            [vcvtq_f32_s32(low), vcvtq_f32_s32(high)]
        }
    }
}

impl Products<i8> for Neon {
    const COLUMNS: usize = <Self as Lanes>::COMBINED;

    type Factors = [int8x16_t; 2];
    type Sums = [int32x4_t; 2];

    #[inline(always)]
    fn start(_norm: f64, _largest: f64) -> f64 {
        0.0
    }

    #[inline(always)]
    fn begin(self, _start: f64) -> Self::Sums {
        // SAFETY: every aarch64 has NEON.
        unsafe { [vdupq_n_s32(0); 2] }
    }

    #[inline(always)]
    fn factors(self, x: &[i8; RUN], _power: f32) -> Self::Factors {
        // SAFETY: every aarch64 has NEON; both loads lie inside the array and need no alignment.
        unsafe { [vld1q_s8(x.as_ptr()), vld1q_s8(x.as_ptr().add(16))] }
    }

    #[inline(always)]
    fn add_products(self, x: Self::Factors, y: &[i8; RUN], sums: Self::Sums) -> Self::Sums {
        let y = self.factors(y, 1.0);
        // SAFETY: every aarch64 has NEON.
        unsafe { [add_sixteen(x[0], y[0], sums[0]), add_sixteen(x[1], y[1], sums[1])] }
    }

    #[inline(always)]
    fn widen_sums(self, [low, high]: Self::Sums, _start: f64) -> Self::F64s {
        // SAFETY: every aarch64 has NEON.
        unsafe {
            [
                vcvtq_f64_s64(vmovl_s32(vget_low_s32(low))),
                vcvtq_f64_s64(vmovl_high_s32(low)),
                vcvtq_f64_s64(vmovl_s32(vget_low_s32(high))),
                vcvtq_f64_s64(vmovl_high_s32(high)),
            ]
        }
    }
}

/// Adds four products to each sum. The sum of two products does not overflow 16 bits: a product is at most 127².
///
/// # Safety
/// The machine has NEON.
#[inline(always)]
unsafe fn add_sixteen(x: int8x16_t, y: int8x16_t, sums: int32x4_t) -> int32x4_t {
    // SAFETY: the caller's promise.
    unsafe {
        let pairs = vpaddq_s16(vmull_s8(vget_low_s8(x), vget_low_s8(y)), vmull_high_s8(x, y));
        vpadalq_s16(sums, pairs)
    }
}

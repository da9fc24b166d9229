//! Selection and sparse columns in the vector registers of aarch64.

use core::arch::aarch64::*;

use super::Neon;
use super::quantized::from_bf16;
use crate::simd::lanes::{LANES, Load};
use crate::simd::sparse::{COUNTED, Filter, KEY, KEYS, MET, Sparse};

impl Sparse<f32> for Neon {
    #[inline(always)]
    fn reach(self, given: &[f32; KEYS], feedback: &[f32; KEYS], bound: u32) -> u64 {
        const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
        // SAFETY: every aarch64 has NEON; the load is the array's.
        unsafe {
            let bits = vld1q_u8(BITS.as_ptr());
            let mut reached = [bits; KEYS / 16];
            let sixteens = given.as_chunks::<16>().0.iter().zip(feedback.as_chunks::<16>().0);
            for (reached, (given, feedback)) in reached.iter_mut().zip(sixteens) {
                *reached = vandq_u8(sixteen(given, feedback, bound), bits);
            }
            let [a, b, c, d] = reached;
            // Sums of eight neighbouring bytes turn a byte for each number into a bit for each number.
            let (low, high) = (vpaddq_u8(a, b), vpaddq_u8(c, d));
            let word = vpaddq_u8(low, high);
            vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(word, word)))
        }
    }

    #[inline(always)]
    fn meet(self, filter: &Filter, indices: &[u16; MET]) -> u32 {
        filter.meet(indices)
    }

    #[inline(always)]
    fn count(self, keys: &[[u32; COUNTED]], bound: u32) -> u32 {
        // SAFETY: every aarch64 has NEON; the loads are whole quarters and need no alignment.
        unsafe {
            let bound = vdupq_n_u32(bound);
            let mut counts = [vdupq_n_u32(0); COUNTED / 4];
            for keys in keys {
                for (count, keys) in counts.iter_mut().zip(keys.as_chunks::<4>().0) {
                    // A key that reaches the bound gives all ones, which is −1.
                    *count = vsubq_u32(*count, vcgeq_u32(vld1q_u32(keys.as_ptr()), bound));
                }
            }
            let [a, b, c, d] = counts;
            vaddvq_u32(vaddq_u32(vaddq_u32(a, b), vaddq_u32(c, d)))
        }
    }

    #[inline(always)]
    unsafe fn pick(self, x: &[f32], &[a, b, c, d, e, f, g, h]: &[u16; LANES]) -> Self::F64s {
        // SAFETY: the caller's promise.
        let x = unsafe { [four(x, [a, b, c, d]), four(x, [e, f, g, h])] };
        Load::<f32>::widen(self, x)
    }

    #[inline(always)]
    fn widen_bf16(self, values: &[u16; LANES]) -> Self::F64s {
        // SAFETY: every aarch64 has NEON; the load is the vector's and needs no alignment.
        Load::<f32>::widen(self, unsafe { from_bf16(vld1q_u16(values.as_ptr())) })
    }
}

/// For each of sixteen sums, a byte of ones if the key reaches `bound`, a byte of zeros if not.
///
/// # Safety
/// The machine has NEON.
#[inline(always)]
unsafe fn sixteen(given: &[f32; 16], feedback: &[f32; 16], bound: u32) -> uint8x16_t {
    let (given, feedback) = (given.as_ptr(), feedback.as_ptr());
    // SAFETY: the caller's promise; the loads lie inside the arrays and need no alignment.
    unsafe {
        let (key, bound) = (vdupq_n_u32(KEY), vdupq_n_u32(bound));
        let mut reached = [vdupq_n_u16(0); 4];
        for (quarter, reached) in reached.iter_mut().enumerate() {
            let sums = vaddq_f32(vld1q_f32(feedback.add(4 * quarter)), vld1q_f32(given.add(4 * quarter)));
            let keys = vandq_u32(vreinterpretq_u32_f32(sums), key);
            *reached = vreinterpretq_u16_u32(vcgeq_u32(keys, bound));
        }
        let [a, b, c, d] = reached;
        vuzp1q_u8(vreinterpretq_u8_u16(vuzp1q_u16(a, b)), vreinterpretq_u8_u16(vuzp1q_u16(c, d)))
    }
}

/// The numbers at four places.
///
/// # Safety
/// The machine has NEON; the indices are below the length of `x`.
#[inline(always)]
unsafe fn four(x: &[f32], [a, b, c, d]: [u16; 4]) -> float32x4_t {
    let start = x.as_ptr();
    // SAFETY: the caller's promise.
    unsafe {
        let four = vld1q_dup_f32(start.add(usize::from(a)));
        let four = vld1q_lane_f32::<1>(start.add(usize::from(b)), four);
        let four = vld1q_lane_f32::<2>(start.add(usize::from(c)), four);
        vld1q_lane_f32::<3>(start.add(usize::from(d)), four)
    }
}

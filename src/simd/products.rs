//! Products of numbers as windows store them, summed in 32 bits.
//!
//! - Products of 8-bit integers are integers. Their sums over a quantization group are exact.
//! - A product of two 16-bit floats (8 or 11 significant bits each) is exact in 32 bits. A sum is kept as two 32-bit
//!   numbers: the rounded sum, and the rounding error (Dekker's fast two-sum; Muller et al., Handbook of Floating-Point
//!   Arithmetic, section 4.3).

use super::lanes::{LANES, Lanes, Load, PAIR};
use super::numbers::{Bf16, F16};
use super::quantized::Decode;

/// Numbers that are multiplied at a time.
pub(crate) const RUN: usize = 4 * LANES;

/// 32-bit sums of products of numbers stored as `S`.
pub(crate) trait Products<S>: Lanes {
    /// Columns multiplied at a time, at most [`MOST_COLUMNS`](super::MOST_COLUMNS).
    const COLUMNS: usize;

    /// Decoded numbers of the vector that columns are multiplied by.
    type Factors: Copy;
    /// Eight sums.
    type Sums: Copy;

    /// The number that a column's sums start from. The vector's norm is at most `norm`, the column's largest number at
    /// most `largest`. Formats whose numbers have fixed bounds ignore both.
    fn start(norm: f64, largest: f64) -> f64;

    fn begin(self, start: f64) -> Self::Sums;

    /// Decodes `x`; floats are multiplied by `power`, a power of two.
    fn factors(self, x: &[S; RUN], power: f32) -> Self::Factors;

    fn add_products(self, x: Self::Factors, y: &[S; RUN], sums: Self::Sums) -> Self::Sums;

    /// The sums without the number that they started from.
    fn widen_sums(self, sums: Self::Sums, start: f64) -> Self::F64s;
}

/// Implements `Products` for floats. A sum adds one product of each vector, in the order of [`Decode::decode_pair`].
/// `start` is so large that a sum always exceeds the next product: this makes the rounding error exact.
macro_rules! two_part_sums {
    ($stored:ty, $start:item) => {
        impl<L: Load<f32> + Decode<$stored, f32>> Products<$stored> for L {
            // Each column takes two registers of sixteen; the others hold factors and intermediate results.
            const COLUMNS: usize = if L::COMBINED < 5 { L::COMBINED } else { 5 };

            type Factors = [[<L as Load<f32>>::Native; 2]; RUN / PAIR];
            /// Sums and their rounding errors.
            type Sums = [<L as Load<f32>>::Native; 2];

            #[inline(always)]
            $start

            #[inline(always)]
            fn begin(self, start: f64) -> Self::Sums {
                [self.splat_native(start), self.splat_native(0.0)]
            }

            #[inline(always)]
            fn factors(self, x: &[$stored; RUN], power: f32) -> Self::Factors {
                let mut factors = [[self.splat_native(f64::from(power)); 2]; RUN / PAIR];
                for (factors, pair) in factors.iter_mut().zip(x.as_chunks::<PAIR>().0) {
                    let [first, second] = self.decode_pair(pair);
                    *factors = [self.mul_native(factors[0], first), self.mul_native(factors[1], second)];
                }
                factors
            }

            #[inline(always)]
            fn add_products(self, x: Self::Factors, y: &[$stored; RUN], [mut sum, mut error]: Self::Sums) -> Self::Sums {
                for (x, pair) in x.into_iter().zip(y.as_chunks::<PAIR>().0) {
                    for (x, y) in x.into_iter().zip(self.decode_pair(pair)) {
                        let next = self.mul_add_native(x, y, sum);
                        error = self.add_native(error, self.mul_add_native(x, y, self.sub_native(sum, next)));
                        sum = next;
                    }
                }
                [sum, error]
            }

            #[inline(always)]
            fn widen_sums(self, [sum, error]: Self::Sums, start: f64) -> Self::F64s {
                self.add(self.add(self.widen(sum), self.splat(-start)), self.widen(error))
            }
        }
    };
}

// A quantization group's numbers are at most 2¹⁵, and 32 of their products at most 2³⁵.
two_part_sums! {
    F16,
    fn start(_norm: f64, _largest: f64) -> f64 {
        3.0 * (1_u64 << 34) as f64
    }
}

// By the Cauchy-Schwarz inequality, 32 products sum to at most √32·norm·largest, and one is at most norm·largest.
two_part_sums! {
    Bf16,
    fn start(norm: f64, largest: f64) -> f64 {
        8.0 * norm * largest
    }
}

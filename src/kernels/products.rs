//! Products of quantized columns with a vector that is quantized like them. 32-bit sums are enough:
//!
//! - Products of 8-bit numbers are whole numbers. Their sums over a quantization group are exact.
//! - A product of two 16-bit floats (8 or 11 significant bits each) is exact in 32 bits. A sum is kept as two 32-bit
//!   numbers: the rounded sum, and what rounding left out (Dekker's fast two-sum; Muller et al., Handbook of
//!   Floating-Point Arithmetic, section 4.3).
//!
//! Widening each number to f64 instead takes longer: docs/performance.md has the times before and after.

use super::Columns;
use super::columns::{check_columns, each_group, fetch, group_size, places};
use super::lanes::{BLOCK, Decode, Lanes, Load, PAIR};
use super::stored::{Bf16, F16, SCALED_UNIT, Stored};

/// Numbers that are multiplied at a time.
pub(super) const RUN: usize = 4 * BLOCK;

/// 32-bit sums of products of numbers stored as `S`.
pub(super) trait Products<S>: Lanes {
    /// Columns multiplied at a time, at most [`DOTS_GROUP`](super::columns::DOTS_GROUP).
    const COLUMNS: usize;

    /// Numbers of the vector, decoded.
    type Factors: Copy;
    /// Eight sums.
    type Sums: Copy;

    /// What the sums of a column start from. The vector's norm is at most `norm`, the column's largest number at most
    /// `largest`; formats whose numbers have fixed bounds ignore both.
    fn start(norm: f64, largest: f64) -> f64;

    fn begin(self, start: f64) -> Self::Sums;

    /// `x`; of floats, times `unit`.
    fn factors(self, x: &[S; RUN], unit: f32) -> Self::Factors;

    fn add_products(self, x: Self::Factors, y: &[S; RUN], sums: Self::Sums) -> Self::Sums;

    /// The sums less what they started from.
    fn widen_sums(self, sums: Self::Sums, start: f64) -> Self::Wide;
}

/// A sum adds one product of each block, in the order of [`Decode::decode_pair`]. `start` is so large that the sum always
/// exceeds the next product: then what rounding leaves out is exact.
macro_rules! two_part_sums {
    ($stored:ty, $start:item) => {
        impl<L: Load<f32> + Decode<$stored, f32>> Products<$stored> for L {
            // Sixteen registers hold two for each column, factors, and what is between.
            const COLUMNS: usize = if L::COMBINED < 5 { L::COMBINED } else { 5 };

            type Factors = [[<L as Load<f32>>::Narrow; 2]; RUN / PAIR];
            /// Sums, and what rounding left out of them.
            type Sums = [<L as Load<f32>>::Narrow; 2];

            #[inline(always)]
            $start

            #[inline(always)]
            fn begin(self, start: f64) -> Self::Sums {
                [self.splat_narrow(start), self.splat_narrow(0.0)]
            }

            #[inline(always)]
            fn factors(self, x: &[$stored; RUN], unit: f32) -> Self::Factors {
                let mut factors = [[self.splat_narrow(f64::from(unit)); 2]; RUN / PAIR];
                for (factors, pair) in factors.iter_mut().zip(x.as_chunks::<PAIR>().0) {
                    let [first, second] = self.decode_pair(pair);
                    *factors = [self.mul_narrow(factors[0], first), self.mul_narrow(factors[1], second)];
                }
                factors
            }

            #[inline(always)]
            fn add_products(self, x: Self::Factors, y: &[$stored; RUN], [mut sum, mut rest]: Self::Sums) -> Self::Sums {
                for (x, pair) in x.into_iter().zip(y.as_chunks::<PAIR>().0) {
                    for (x, y) in x.into_iter().zip(self.decode_pair(pair)) {
                        let next = self.mul_add_narrow(x, y, sum);
                        rest = self.add_narrow(rest, self.mul_add_narrow(x, y, self.sub_narrow(sum, next)));
                        sum = next;
                    }
                }
                [sum, rest]
            }

            #[inline(always)]
            fn widen_sums(self, [sum, rest]: Self::Sums, start: f64) -> Self::Wide {
                self.add(self.add(self.widen(sum), self.splat(-start)), self.widen(rest))
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

/// The power of two that a bfloat16 vector of norm at most `scale` is multiplied by, so that products with columns of
/// numbers up to `largest` do not overflow, and lose as few bits below the least normal number as possible.
#[inline(always)]
fn unit_for(scale: f64, largest: f64) -> f64 {
    const POWER: f64 = (1_u128 << 122) as f64;
    // The sums start from 8·norm·largest; the vector and the factor itself are 32-bit numbers too.
    let norm = (POWER / largest).min(POWER * scale).min((1_u128 << 100) as f64);
    norm / scale
}

/// See [`super::stored::CodeDots`].
#[inline(always)]
pub(super) fn code_dots<L, S>(lanes: L, codes: &[S], scales: &[f64], columns: Columns<'_, S>, sums: &mut [f64])
where
    L: Products<S>,
    S: Stored,
{
    check_columns(columns, sums.len(), codes.len());
    // Either a scale for each quantization group, or one for a whole vector.
    let grouped = S::UNIT.is_some();
    let groups = if grouped { codes.len().div_ceil(SCALED_UNIT) } else { 1 };
    assert!(scales.len() >= groups && columns.scales.stride >= groups, "a group without a scale");
    let unit = if grouped { 1.0 } else { unit_for(scales[0], largest_scale(columns, sums.len())) };
    each_group!(L::COLUMNS, [9, 8, 7, 6, 5, 4, 3, 2, 1], sums.len(), columns.omitted, first, places, SIZE, {
        let mut totals = [lanes.splat(0.0); SIZE];
        for (run, codes) in codes.chunks(SCALED_UNIT).enumerate() {
            let offset = run * SCALED_UNIT;
            let group = if grouped { run } else { 0 };
            let mut starts = [0.0; SIZE];
            let mut products = [lanes.begin(0.0); SIZE];
            for ((product, start), place) in products.iter_mut().zip(&mut starts).zip(places) {
                *start = L::start(unit * scales[group], scale_of(columns, place, group));
                *product = lanes.begin(*start);
            }
            let (blocks, rest) = codes.as_chunks::<RUN>();
            let mut runs = [blocks; SIZE];
            for (run, place) in runs.iter_mut().zip(places) {
                *run = columns.data[place * columns.stride + offset..].as_chunks().0;
                *run = &run[..blocks.len()];
            }
            for index in 0..blocks.len() {
                let block = (offset + index * RUN) / BLOCK;
                fetch::<L, f32, S, SIZE>(lanes, columns, places, first, block, RUN / BLOCK);
                let x = lanes.factors(&blocks[index], unit as f32);
                for (product, run) in products.iter_mut().zip(runs) {
                    *product = lanes.add_products(x, &run[index], *product);
                }
            }
            if !rest.is_empty() {
                let done = blocks.len() * RUN;
                let x = lanes.factors(&padded(rest), unit as f32);
                for (product, place) in products.iter_mut().zip(places) {
                    let column = &columns.data[place * columns.stride + offset + done..][..rest.len()];
                    *product = lanes.add_products(x, &padded(column), *product);
                }
            }
            for (((total, product), start), place) in totals.iter_mut().zip(products).zip(starts).zip(places) {
                // Two scales of at most 16 significant bits and, of whole numbers, a sum of 19: all of it is exact.
                let scale = if grouped { scales[group] * scale_of(columns, place, group) } else { 1.0 / unit };
                *total = lanes.mul_add(lanes.splat(scale), lanes.widen_sums(product, start), *total);
            }
        }
        for (place, total) in places.into_iter().zip(totals) {
            sums[place] += lanes.total(total);
        }
    });
}

#[inline(always)]
fn scale_of<S: Stored>(columns: Columns<'_, S>, place: usize, group: usize) -> f64 {
    columns.scales.data[place * columns.scales.stride + group]
}

/// The largest scale of the columns that are not omitted, of formats with one a column.
#[inline(always)]
fn largest_scale<S: Stored>(columns: Columns<'_, S>, count: usize) -> f64 {
    let mut largest = f64::MIN_POSITIVE;
    for place in 0..count {
        if place != columns.omitted {
            largest = largest.max(scale_of(columns, place, 0));
        }
    }
    largest
}

#[inline(always)]
fn padded<S: Stored>(rest: &[S]) -> [S; RUN] {
    let mut block = [S::default(); RUN];
    for (place, x) in block.iter_mut().zip(rest) {
        *place = *x;
    }
    block
}

//! Products of two columns of 8-bit numbers. Their sums are whole numbers and exact, so that nothing is widened until a
//! unit is through: a third of the work of multiplying in 64-bit floats.

use super::Columns;
use super::columns::{check_columns, each_group, fetch, group_size, places};
use super::lanes::{BLOCK, Lanes};
use super::stored::SCALED_UNIT;

/// Numbers that are multiplied at a time.
pub(super) const RUN: usize = 4 * BLOCK;

/// Blocks of whole numbers in registers.
pub(super) trait Whole: Lanes {
    /// 8-bit numbers, made ready to be multiplied.
    type Factors: Copy;
    /// Sums of products.
    type Sums: Copy;

    fn none(self) -> Self::Sums;

    fn factors(self, x: &[i8; RUN]) -> Self::Factors;

    /// Adds to sum `i` the products of numbers `4i` to `4i + 3`. None of them is −128.
    fn add_products(self, x: Self::Factors, y: &[i8; RUN], sums: Self::Sums) -> Self::Sums;

    fn widen_sums(self, sums: Self::Sums) -> Self::Wide;
}

/// `sums[j] += Σ x·column j`, where `codes` are x over its scales `scales`, a scale for each unit.
#[inline(always)]
pub(super) fn multiply<L: Whole>(lanes: L, codes: &[i8], scales: &[f64], columns: Columns<'_, i8>, sums: &mut [f64]) {
    check_columns(columns, sums.len(), codes.len());
    let count = codes.len().div_ceil(SCALED_UNIT);
    assert!(scales.len() >= count && columns.scales.stride >= count, "a unit without a scale");
    each_group!(L::SUMS, [9, 8, 7, 6, 5, 4, 3, 2, 1], sums.len(), columns.omitted, first, places, SIZE, {
        let mut totals = [lanes.splat(0.0); SIZE];
        for (unit, codes) in codes.chunks(SCALED_UNIT).enumerate() {
            let start = unit * SCALED_UNIT;
            let mut products = [lanes.none(); SIZE];
            let (blocks, rest) = codes.as_chunks::<RUN>();
            let mut runs = [blocks; SIZE];
            for (run, place) in runs.iter_mut().zip(places) {
                *run = columns.data[place * columns.stride + start..].as_chunks().0;
                *run = &run[..blocks.len()];
            }
            for index in 0..blocks.len() {
                let block = (start + index * RUN) / BLOCK;
                fetch::<L, f32, i8, SIZE>(lanes, columns, places, first, block, RUN / BLOCK);
                let x = lanes.factors(&blocks[index]);
                for (product, run) in products.iter_mut().zip(runs) {
                    *product = lanes.add_products(x, &run[index], *product);
                }
            }
            if !rest.is_empty() {
                let done = blocks.len() * RUN;
                let x = lanes.factors(&padded(rest));
                for (product, place) in products.iter_mut().zip(places) {
                    let column = &columns.data[place * columns.stride + start + done..][..rest.len()];
                    *product = lanes.add_products(x, &padded(column), *product);
                }
            }
            for ((total, product), place) in totals.iter_mut().zip(products).zip(places) {
                // Two scales of 16 bits and a sum of 19: all of it is exact.
                let scale = scales[unit] * columns.scales.data[place * columns.scales.stride + unit];
                *total = lanes.mul_add(lanes.splat(scale), lanes.widen_sums(product), *total);
            }
        }
        for (place, total) in places.into_iter().zip(totals) {
            sums[place] += lanes.total(total);
        }
    });
}

#[inline(always)]
fn padded(rest: &[i8]) -> [i8; RUN] {
    let mut block = [0; RUN];
    for (place, x) in block.iter_mut().zip(rest) {
        *place = *x;
    }
    block
}

//! Products of quantized columns with a vector that is quantized like them, in 32-bit sums ([`Products`]). Widening
//! each number to f64 instead takes longer: docs/performance.md has the times before and after.

use super::columns::{Columns, batch_size, check_columns, each_batch, places, prefetch};
use crate::simd::{GROUP, LANES, Products, RUN, Stored, kernels};

kernels! {
    /// Products of numbers stored as `S`.
    struct ProductKernels[S: Stored] on Products<S>;

    /// Adds to each of `sums` the product of its column with a vector that is stored like it: `codes` times `scales`,
    /// one scale for each quantization group ([`Stored::GROUP`]).
    ///
    /// Where numbers are stored as they are, the scales bound them instead: they are powers of two from 2⁻¹²⁶ on, the
    /// vector's at least its norm and a column's at least its largest magnitude.
    ///
    /// Gives the same bits with every instruction set.
    fn quantized_dots(lanes, codes: &[S], scales: &[f64], columns: Columns<'_, S>, sums: &mut [f64]) {
        check_columns(columns, sums.len(), codes.len());
        // Either a scale for each quantization group, or one for a whole vector.
        let grouped = S::GROUP.is_some();
        let groups = if grouped { codes.len().div_ceil(GROUP) } else { 1 };
        assert!(scales.len() >= groups && columns.scales.stride >= groups, "a group without a scale");
        let power = if grouped { 1.0 } else { power_for(scales[0], largest_scale(columns, sums.len())) };
        each_batch!(L::COLUMNS, [9, 8, 7, 6, 5, 4, 3, 2, 1], sums.len(), columns.omitted, first, places, SIZE, {
            let mut totals = [lanes.splat(0.0); SIZE];
            for (run, codes) in codes.chunks(GROUP).enumerate() {
                let offset = run * GROUP;
                let group = if grouped { run } else { 0 };
                let mut starts = [0.0; SIZE];
                let mut products = [lanes.begin(0.0); SIZE];
                for ((product, start), place) in products.iter_mut().zip(&mut starts).zip(places) {
                    *start = L::start(power * scales[group], scale_of(columns, place, group));
                    *product = lanes.begin(*start);
                }
                let (chunks, rest) = codes.as_chunks::<RUN>();
                let mut runs = [chunks; SIZE];
                for (run, place) in runs.iter_mut().zip(places) {
                    *run = columns.data[place * columns.stride + offset..].as_chunks().0;
                    *run = &run[..chunks.len()];
                }
                for index in 0..chunks.len() {
                    let vector = (offset + index * RUN) / LANES;
                    prefetch::<L, f32, S, SIZE>(lanes, columns, places, first, vector, RUN / LANES);
                    let x = lanes.factors(&chunks[index], power as f32);
                    for (product, run) in products.iter_mut().zip(runs) {
                        *product = lanes.add_products(x, &run[index], *product);
                    }
                }
                if !rest.is_empty() {
                    let done = chunks.len() * RUN;
                    let x = lanes.factors(&padded(rest), power as f32);
                    for (product, place) in products.iter_mut().zip(places) {
                        let column = &columns.data[place * columns.stride + offset + done..][..rest.len()];
                        *product = lanes.add_products(x, &padded(column), *product);
                    }
                }
                for (((total, product), start), place) in totals.iter_mut().zip(products).zip(starts).zip(places) {
                    // Exact for integers: two scales of at most 16 significant bits, and a sum of at most 19.
                    let scale = if grouped { scales[group] * scale_of(columns, place, group) } else { 1.0 / power };
                    *total = lanes.mul_add(lanes.splat(scale), lanes.widen_sums(product, start), *total);
                }
            }
            for (place, total) in places.into_iter().zip(totals) {
                sums[place] += lanes.total(total);
            }
        });
    }
}

/// The power of two that a bfloat16 vector of norm at most `scale` is multiplied by, so that products with columns of
/// numbers up to `largest` do not overflow, and lose as few bits below the least normal number as possible.
#[inline(always)]
fn power_for(scale: f64, largest: f64) -> f64 {
    const POWER: f64 = (1_u128 << 122) as f64;
    // The sums start from 8·norm·largest. The vector and the power itself are 32-bit numbers too.
    let norm = (POWER / largest).min(POWER * scale).min((1_u128 << 100) as f64);
    norm / scale
}

/// The scale of a column in a quantization group.
#[inline(always)]
fn scale_of<S: Stored>(columns: Columns<'_, S>, place: usize, group: usize) -> f64 {
    columns.scales.data[place * columns.scales.stride + group]
}

/// The largest scale of the columns that are not omitted, in formats with one scale a column.
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

/// Fewer than [`RUN`] numbers, padded with zeros.
#[inline(always)]
fn padded<S: Stored>(rest: &[S]) -> [S; RUN] {
    let mut padded = [S::default(); RUN];
    for (place, x) in padded.iter_mut().zip(rest) {
        *place = *x;
    }
    padded
}

//! Loops over columns that keep only the largest entries of each tile, as bfloat16 with 16-bit indices, and the
//! selection of these entries ([`selection`]).
//!
//! Only its index tells where an entry belongs, so each entry takes a load and a store of its own in
//! [`SparseKernels::combine`], and a load in [`SparseKernels::dots`]. While the columns of a tile are processed,
//! [`SparseColumns::ahead`] is prefetched a few lines at a time, on the instruction sets that prefetch.

mod bits;
mod selection;

#[cfg(test)]
mod tests;

use super::prefetch::{InTurn, Run};
use crate::simd::{Bf16, Filter, LANES, MET, Number, Sparse, kernels};
use bits::append_set_bits;
pub(crate) use selection::{SelectionKernels, selection_scratch};

/// Elements that are set to zero at a time.
const PIECE: usize = 256;
/// [`SparseKernels::meet`] filters by at most this many indices. A filter of more would pass more than one index in
/// seven, and cost more than it saves.
const FILTERED: usize = 128;
/// Entries that [`SparseKernels::meet`] collects before it multiplies them.
const FOUND: usize = 256;

/// Columns side by side over one tile: column `j` consists of `kept` entries from `j * kept` on. One column is
/// omitted.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub struct SparseColumns<'a> {
    /// Indices in the tile, ascending in each column.
    pub indices: &'a [u16],
    /// The numbers at these indices, as bfloat16.
    pub values: &'a [u16],
    /// Entries of a column.
    pub kept: usize,
    /// Number of the column that is omitted.
    pub omitted: usize,
    /// Memory that will be needed next, prefetched meanwhile.
    pub ahead: [Run; 4],
}

/// Entries of one column in a run of elements.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub struct SparseRun<'a> {
    /// Indices in the tile, ascending.
    pub indices: &'a [u16],
    /// The numbers at these indices, as bfloat16.
    pub values: &'a [u16],
    /// The run's first index in the tile.
    pub first: usize,
}

kernels! {
    /// Loops over sparse columns. All tables give the same bits. Kernels panic if lengths do not fit, or if an index
    /// lies outside of its tile.
    struct SparseKernels[T: Number] on Sparse<T>;

    /// Writes the entries into `dense`, and zeros between them.
    fn spread(_lanes, entries: SparseRun<'_>, dense: &mut [T]) {
        // Every C library fills short pieces with vector instructions. Its way for long ones took longer.
        for piece in dense.chunks_mut(PIECE) {
            piece.fill(T::default());
        }
        for (&index, &value) in entries.indices.iter().zip(entries.values) {
            dense[usize::from(index) - entries.first] = T::from_bf16(Bf16(value));
        }
    }

    /// `feedback += given`, minus the entries.
    fn feed_back(_lanes, given: &[T], entries: SparseRun<'_>, feedback: &mut [T]) {
        assert_eq!(given.len(), feedback.len());
        for (feedback, given) in feedback.iter_mut().zip(given) {
            *feedback = *feedback + *given;
        }
        for (&index, &value) in entries.indices.iter().zip(entries.values) {
            let place = usize::from(index) - entries.first;
            feedback[place] = feedback[place] - T::from_bf16(Bf16(value));
        }
    }

    /// The dot product of `x` and the entries of a column.
    fn dot(lanes, x: &[T], indices: &[u16], values: &[u16]) -> f64 {
        assert_eq!(indices.len(), values.len());
        assert!(all_below(indices, x.len()), "an index outside of its tile");
        // SAFETY: all indices were found to be below the length of `x`.
        unsafe { dot_column(lanes, x, indices, values) }
    }

    /// Adds to each of `sums` the dot product of `x` and its column.
    fn dots(lanes, x: &[T], columns: SparseColumns<'_>, sums: &mut [f64]) {
        let (indices, values) = entries(columns, sums.len());
        assert!(all_below(indices, x.len()), "an index outside of its tile");
        let mut next = InTurn::new(columns.ahead, sums.len());
        for (j, sum) in sums.iter_mut().enumerate() {
            if j == columns.omitted {
                continue;
            }
            next.prefetch(lanes);
            let place = j * columns.kept..(j + 1) * columns.kept;
            // SAFETY: all indices were found to be below the length of `x`.
            *sum += unsafe { dot_column(lanes, x, &indices[place.clone()], &values[place]) };
        }
    }

    /// [`SparseKernels::dots`] for an `x` that is zero except at the indices `places`. Faster where these are few.
    ///
    /// Few entries of a column have an index that `x` has too: with 41 entries in a tile of 4,096, one in a hundred. A
    /// filter in vector registers tests 32 indices at a time. It passes every index that `x` has, and about as many
    /// others. Only the entries that pass are multiplied.
    fn meet(lanes, x: &[T], places: &[u16], columns: SparseColumns<'_>, sums: &mut [f64]) {
        if places.len() > FILTERED {
            return dots(lanes, x, columns, sums);
        }
        let (indices, values) = entries(columns, sums.len());
        let filter = Filter::new(places);
        let mut next = InTurn::new(columns.ahead, indices.len().div_ceil(MET));
        let (mut found, mut count) = ([0; FOUND], 0);
        for (number, some) in indices.chunks(MET).enumerate() {
            next.prefetch(lanes);
            let passed = match some.try_into() {
                Ok(some) => lanes.meet(&filter, some),
                Err(_) => u32::MAX >> (MET - some.len()),
            };
            count = append_set_bits(passed.into(), number * MET, &mut found, count);
            if count > FOUND - MET || (number + 1) * MET >= indices.len() {
                for &entry in &found[..count] {
                    let column = (entry / columns.kept as u32) as usize;
                    if column != columns.omitted {
                        let (index, value) = (indices[entry as usize], values[entry as usize]);
                        sums[column] += x[usize::from(index)].into() * f64::from(Bf16(value).to_f32());
                    }
                }
                count = 0;
            }
        }
    }

    /// `sum` is the columns, with `newest` in place of the omitted one, times their coefficients: first `newest`, then
    /// one column after another. `newest` and `sum` begin at index `first` of the tile; `sum` holds whole vectors.
    fn combine(
        lanes,
        columns: SparseColumns<'_>,
        newest: &[T],
        first: usize,
        coefficients: &[f64],
        sum: &mut [f64],
    ) {
        let (indices, values) = entries(columns, coefficients.len());
        let len = newest.len();
        let sum = &mut sum[..len.next_multiple_of(LANES)];
        let newest_coefficient = coefficients[columns.omitted];
        for (sum, &newest) in sum.iter_mut().zip(newest) {
            *sum = newest_coefficient * newest.into();
        }
        sum[len..].fill(0.0);
        let sum = &mut sum[..len];
        let is_whole = first == 0 && all_below(indices, len);
        let mut next = InTurn::new(columns.ahead, coefficients.len());
        for (j, &coefficient) in coefficients.iter().enumerate() {
            if j == columns.omitted {
                continue;
            }
            next.prefetch(lanes);
            let place = j * columns.kept..(j + 1) * columns.kept;
            let (indices, values) = (&indices[place.clone()], &values[place]);
            if is_whole {
                // SAFETY: all indices were found to be below the length of `sum`.
                unsafe { add_column::<L, T>(lanes, indices, values, coefficient, sum) };
            } else {
                let (start, end) = run_of(indices, first, len);
                for (&index, &value) in indices[start..end].iter().zip(&values[start..end]) {
                    sum[usize::from(index) - first] += coefficient * f64::from(Bf16(value).to_f32());
                }
            }
        }
    }
}

/// The entries of `count` columns. Panics if there are fewer.
#[inline(always)]
fn entries(columns: SparseColumns<'_>, count: usize) -> (&[u16], &[u16]) {
    assert!(columns.omitted < count, "no column {} of {count} to be omitted", columns.omitted);
    let needed = count.checked_mul(columns.kept);
    let needed = needed.filter(|&needed| needed <= columns.indices.len().min(columns.values.len()));
    let needed = needed.unwrap_or_else(|| panic!("{count} columns do not fit"));
    (&columns.indices[..needed], &columns.values[..needed])
}

/// Whether every index is below `len`. The check costs a hundredth of the work on the entries.
#[inline(always)]
fn all_below(indices: &[u16], len: usize) -> bool {
    let mut largest = 0;
    for &index in indices {
        largest = largest.max(index);
    }
    usize::from(largest) < len
}

/// The dot product of `x` and a column.
///
/// # Safety
/// All indices are below the length of `x`.
#[inline(always)]
unsafe fn dot_column<L: Sparse<T>, T: Number>(lanes: L, x: &[T], indices: &[u16], values: &[u16]) -> f64 {
    let (indices, last_indices) = indices.as_chunks::<LANES>();
    let (values, last_values) = values.as_chunks::<LANES>();
    let mut products = lanes.splat(0.0);
    for (indices, values) in indices.iter().zip(values) {
        // SAFETY: the caller's promise.
        let x = unsafe { lanes.pick(x, indices) };
        products = lanes.mul_add(x, lanes.widen_bf16(values), products);
    }
    let mut rest = 0.0;
    for (&index, &value) in last_indices.iter().zip(last_values) {
        // SAFETY: the caller's promise.
        let x = unsafe { *x.get_unchecked(usize::from(index)) };
        rest += x.into() * f64::from(Bf16(value).to_f32());
    }
    lanes.total(products) + rest
}

/// Where, in ascending indices, the run of `len` indices from `first` on begins and ends.
#[inline(always)]
pub(crate) fn run_of(indices: &[u16], first: usize, len: usize) -> (usize, usize) {
    let start = indices.partition_point(|&index| usize::from(index) < first);
    let end = indices.partition_point(|&index| usize::from(index) < first + len);
    (start, end)
}

/// Adds a multiple of a column.
///
/// # Safety
/// All indices are below the length of `sum`.
#[inline(always)]
unsafe fn add_column<L: Sparse<T>, T: Number>(
    lanes: L,
    indices: &[u16],
    values: &[u16],
    coefficient: f64,
    sum: &mut [f64],
) {
    let (indices, last_indices) = indices.as_chunks::<LANES>();
    let (values, last_values) = values.as_chunks::<LANES>();
    let factor = lanes.splat(coefficient);
    for (indices, values) in indices.iter().zip(values) {
        let mut products = [0.0; LANES];
        lanes.store_f64s(lanes.mul(factor, lanes.widen_bf16(values)), &mut products);
        for (&index, product) in indices.iter().zip(products) {
            // SAFETY: the caller's promise.
            unsafe { *sum.get_unchecked_mut(usize::from(index)) += product };
        }
    }
    for (&index, &value) in last_indices.iter().zip(last_values) {
        // SAFETY: the caller's promise.
        unsafe { *sum.get_unchecked_mut(usize::from(index)) += coefficient * f64::from(Bf16(value).to_f32()) };
    }
}

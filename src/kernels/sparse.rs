//! Loops over columns of which only the largest entries are kept, as bfloat16 with 16-bit indices, the selection of
//! these entries ([`selection`]), and products of columns with a column ([`filter`]).
//!
//! # Cost
//! Only its index tells where an entry belongs. So an entry takes a load and a store of its own in [`combine`], and a load
//! in [`dots`]. While the columns of a tile are processed, the entries and the feedback of the next tile are prefetched
//! ([`SparseColumns::ahead`]), a few lines at a time, on the instruction sets that prefetch.

mod filter;
#[cfg(target_arch = "aarch64")]
mod neon;
mod selection;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::Run;
use super::lanes::{BLOCK, Lanes, Load};
use super::portable::Portable;
use super::stored::Bf16;
pub(super) use filter::meet;
use filter::{Filter, MET};
pub(crate) use selection::SELECTION;
pub(super) use selection::select;

/// Keys that are compared with a bound at a time.
pub(super) const WORD: usize = 64;
/// Keys that are counted at a time.
const COUNTED: usize = 16;
/// Elements that are set to zero at a time.
const PIECE: usize = 256;
/// A key: a number's bits without the sign.
const KEY: u32 = 0x7fff_ffff;

/// Columns side by side over one tile: column `j` consists of `kept` entries from `j * kept` on. One column is left
/// out.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub struct SparseColumns<'a> {
    /// Places in the tile, ascending in each column.
    pub indices: &'a [u16],
    /// The numbers there, as bfloat16.
    pub values: &'a [u16],
    /// Entries of a column.
    pub kept: usize,
    /// Number of the column that is left out.
    pub omitted: usize,
    /// What will be needed next, fetched meanwhile.
    pub ahead: [Run; 4],
}

/// Entries of one column in a run of places.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub struct SparseRun<'a> {
    /// Places, ascending.
    pub indices: &'a [u16],
    /// The numbers there, as bfloat16.
    pub values: &'a [u16],
    /// Where the run begins.
    pub first: usize,
}

/// `(given, feedback, bound, scratch, indices, values)`.
type Select<T> = fn(&[T], &[T], &mut u32, &mut [u32], &mut [u16], &mut [u16]) -> f64;

/// One table of loops: with one instruction set. All tables give the same bits.
///
/// The loops panic where lengths that belong together do not fit, or an index lies outside of what it is an index of.
#[doc(hidden)]
pub struct SparseKernels<T: 'static> {
    /// Name of the instruction set.
    pub name: &'static str,
    /// `indices` and `values` are the entries of `given + feedback` that are largest in magnitude, as many as they
    /// hold; where two are equal, the earlier. What is not finite is larger than all that is. Returns the squared
    /// norm of `given`. `scratch` holds [`SELECTION`] numbers. `bound` may be any number and changes only how long a selection
    /// takes: least with what the last selection of the same tile left there.
    pub select: Select<T>,
    /// Writes the entries into `dense`, and zeros between them.
    pub spread: fn(entries: SparseRun<'_>, dense: &mut [T]),
    /// `feedback += given`, less the entries.
    pub feed_back: fn(given: &[T], entries: SparseRun<'_>, feedback: &mut [T]),
    /// The dot product of `x` and the entries of a column.
    pub dot: fn(x: &[T], indices: &[u16], values: &[u16]) -> f64,
    /// Adds to each of `sums` the dot product of `x` and its column.
    pub dots: fn(x: &[T], columns: SparseColumns<'_>, sums: &mut [f64]),
    /// The same where `x` is zero but at `places`: faster where they are few.
    pub meet: fn(x: &[T], places: &[u16], columns: SparseColumns<'_>, sums: &mut [f64]),
    /// `sum` is the columns, with `newest` in place of the one left out, times their coefficients: first `newest`, then
    /// one column after another. `newest` and `sum` begin at place `first` of the tile; `sum` holds whole blocks.
    pub combine: fn(columns: SparseColumns<'_>, newest: &[T], first: usize, coefficients: &[f64], sum: &mut [f64]),
}

impl SparseKernels<f32> {
    /// The loops with each instruction set that this machine has, the best first.
    pub(crate) fn available() -> impl Iterator<Item = &'static Self> {
        super::machine::sparse().into_iter().flatten()
    }
}

/// What selection and sparse columns need beyond [`Lanes`].
pub(super) trait Sparse: Load<f32> + Load<f64> {
    /// Which of the sums of both have a key that reaches `bound`: the first is the lowest bit.
    fn reach(self, given: &[f32; WORD], feedback: &[f32; WORD], bound: u32) -> u64;

    /// The numbers at eight places.
    ///
    /// # Safety
    /// The indices are below the length of `x`.
    unsafe fn pick(self, x: &[f32], indices: &[u16; BLOCK]) -> Self::Wide;

    /// Eight bfloat16 numbers.
    fn widen_bf16(self, values: &[u16; BLOCK]) -> Self::Wide;

    /// Which of the indices pass `filter`: the first is the lowest bit.
    fn meet(self, filter: &Filter, indices: &[u16; MET]) -> u32;

    /// How many of the keys reach `bound`.
    fn count(self, keys: &[[u32; COUNTED]], bound: u32) -> u32;
}

/// Memory that will be needed next, fetched a part at a time.
struct Next {
    runs: [Run; 4],
    /// Runs not begun: the first so many.
    left: usize,
    /// The next line of the run that is begun.
    place: usize,
    /// Lines left of that run.
    lines: usize,
    /// Lines in a part.
    part: usize,
}

impl Next {
    const LINE: usize = 64;

    #[inline(always)]
    fn new(runs: [Run; 4], parts: usize) -> Self {
        let mut lines = 0;
        for (_, len) in runs {
            lines += len / Self::LINE;
        }
        Self { runs, left: runs.len(), place: 0, lines: 0, part: lines.div_ceil(parts) }
    }

    /// Has the next part fetched.
    #[inline(always)]
    fn bring<L: Sparse>(&mut self, lanes: L) {
        let mut due = self.part;
        while due > 0 {
            if self.lines == 0 {
                let Some(left) = self.left.checked_sub(1) else { return };
                self.left = left;
                self.place = self.runs[left].0;
                self.lines = self.runs[left].1 / Self::LINE;
            }
            let now = due.min(self.lines);
            for line in 0..now {
                lanes.fetch(self.place.wrapping_add(line * Self::LINE));
            }
            self.place = self.place.wrapping_add(now * Self::LINE);
            self.lines -= now;
            due -= now;
        }
    }
}

impl Sparse for Portable {
    #[inline(always)]
    fn reach(self, given: &[f32; WORD], feedback: &[f32; WORD], bound: u32) -> u64 {
        let mut word = 0;
        for (place, (given, feedback)) in given.iter().zip(feedback).enumerate() {
            word |= u64::from((feedback + given).to_bits() & KEY >= bound) << place;
        }
        word
    }

    #[inline(always)]
    unsafe fn pick(self, x: &[f32], indices: &[u16; BLOCK]) -> Self::Wide {
        // SAFETY: the caller's promise.
        indices.map(|index| unsafe { f64::from(*x.get_unchecked(usize::from(index))) })
    }

    #[inline(always)]
    fn widen_bf16(self, values: &[u16; BLOCK]) -> Self::Wide {
        values.map(|value| f64::from(from_bf16(value)))
    }

    #[inline(always)]
    fn meet(self, filter: &Filter, indices: &[u16; MET]) -> u32 {
        filter.meet(indices)
    }

    #[inline(always)]
    fn count(self, keys: &[[u32; COUNTED]], bound: u32) -> u32 {
        let mut counts = [0; COUNTED];
        for keys in keys {
            for (count, &key) in counts.iter_mut().zip(keys) {
                *count += u32::from(key >= bound);
            }
        }
        counts.iter().sum()
    }
}

#[inline(always)]
fn from_bf16(value: u16) -> f32 {
    Bf16(value).to_f32()
}

#[inline(always)]
pub(super) fn spread<L: Lanes>(_: L, entries: SparseRun<'_>, dense: &mut [f32]) {
    // Pieces that every C library fills with vector instructions: with the one for long strings it took longer.
    for piece in dense.chunks_mut(PIECE) {
        piece.fill(0.0);
    }
    for (&index, &value) in entries.indices.iter().zip(entries.values) {
        dense[usize::from(index) - entries.first] = from_bf16(value);
    }
}

#[inline(always)]
pub(super) fn feed_back<L: Lanes>(_: L, given: &[f32], entries: SparseRun<'_>, feedback: &mut [f32]) {
    assert_eq!(given.len(), feedback.len());
    for (feedback, given) in feedback.iter_mut().zip(given) {
        *feedback += given;
    }
    for (&index, &value) in entries.indices.iter().zip(entries.values) {
        feedback[usize::from(index) - entries.first] -= from_bf16(value);
    }
}

/// Refuses columns that are not all there. Returns the entries of `count` columns.
#[inline(always)]
fn entries(columns: SparseColumns<'_>, count: usize) -> (&[u16], &[u16]) {
    assert!(columns.omitted < count, "no column {} of {count} to be left out", columns.omitted);
    let needed = count.checked_mul(columns.kept);
    let needed = needed.filter(|&needed| needed <= columns.indices.len().min(columns.values.len()));
    let needed = needed.unwrap_or_else(|| panic!("{count} columns do not fit"));
    (&columns.indices[..needed], &columns.values[..needed])
}

/// Whether every index is below `len`. Costs a hundredth of what is done with them, and nothing need be believed.
#[inline(always)]
fn all_below(indices: &[u16], len: usize) -> bool {
    let mut largest = 0;
    for &index in indices {
        largest = largest.max(index);
    }
    usize::from(largest) < len
}

#[inline(always)]
pub(super) fn dots<L: Sparse>(lanes: L, x: &[f32], columns: SparseColumns<'_>, sums: &mut [f64]) {
    let (indices, values) = entries(columns, sums.len());
    assert!(all_below(indices, x.len()), "an index outside of its tile");
    let mut next = Next::new(columns.ahead, sums.len());
    for (j, sum) in sums.iter_mut().enumerate() {
        if j == columns.omitted {
            continue;
        }
        next.bring(lanes);
        let place = j * columns.kept..(j + 1) * columns.kept;
        // SAFETY: all indices were found to be below the length of `x`.
        *sum += unsafe { dot_column(lanes, x, &indices[place.clone()], &values[place]) };
    }
}

#[inline(always)]
pub(super) fn dot<L: Sparse>(lanes: L, x: &[f32], indices: &[u16], values: &[u16]) -> f64 {
    assert_eq!(indices.len(), values.len());
    assert!(all_below(indices, x.len()), "an index outside of its tile");
    // SAFETY: all indices were found to be below the length of `x`.
    unsafe { dot_column(lanes, x, indices, values) }
}

/// The dot product of `x` and a column.
///
/// # Safety
/// All indices are below the length of `x`.
#[inline(always)]
unsafe fn dot_column<L: Sparse>(lanes: L, x: &[f32], indices: &[u16], values: &[u16]) -> f64 {
    let (indices, last_indices) = indices.as_chunks::<BLOCK>();
    let (values, last_values) = values.as_chunks::<BLOCK>();
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
        rest += f64::from(x) * f64::from(from_bf16(value));
    }
    lanes.total(products) + rest
}

#[inline(always)]
pub(super) fn combine<L: Sparse>(
    lanes: L,
    columns: SparseColumns<'_>,
    newest: &[f32],
    first: usize,
    coefficients: &[f64],
    sum: &mut [f64],
) {
    let (indices, values) = entries(columns, coefficients.len());
    let len = newest.len();
    let sum = &mut sum[..len.next_multiple_of(BLOCK)];
    let newest_coefficient = coefficients[columns.omitted];
    for (sum, &newest) in sum.iter_mut().zip(newest) {
        *sum = newest_coefficient * f64::from(newest);
    }
    sum[len..].fill(0.0);
    let sum = &mut sum[..len];
    let whole = first == 0 && all_below(indices, len);
    let mut next = Next::new(columns.ahead, coefficients.len());
    for (j, &coefficient) in coefficients.iter().enumerate() {
        if j == columns.omitted {
            continue;
        }
        next.bring(lanes);
        let place = j * columns.kept..(j + 1) * columns.kept;
        let (indices, values) = (&indices[place.clone()], &values[place]);
        if whole {
            // SAFETY: all indices were found to be below the length of `sum`.
            unsafe { add_column(lanes, indices, values, coefficient, sum) };
        } else {
            let (start, end) = run_of(indices, first, len);
            for (&index, &value) in indices[start..end].iter().zip(&values[start..end]) {
                sum[usize::from(index) - first] += coefficient * f64::from(from_bf16(value));
            }
        }
    }
}

/// Where in ascending indices those begin and end that belong to the run of `len` places from `first` on.
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
unsafe fn add_column<L: Sparse>(lanes: L, indices: &[u16], values: &[u16], coefficient: f64, sum: &mut [f64]) {
    let (indices, last_indices) = indices.as_chunks::<BLOCK>();
    let (values, last_values) = values.as_chunks::<BLOCK>();
    let wide = lanes.splat(coefficient);
    for (indices, values) in indices.iter().zip(values) {
        let mut products = [0.0; BLOCK];
        lanes.store(lanes.mul(wide, lanes.widen_bf16(values)), &mut products);
        for (&index, product) in indices.iter().zip(products) {
            // SAFETY: the caller's promise.
            unsafe { *sum.get_unchecked_mut(usize::from(index)) += product };
        }
    }
    for (&index, &value) in last_indices.iter().zip(last_values) {
        // SAFETY: the caller's promise.
        unsafe { *sum.get_unchecked_mut(usize::from(index)) += coefficient * f64::from(from_bf16(value)) };
    }
}

/// Defines `$lanes::sparse_table()`: the loops compiled with `$lanes` for an instruction set, `["features"]` or `[]`
/// for that of the build.
macro_rules! sparse_table {
    ($lanes:ident, $name:literal, $features:tt) => {
        impl $lanes {
            /// To be given away only where the machine was found to have the instruction set.
            pub(in crate::kernels) const fn sparse_table() -> &'static $crate::kernels::sparse::SparseKernels<f32> {
                use $crate::kernels::sparse::{SparseColumns, SparseKernels, SparseRun};
                use $crate::kernels::symmetric::whole;
                &SparseKernels {
                    name: $name,
                    select: whole!($lanes, $features, sparse::select(given: &[f32], feedback: &[f32],
                        bound: &mut u32, scratch: &mut [u32], indices: &mut [u16], values: &mut [u16]) -> f64),
                    spread: whole!($lanes, $features, sparse::spread(
                        entries: SparseRun<'_>, dense: &mut [f32]) -> ()),
                    feed_back: whole!($lanes, $features, sparse::feed_back(
                        given: &[f32], entries: SparseRun<'_>, feedback: &mut [f32]) -> ()),
                    dot: whole!($lanes, $features, sparse::dot(
                        x: &[f32], indices: &[u16], values: &[u16]) -> f64),
                    dots: whole!($lanes, $features, sparse::dots(
                        x: &[f32], columns: SparseColumns<'_>, sums: &mut [f64]) -> ()),
                    meet: whole!($lanes, $features, sparse::meet(
                        x: &[f32], places: &[u16], columns: SparseColumns<'_>, sums: &mut [f64]) -> ()),
                    combine: whole!($lanes, $features, sparse::combine(columns: SparseColumns<'_>, newest: &[f32],
                        first: usize, coefficients: &[f64], sum: &mut [f64]) -> ()),
                }
            }
        }
    };
}

pub(super) use sparse_table;

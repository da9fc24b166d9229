//! Loops over columns side by side: the window of gradients, as given or quantized.

use core::ops::Range;

use super::each::{padded, scratch_vectors_mut};
use super::prefetch::{Ahead, DISTANCE};
use crate::simd::{CACHE_LINE, Decode, LANES, Lanes, Load, MOST_COLUMNS, Number, PAIR, Stored, kernels};

/// Columns side by side: column `j` begins at `data[j * stride]`. A kernel reads as many elements of each as its other
/// argument has, rounded up to a multiple of [`LANES`], at most `stride`; the excess elements do not count. One column
/// is omitted.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub struct Columns<'a, T> {
    /// From the first element of the first column on.
    pub data: &'a [T],
    /// Elements from a column to the next.
    pub stride: usize,
    /// Number of the column that is omitted.
    pub omitted: usize,
    /// Scales of the numbers.
    pub scales: Scales<'a>,
    /// Memory that is prefetched meanwhile.
    pub ahead: Ahead,
}

impl<'a, T> Columns<'a, T> {
    /// Columns of numbers without scales.
    pub(crate) fn new(data: &'a [T], stride: usize, omitted: usize) -> Self {
        Self { data, stride, omitted, scales: Scales::default(), ahead: Ahead::default() }
    }
}

/// Scales of columns side by side: column `j` has `data[j * stride..]`, one scale for each quantization group
/// ([`Stored::GROUP`]) from its first element on. Empty where numbers are stored as they are.
#[derive(Clone, Copy, Default)]
#[doc(hidden)]
pub struct Scales<'a> {
    pub data: &'a [f64],
    pub stride: usize,
}

/// Runs `$body` for the columns that are not omitted, in batches of at most `$most`. In the body, the constant `$size`
/// is the size of the batch, `$first` the number of columns before the batch, and `$places` are the columns' numbers.
macro_rules! each_batch {
    ($most:expr, [$($sizes:literal),*], $count:expr, $omitted:expr, $first:ident, $places:ident, $size:ident, $body:block) => {
        let (omitted, taken): (usize, usize) = ($omitted, $count - 1);
        let mut $first = 0;
        while $first < taken {
            let size = batch_size(taken - $first, $most);
            match size {
                $($sizes if $sizes <= $most => {
                    const $size: usize = $sizes;
                    let $places = places::<$size>($first, omitted);
                    $body
                })*
                _ => unreachable!("a batch of {size}"),
            }
            $first += size;
        }
    };
}

pub(super) use each_batch;

/// Runs `$body` for every vector `$index` of `$range`, `$turn` vectors a turn, and `$between` for the first vector of
/// each turn.
macro_rules! in_turns {
    ($turn:expr, $range:expr, $index:ident, $between:block, $body:block) => {
        let (mut next, end): (usize, usize) = ($range.start, $range.end);
        while next + $turn <= end {
            {
                let $index = next;
                let _ = $index;
                $between
            }
            for vector in 0..$turn {
                let $index = next + vector;
                $body
            }
            next += $turn;
        }
        for $index in next..end {
            $body
        }
    };
}

kernels! {
    /// Loops over columns that store `S` for elements of type `T`. A column's numbers are the stored numbers times
    /// their scales.
    struct ColumnKernels[T: Number, S: Stored] on Decode<S, T>;

    /// Adds to each of `sums` the dot product of `x` and its column, in f64 sums. The result for a column does not
    /// depend on the other columns.
    fn dots(lanes, x: &[T], columns: Columns<'_, S>, sums: &mut [f64]) {
        check_columns(columns, sums.len(), x.len());
        let (x, rest) = x.as_chunks::<LANES>();
        let last = padded(rest);
        let vectors = x.len() + usize::from(!rest.is_empty());
        each_batch!(L::SUMS, [9, 8, 7, 6, 5, 4, 3, 2, 1], sums.len(), columns.omitted, first, places, SIZE, {
            // SAFETY: the columns are checked.
            let batch = unsafe { Batch::<S, SIZE>::new(columns, places) };
            let mut totals = [lanes.splat(0.0); SIZE];
            let mut from = 0;
            while from < vectors {
                let end = group_end::<S>(from, vectors);
                let mut products = [lanes.splat(0.0); SIZE];
                in_turns!(
                    L::TURN,
                    from..end.min(x.len()),
                    index,
                    {
                        if size_of::<S>() < size_of::<T>() {
                            // Columns as wide as `T` need no prefetching here: the processor foresees them.
                            prefetch::<L, T, S, SIZE>(lanes, columns, places, first, index, L::TURN)
                        }
                    },
                    {
                        let x = lanes.load(&x[index]);
                        for (j, product) in products.iter_mut().enumerate() {
                            // SAFETY: `x` has this vector.
                            *product = lanes.mul_add(x, lanes.decode(unsafe { batch.vector(j, index) }), *product);
                        }
                    }
                );
                if end > x.len() {
                    let last = lanes.load(&last);
                    for (j, product) in products.iter_mut().enumerate() {
                        // SAFETY: the rest of `x` is part of this vector.
                        *product = lanes.mul_add(last, lanes.decode(unsafe { batch.vector(j, x.len()) }), *product);
                    }
                }
                for (j, place) in places.into_iter().enumerate() {
                    totals[j] = if S::GROUP.is_some() {
                        let scale = lanes.splat(scaled::<S>(1.0, columns.scales, place, from));
                        lanes.mul_add(products[j], scale, totals[j])
                    } else {
                        products[j]
                    };
                }
                from = end;
            }
            for (place, total) in places.into_iter().zip(totals) {
                sums[place] += lanes.total(total);
            }
        });
    }

    /// `sum` is the columns, with `newest` in place of the omitted one, times their coefficients, in f64 sums: first
    /// `newest`, then one column after another. Elementwise.
    fn combine(lanes, columns: Columns<'_, S>, newest: &[T], coefficients: &[f64], sum: &mut [f64]) {
        combine_with::<false, L, T, S>(lanes, columns, newest, coefficients, sum);
    }

    /// [`ColumnKernels::combine`] with sums of up to [`NATIVE_COLUMNS`] columns in the precision of `T`, their
    /// coefficients rounded to it, before these sums are added to `sum`.
    fn combine_native(lanes, columns: Columns<'_, S>, newest: &[T], coefficients: &[f64], sum: &mut [f64]) {
        combine_with::<true, L, T, S>(lanes, columns, newest, coefficients, sum);
    }
}

/// Columns at most that [`ColumnKernels::combine_native`] sums in the precision of the elements. More would be less
/// exact, and is no faster.
pub(crate) const NATIVE_COLUMNS: usize = MOST_COLUMNS;

/// Columns in the next batch. Two batches of half the size are better than a full one and a small one.
#[inline(always)]
pub(super) fn batch_size(left: usize, most: usize) -> usize {
    if left >= 2 * most || left == most {
        most
    } else if left > most {
        left.div_ceil(2)
    } else {
        left
    }
}

/// The numbers of columns `first..first + SIZE` of those that are not omitted.
#[inline(always)]
pub(super) fn places<const SIZE: usize>(first: usize, omitted: usize) -> [usize; SIZE] {
    let mut places = [0; SIZE];
    for (j, place) in (first..).zip(&mut places) {
        *place = j + usize::from(j >= omitted);
    }
    places
}

/// A batch of columns: pointers to their first vectors.
#[derive(Clone, Copy)]
struct Batch<S, const SIZE: usize>([*const [S; LANES]; SIZE]);

impl<S: Stored, const SIZE: usize> Batch<S, SIZE> {
    /// # Safety
    /// [`check_columns`] accepted the columns, and the places are below the number of columns.
    #[inline(always)]
    unsafe fn new(columns: Columns<'_, S>, places: [usize; SIZE]) -> Self {
        let mut starts = [core::ptr::null(); SIZE];
        for (start, place) in starts.iter_mut().zip(places) {
            // SAFETY: the column lies inside the data.
            *start = unsafe { columns.data.as_ptr().add(place * columns.stride) }.cast();
        }
        Self(starts)
    }

    /// Vector `index` of column `j` of the batch.
    ///
    /// # Safety
    /// The other argument of the kernel has a vector `index`; a padded one counts.
    #[inline(always)]
    unsafe fn vector<'a>(self, j: usize, index: usize) -> &'a [S; LANES] {
        // SAFETY: a column has as many elements as the array, all inside its data; an array of `S` is aligned as `S`.
        unsafe { &*self.0[j].add(index) }
    }

    /// Vectors `index` and `index + 1` of column `j` of the batch.
    ///
    /// # Safety
    /// The other argument of the kernel has both vectors; a padded one counts.
    #[inline(always)]
    unsafe fn pair<'a>(self, j: usize, index: usize) -> &'a [S; PAIR] {
        // SAFETY: as in `vector`.
        unsafe { &*self.0[j].add(index).cast() }
    }
}

/// Prefetches memory that will be needed next, while `count` vectors from `index` on are processed: of columns of
/// numbers shorter than `T`, the memory [`DISTANCE`] ahead; during the first batch, an equal part of
/// [`Columns::ahead`].
#[inline(always)]
pub(super) fn prefetch<L: Lanes, T, S: Stored, const SIZE: usize>(
    lanes: L,
    columns: Columns<'_, S>,
    places: [usize; SIZE],
    first: usize,
    index: usize,
    count: usize,
) {
    let ahead = columns.ahead;
    let offset = index * LANES * size_of::<S>();
    if size_of::<S>() < size_of::<T>() && offset.is_multiple_of(CACHE_LINE) {
        let bytes = columns.stride * size_of::<S>();
        let distance = offset + DISTANCE;
        let distance = if distance < bytes { distance } else { distance - bytes + SIZE * bytes };
        for place in places {
            lanes.prefetch(columns.data.as_ptr().addr().wrapping_add(place * bytes + distance));
        }
    }
    if first == 0 {
        for (start, len) in ahead.runs {
            for line in 0..count * LANES * size_of::<T>() / CACHE_LINE {
                let offset = index * LANES * size_of::<T>() + line * CACHE_LINE;
                if offset < len {
                    lanes.prefetch(start.wrapping_add(offset));
                }
            }
        }
    }
}

/// The first vector whose scale differs from that of vector `from`, at most `count`.
#[inline(always)]
fn group_end<S: Stored>(from: usize, count: usize) -> usize {
    match S::GROUP {
        Some(group) => count.min((from / (group / LANES) + 1) * (group / LANES)),
        None => count,
    }
}

/// `a` times the scale of vector `index` of column `place`.
#[inline(always)]
fn scaled<S: Stored>(a: f64, scales: Scales<'_>, place: usize, index: usize) -> f64 {
    match S::GROUP {
        Some(group) => a * scales.data[place * scales.stride + index / (group / LANES)],
        None => a,
    }
}

#[inline(always)]
fn combine_with<const NATIVE: bool, L, T, S>(
    lanes: L,
    columns: Columns<'_, S>,
    newest: &[T],
    coefficients: &[f64],
    sum: &mut [f64],
) where
    L: Decode<S, T>,
    T: Number,
    S: Stored,
{
    check_columns(columns, coefficients.len(), newest.len());
    let sum = scratch_vectors_mut(sum, newest.len());
    let newest_factor = lanes.splat(coefficients[columns.omitted]);
    let (newest, rest) = newest.as_chunks::<LANES>();
    if !rest.is_empty() {
        let last = lanes.load(&padded(rest));
        lanes.store_f64s(lanes.mul(newest_factor, last), &mut sum[newest.len()]);
    }
    if coefficients.len() == 1 {
        for index in 0..newest.len() {
            let product = lanes.mul(newest_factor, lanes.load(&newest[index]));
            lanes.store_f64s(product, &mut sum[index]);
        }
    }
    each_batch!(L::COMBINED, [9, 8, 7, 6, 5, 4, 3, 2, 1], coefficients.len(), columns.omitted, first, places, SIZE, {
        // SAFETY: the columns are checked.
        let batch = unsafe { Batch::<S, SIZE>::new(columns, places) };
        // The first batch starts from the newest gradient, so that the sum need not be read.
        let begun = if first == 0 { newest.len() } else { 0 };
        let mut from = 0;
        while from < sum.len() {
            let end = group_end::<S>(from, sum.len());
            let factors = factors::<L, T, S, SIZE>(lanes, coefficients, columns.scales, places, from);
            let middle = end.min(begun).max(from);
            let source = (columns, places, first);
            let with_newest = Begin::Newest { newest, factor: newest_factor };
            // SAFETY: the columns are checked; they have as many vectors as `sum`, and `newest` has `begun`.
            unsafe {
                add_batch::<NATIVE, L, T, S, SIZE>(lanes, factors, batch, source, from..middle, with_newest, sum);
                add_batch::<NATIVE, L, T, S, SIZE>(lanes, factors, batch, source, middle..end, Begin::Sum, sum);
            }
            from = end;
        }
    });
}

/// The coefficients of a batch in both precisions. A loop uses one of them.
#[derive(Clone, Copy)]
struct Factors<W, N, const SIZE: usize> {
    f64s: [W; SIZE],
    native: [N; SIZE],
}

/// Coefficients times scales, for the numbers of a batch at vector `index`.
#[inline(always)]
fn factors<L: Load<T>, T, S: Stored, const SIZE: usize>(
    lanes: L,
    coefficients: &[f64],
    scales: Scales<'_>,
    places: [usize; SIZE],
    index: usize,
) -> Factors<L::F64s, L::Native, SIZE> {
    let mut factors = Factors { f64s: [lanes.splat(0.0); SIZE], native: [lanes.splat_native(0.0); SIZE] };
    for (j, place) in places.into_iter().enumerate() {
        let factor = scaled::<S>(coefficients[place], scales, place, index);
        factors.f64s[j] = lanes.splat(factor);
        factors.native[j] = lanes.splat_native(factor);
    }
    factors
}

/// `sum` plus the products of a batch at vector `index`, one after another. With `NATIVE`, `sum` plus their sum in the
/// precision of `T`.
///
/// # Safety
/// As for [`Batch::vector`].
#[inline(always)]
unsafe fn add_products<const NATIVE: bool, L, T, S, const SIZE: usize>(
    lanes: L,
    factors: Factors<L::F64s, <L as Load<T>>::Native, SIZE>,
    batch: Batch<S, SIZE>,
    index: usize,
    mut sum: L::F64s,
) -> L::F64s
where
    L: Decode<S, T>,
    T: Number,
    S: Stored,
{
    if NATIVE {
        // SAFETY: the caller's promise.
        let mut native = lanes.mul_native(factors.native[0], lanes.decode_native(unsafe { batch.vector(0, index) }));
        for (j, &factor) in factors.native.iter().enumerate().skip(1) {
            // SAFETY: as above.
            native = lanes.mul_add_native(factor, lanes.decode_native(unsafe { batch.vector(j, index) }), native);
        }
        return lanes.add(lanes.widen(native), sum);
    }
    for (j, &factor) in factors.f64s.iter().enumerate() {
        // SAFETY: as above.
        sum = lanes.mul_add(factor, lanes.decode(unsafe { batch.vector(j, index) }), sum);
    }
    sum
}

/// The sum that the products of a batch are added to.
#[derive(Clone, Copy)]
enum Begin<'a, W, T> {
    /// The sum so far.
    Sum,
    /// The newest gradient times its coefficient.
    Newest { newest: &'a [[T; LANES]], factor: W },
}

/// For each vector of a range, sets `sum` to `begin` plus the products of a batch. The columns and places tell what to
/// prefetch.
///
/// # Safety
/// As for [`Batch::vector`], for all of the range.
#[inline(always)]
unsafe fn add_batch<const NATIVE: bool, L, T, S, const SIZE: usize>(
    lanes: L,
    factors: Factors<L::F64s, <L as Load<T>>::Native, SIZE>,
    batch: Batch<S, SIZE>,
    (columns, places, first): (Columns<'_, S>, [usize; SIZE], usize),
    range: Range<usize>,
    begin: Begin<'_, L::F64s, T>,
    sum: &mut [[f64; LANES]],
) where
    L: Decode<S, T>,
    T: Number,
    S: Stored,
{
    let mut index = range.start;
    while index + 2 <= range.end {
        prefetch::<L, T, S, SIZE>(lanes, columns, places, first, index, 2);
        let two = [begin.load(lanes, index, sum), begin.load(lanes, index + 1, sum)];
        // SAFETY: the caller's promise.
        let two = unsafe { add_pair::<NATIVE, L, T, S, SIZE>(lanes, factors, batch, index, two) };
        lanes.store_f64s(two[0], &mut sum[index]);
        lanes.store_f64s(two[1], &mut sum[index + 1]);
        index += 2;
    }
    if index < range.end {
        let one = begin.load(lanes, index, sum);
        // SAFETY: the caller's promise.
        let one = unsafe { add_products::<NATIVE, L, T, S, SIZE>(lanes, factors, batch, index, one) };
        lanes.store_f64s(one, &mut sum[index]);
    }
}

impl<W: Copy, T> Begin<'_, W, T> {
    #[inline(always)]
    fn load<L: Load<T> + Lanes<F64s = W>>(self, lanes: L, index: usize, sum: &[[f64; LANES]]) -> W {
        match self {
            Self::Sum => lanes.load_f64s(&sum[index]),
            Self::Newest { newest, factor } => lanes.mul(factor, lanes.load(&newest[index])),
        }
    }
}

/// [`add_products`] for two vectors, from `index` on.
///
/// # Safety
/// As for [`Batch::vector`], for both.
#[inline(always)]
unsafe fn add_pair<const NATIVE: bool, L, T, S, const SIZE: usize>(
    lanes: L,
    factors: Factors<L::F64s, <L as Load<T>>::Native, SIZE>,
    batch: Batch<S, SIZE>,
    index: usize,
    [first, second]: [L::F64s; 2],
) -> [L::F64s; 2]
where
    L: Decode<S, T>,
    T: Number,
    S: Stored,
{
    if NATIVE {
        // SAFETY: the caller's promise.
        let pair = lanes.decode_pair(unsafe { batch.pair(0, index) });
        let factor = factors.native[0];
        let mut sums = [lanes.mul_native(factor, pair[0]), lanes.mul_native(factor, pair[1])];
        for (j, &factor) in factors.native.iter().enumerate().skip(1) {
            // SAFETY: as above.
            let pair = lanes.decode_pair(unsafe { batch.pair(j, index) });
            sums = [lanes.mul_add_native(factor, pair[0], sums[0]), lanes.mul_add_native(factor, pair[1], sums[1])];
        }
        let sums = lanes.in_order(sums);
        return [lanes.add(lanes.widen(sums[0]), first), lanes.add(lanes.widen(sums[1]), second)];
    }
    // SAFETY: the caller's promise.
    unsafe {
        [
            add_products::<NATIVE, L, T, S, SIZE>(lanes, factors, batch, index, first),
            add_products::<NATIVE, L, T, S, SIZE>(lanes, factors, batch, index + 1, second),
        ]
    }
}

/// Panics if the columns do not lie inside the data or overlap, or if no column is omitted. A column has as many
/// vectors as `len` elements need.
#[inline(always)]
pub(super) fn check_columns<S: Stored>(columns: Columns<'_, S>, count: usize, len: usize) {
    let Columns { data, stride, omitted, .. } = columns;
    let len = len.next_multiple_of(LANES);
    assert!(stride >= len, "columns of {len} overlap at stride {stride}");
    assert!(omitted < count, "no column {omitted} of {count} to be omitted");
    // The omitted column may be missing if it is the last.
    let last = (count - 1).saturating_sub(usize::from(omitted + 1 == count));
    let len = if count == 1 { 0 } else { len };
    let needed = last.checked_mul(stride).and_then(|start| start.checked_add(len));
    assert!(needed.is_some_and(|needed| needed <= data.len()), "{count} columns do not fit");
}

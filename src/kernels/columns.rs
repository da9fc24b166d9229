//! The loops over columns side by side.

use core::ops::Range;

use super::lanes::{BLOCK, Decode, Lanes, Load, PAIR};
use super::loops::{padded, rooms_mut};
use super::stored::{Scales, Stored};
use super::{Columns, Element};

/// Columns multiplied with a vector at a time, at most: they share its loads. Fewer where registers do not hold so many
/// sums ([`Lanes::SUMS`]).
pub(super) const DOTS_GROUP: usize = 9;
/// Columns combined at a time, at most: they share the loads and stores of the sum. More would be summed less exactly
/// in the precision of the elements, and is no faster.
pub(super) const COMBINE_GROUP: usize = 9;
/// Bytes ahead of what a loop reads that it has fetched, where it reads too little at a time for the machine to see it
/// coming.
pub(super) const DISTANCE: usize = 4096;

/// Runs `$body` for the columns that are not omitted, in groups of at most `$most`. In it `$size`, a constant, is the
/// size of the group, `$first` the number of columns before it, and `$places` are the columns' numbers.
macro_rules! each_group {
    ($most:expr, [$($sizes:literal),*], $count:expr, $omitted:expr, $first:ident, $places:ident, $size:ident, $body:block) => {
        let (omitted, taken): (usize, usize) = ($omitted, $count - 1);
        let mut $first = 0;
        while $first < taken {
            let size = group_size(taken - $first, $most);
            match size {
                $($sizes if $sizes <= $most => {
                    const $size: usize = $sizes;
                    let $places = places::<$size>($first, omitted);
                    $body
                })*
                _ => unreachable!("a group of {size}"),
            }
            $first += size;
        }
    };
}

pub(super) use each_group;

/// Columns to take next: rather two groups of half the size than one of the most and a rest that is not worth it.
#[inline(always)]
pub(super) fn group_size(left: usize, most: usize) -> usize {
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

/// A group of columns, each as many blocks as the vector beside them has.
#[derive(Clone, Copy)]
struct Group<S, const SIZE: usize>([*const [S; BLOCK]; SIZE]);

impl<S: Stored, const SIZE: usize> Group<S, SIZE> {
    /// # Safety
    /// `check_columns` has seen the columns, and the places are below their number.
    #[inline(always)]
    unsafe fn new(columns: Columns<'_, S>, places: [usize; SIZE]) -> Self {
        let mut starts = [core::ptr::null(); SIZE];
        for (start, place) in starts.iter_mut().zip(places) {
            // SAFETY: the column lies inside the data.
            *start = unsafe { columns.data.as_ptr().add(place * columns.stride) }.cast();
        }
        Self(starts)
    }

    /// Block `index` of column `j` of the group.
    ///
    /// # Safety
    /// The vector beside the columns has such a block.
    #[inline(always)]
    unsafe fn block<'a>(self, j: usize, index: usize) -> &'a [S; BLOCK] {
        // SAFETY: a column has as many elements as the vector, all inside its data; an array of `S` is aligned as `S`.
        unsafe { &*self.0[j].add(index) }
    }

    /// Blocks `index` and `index + 1` of column `j` of the group.
    ///
    /// # Safety
    /// The vector beside the columns has such blocks.
    #[inline(always)]
    unsafe fn pair<'a>(self, j: usize, index: usize) -> &'a [S; PAIR] {
        // SAFETY: as in `block`.
        unsafe { &*self.0[j].add(index).cast() }
    }
}

/// Runs `$body` for every block `$index` of `$range`, so many a turn, and `$between` for the first of each turn.
macro_rules! in_turns {
    ($turn:expr, $range:expr, $index:ident, $between:block, $body:block) => {
        let (mut next, end): (usize, usize) = ($range.start, $range.end);
        while next + $turn <= end {
            {
                let $index = next;
                let _ = $index;
                $between
            }
            for block in 0..$turn {
                let $index = next + block;
                $body
            }
            next += $turn;
        }
        for $index in next..end {
            $body
        }
    };
}

/// Before `count` blocks from `index` on, has fetched what will be needed next: of columns of shorter numbers what lies
/// [`DISTANCE`] ahead, and beside the first group of what comes after them as much as the vector beside them has.
#[inline(always)]
pub(super) fn fetch<L: Lanes, T, S: Stored, const SIZE: usize>(
    lanes: L,
    columns: Columns<'_, S>,
    places: [usize; SIZE],
    first: usize,
    index: usize,
    count: usize,
) {
    const LINE: usize = 64;
    let ahead = columns.ahead;
    let offset = index * BLOCK * size_of::<S>();
    if size_of::<S>() < size_of::<T>() && offset.is_multiple_of(LINE) {
        let run = columns.stride * size_of::<S>();
        let distance = offset + DISTANCE;
        let distance = if distance < run { distance } else { distance - run + SIZE * run };
        for place in places {
            lanes.fetch(columns.data.as_ptr().addr().wrapping_add(place * run + distance));
        }
    }
    if first == 0 {
        for (start, len) in ahead.runs {
            for line in 0..count * BLOCK * size_of::<T>() / LINE {
                let offset = index * BLOCK * size_of::<T>() + line * LINE;
                if offset < len {
                    lanes.fetch(start.wrapping_add(offset));
                }
            }
        }
    }
}

/// The first block of a column that has not the same scale as block `from`, at most `count`.
#[inline(always)]
fn unit_end<S: Stored>(from: usize, count: usize) -> usize {
    match S::UNIT {
        Some(unit) => count.min((from / (unit / BLOCK) + 1) * (unit / BLOCK)),
        None => count,
    }
}

/// `a` times the scale of block `index` of column `place`.
#[inline(always)]
fn scaled<S: Stored>(a: f64, scales: Scales<'_>, place: usize, index: usize) -> f64 {
    match S::UNIT {
        Some(unit) => a * scales.data[place * scales.stride + index / (unit / BLOCK)],
        None => a,
    }
}

#[inline(always)]
pub(super) fn dots<L, T, S>(lanes: L, x: &[T], columns: Columns<'_, S>, sums: &mut [f64])
where
    L: Load<T> + Load<f64> + Decode<S, T>,
    T: Element,
    S: Stored,
{
    check_columns(columns, sums.len(), x.len());
    let (x, rest) = x.as_chunks::<BLOCK>();
    let last = padded(rest);
    let blocks = x.len() + usize::from(!rest.is_empty());
    each_group!(L::SUMS, [9, 8, 7, 6, 5, 4, 3, 2, 1], sums.len(), columns.omitted, first, places, SIZE, {
        // SAFETY: the columns are checked.
        let group = unsafe { Group::<S, SIZE>::new(columns, places) };
        let mut totals = [lanes.splat(0.0); SIZE];
        let mut from = 0;
        while from < blocks {
            let end = unit_end::<S>(from, blocks);
            let mut products = [lanes.splat(0.0); SIZE];
            in_turns!(
                L::TURN,
                from..end.min(x.len()),
                index,
                {
                    if size_of::<S>() < size_of::<T>() {
                        // Whole numbers come fast enough: here nothing else is waited for.
                        fetch::<L, T, S, SIZE>(lanes, columns, places, first, index, L::TURN)
                    }
                },
                {
                    let x = Load::<T>::load(lanes, &x[index]);
                    for (j, product) in products.iter_mut().enumerate() {
                        // SAFETY: `x` has such a block.
                        *product = lanes.mul_add(x, lanes.decode(unsafe { group.block(j, index) }), *product);
                    }
                }
            );
            if end > x.len() {
                let last = Load::<T>::load(lanes, &last);
                for (j, product) in products.iter_mut().enumerate() {
                    // SAFETY: the rest of `x` is part of such a block.
                    *product = lanes.mul_add(last, lanes.decode(unsafe { group.block(j, x.len()) }), *product);
                }
            }
            for (j, place) in places.into_iter().enumerate() {
                totals[j] = if S::UNIT.is_some() {
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

#[inline(always)]
pub(super) fn combine<L, T, S>(lanes: L, columns: Columns<'_, S>, newest: &[T], coefficients: &[f64], sum: &mut [f64])
where
    L: Load<T> + Load<f64> + Decode<S, T>,
    T: Element,
    S: Stored,
{
    combine_with::<false, L, T, S>(lanes, columns, newest, coefficients, sum);
}

#[inline(always)]
pub(super) fn combine_narrow<L, T, S>(
    lanes: L,
    columns: Columns<'_, S>,
    newest: &[T],
    coefficients: &[f64],
    sum: &mut [f64],
) where
    L: Load<T> + Load<f64> + Decode<S, T>,
    T: Element,
    S: Stored,
{
    combine_with::<true, L, T, S>(lanes, columns, newest, coefficients, sum);
}

#[inline(always)]
fn combine_with<const NARROW: bool, L, T, S>(
    lanes: L,
    columns: Columns<'_, S>,
    newest: &[T],
    coefficients: &[f64],
    sum: &mut [f64],
) where
    L: Load<T> + Load<f64> + Decode<S, T>,
    T: Element,
    S: Stored,
{
    check_columns(columns, coefficients.len(), newest.len());
    let sum = rooms_mut(sum, newest.len());
    let newest_factor = lanes.splat(coefficients[columns.omitted]);
    let (newest, rest) = newest.as_chunks::<BLOCK>();
    if !rest.is_empty() {
        let last = Load::<T>::load(lanes, &padded(rest));
        Load::<f64>::store(lanes, lanes.mul(newest_factor, last), &mut sum[newest.len()]);
    }
    if coefficients.len() == 1 {
        for index in 0..newest.len() {
            let wide = lanes.mul(newest_factor, Load::<T>::load(lanes, &newest[index]));
            Load::<f64>::store(lanes, wide, &mut sum[index]);
        }
    }
    each_group!(L::COMBINED, [9, 8, 7, 6, 5, 4, 3, 2, 1], coefficients.len(), columns.omitted, first, places, SIZE, {
        // SAFETY: the columns are checked.
        let group = unsafe { Group::<S, SIZE>::new(columns, places) };
        // The first group begins the sum with the newest vector, so that the sum need not be read.
        let begun = if first == 0 { newest.len() } else { 0 };
        let mut from = 0;
        while from < sum.len() {
            let end = unit_end::<S>(from, sum.len());
            let factors = factors::<L, T, S, SIZE>(lanes, coefficients, columns.scales, places, from);
            let middle = end.min(begun).max(from);
            let source = (columns, places, first);
            let with_newest = Begin::Newest { newest, factor: newest_factor };
            // SAFETY: the columns are checked; they have as many blocks as `sum`, and `newest` has `begun`.
            unsafe {
                add_group::<NARROW, L, T, S, SIZE>(lanes, factors, group, source, from..middle, with_newest, sum);
                add_group::<NARROW, L, T, S, SIZE>(lanes, factors, group, source, middle..end, Begin::Sum, sum);
            }
            from = end;
        }
    });
}

/// The coefficients of a group, in both precisions, of which a loop uses one.
#[derive(Clone, Copy)]
struct Factors<W, N, const SIZE: usize> {
    wide: [W; SIZE],
    narrow: [N; SIZE],
}

/// What the numbers of a group that are stored at block `index` are to be multiplied with.
#[inline(always)]
fn factors<L: Load<T>, T, S: Stored, const SIZE: usize>(
    lanes: L,
    coefficients: &[f64],
    scales: Scales<'_>,
    places: [usize; SIZE],
    index: usize,
) -> Factors<L::Wide, L::Narrow, SIZE> {
    let mut factors = Factors { wide: [lanes.splat(0.0); SIZE], narrow: [lanes.splat_narrow(0.0); SIZE] };
    for (j, place) in places.into_iter().enumerate() {
        let factor = scaled::<S>(coefficients[place], scales, place, index);
        factors.wide[j] = lanes.splat(factor);
        factors.narrow[j] = lanes.splat_narrow(factor);
    }
    factors
}

/// `sum` plus the products of a group at a block, one after another; or, `NARROW`, plus their sum in the precision of
/// `T`.
///
/// # Safety
/// As [`Group::block`].
#[inline(always)]
unsafe fn add_products<const NARROW: bool, L, T, S, const SIZE: usize>(
    lanes: L,
    factors: Factors<L::Wide, <L as Load<T>>::Narrow, SIZE>,
    group: Group<S, SIZE>,
    index: usize,
    mut sum: L::Wide,
) -> L::Wide
where
    L: Load<T> + Decode<S, T>,
    T: Element,
    S: Stored,
{
    if NARROW {
        // SAFETY: the caller's promise is passed on.
        let mut narrow = lanes.mul_narrow(factors.narrow[0], lanes.decode_narrow(unsafe { group.block(0, index) }));
        for (j, &factor) in factors.narrow.iter().enumerate().skip(1) {
            // SAFETY: as above.
            narrow = lanes.mul_add_narrow(factor, lanes.decode_narrow(unsafe { group.block(j, index) }), narrow);
        }
        return lanes.add(lanes.widen(narrow), sum);
    }
    for (j, &factor) in factors.wide.iter().enumerate() {
        // SAFETY: as above.
        sum = lanes.mul_add(factor, lanes.decode(unsafe { group.block(j, index) }), sum);
    }
    sum
}

/// What products are added to.
#[derive(Clone, Copy)]
enum Begin<'a, W, T> {
    /// The sum so far.
    Sum,
    /// The newest vector times its coefficient.
    Newest { newest: &'a [[T; BLOCK]], factor: W },
}

/// For each block of a range, `sum` becomes what `begin` gives plus the products of a group. The columns and places tell
/// what to prefetch.
///
/// # Safety
/// As [`Group::block`], of all of the range.
#[inline(always)]
unsafe fn add_group<const NARROW: bool, L, T, S, const SIZE: usize>(
    lanes: L,
    factors: Factors<L::Wide, <L as Load<T>>::Narrow, SIZE>,
    group: Group<S, SIZE>,
    (columns, places, first): (Columns<'_, S>, [usize; SIZE], usize),
    range: Range<usize>,
    begin: Begin<'_, L::Wide, T>,
    sum: &mut [[f64; BLOCK]],
) where
    L: Load<T> + Load<f64> + Decode<S, T>,
    T: Element,
    S: Stored,
{
    let mut index = range.start;
    while index + 2 <= range.end {
        fetch::<L, T, S, SIZE>(lanes, columns, places, first, index, 2);
        let two = [begin.load(lanes, index, sum), begin.load(lanes, index + 1, sum)];
        // SAFETY: the caller's promise.
        let two = unsafe { add_pair::<NARROW, L, T, S, SIZE>(lanes, factors, group, index, two) };
        Load::<f64>::store(lanes, two[0], &mut sum[index]);
        Load::<f64>::store(lanes, two[1], &mut sum[index + 1]);
        index += 2;
    }
    if index < range.end {
        let one = begin.load(lanes, index, sum);
        // SAFETY: the caller's promise.
        let one = unsafe { add_products::<NARROW, L, T, S, SIZE>(lanes, factors, group, index, one) };
        Load::<f64>::store(lanes, one, &mut sum[index]);
    }
}

impl<W: Copy, T> Begin<'_, W, T> {
    #[inline(always)]
    fn load<L: Load<T> + Load<f64> + Lanes<Wide = W>>(self, lanes: L, index: usize, sum: &[[f64; BLOCK]]) -> W {
        match self {
            Self::Sum => Load::<f64>::load(lanes, &sum[index]),
            Self::Newest { newest, factor } => lanes.mul(factor, Load::<T>::load(lanes, &newest[index])),
        }
    }
}

/// [`add_products`] for two blocks, from `index` on.
///
/// # Safety
/// As [`Group::block`], of both.
#[inline(always)]
unsafe fn add_pair<const NARROW: bool, L, T, S, const SIZE: usize>(
    lanes: L,
    factors: Factors<L::Wide, <L as Load<T>>::Narrow, SIZE>,
    group: Group<S, SIZE>,
    index: usize,
    [first, second]: [L::Wide; 2],
) -> [L::Wide; 2]
where
    L: Load<T> + Decode<S, T>,
    T: Element,
    S: Stored,
{
    if NARROW {
        // SAFETY: the caller's promise is passed on.
        let pair = lanes.decode_pair(unsafe { group.pair(0, index) });
        let factor = factors.narrow[0];
        let mut sums = [lanes.mul_narrow(factor, pair[0]), lanes.mul_narrow(factor, pair[1])];
        for (j, &factor) in factors.narrow.iter().enumerate().skip(1) {
            // SAFETY: as above.
            let pair = lanes.decode_pair(unsafe { group.pair(j, index) });
            sums = [lanes.mul_add_narrow(factor, pair[0], sums[0]), lanes.mul_add_narrow(factor, pair[1], sums[1])];
        }
        let sums = lanes.in_order(sums);
        return [lanes.add(lanes.widen(sums[0]), first), lanes.add(lanes.widen(sums[1]), second)];
    }
    // SAFETY: the caller's promise is passed on.
    unsafe {
        [
            add_products::<NARROW, L, T, S, SIZE>(lanes, factors, group, index, first),
            add_products::<NARROW, L, T, S, SIZE>(lanes, factors, group, index + 1, second),
        ]
    }
}

/// Refuses columns that do not lie inside the data, or that overlap, or none of which is omitted. A column is as many
/// blocks as `len` elements need.
#[inline(always)]
pub(super) fn check_columns<S: Stored>(columns: Columns<'_, S>, count: usize, len: usize) {
    let Columns { data, stride, omitted, .. } = columns;
    let len = len.next_multiple_of(BLOCK);
    assert!(stride >= len, "columns of {len} overlap at stride {stride}");
    assert!(omitted < count, "no column {omitted} of {count} to be left out");
    // The column that is left out need not be there where it is the last.
    let last = (count - 1).saturating_sub(usize::from(omitted + 1 == count));
    let len = if count == 1 { 0 } else { len };
    let needed = last.checked_mul(stride).and_then(|start| start.checked_add(len));
    assert!(needed.is_some_and(|needed| needed <= data.len()), "{count} columns do not fit");
}

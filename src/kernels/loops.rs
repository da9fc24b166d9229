//! The loops, once for all element types and instruction sets.
//!
//! All are `#[inline(always)]`, so that they are compiled inside the functions of a table, for its instruction set. For
//! the same reason nothing in here is a closure: the compiler would not compile it for that set.

use super::lanes::{BLOCK, Lanes, Load};
use super::{Columns, Element};

/// Columns taken at a time: their sums fit the registers of every instruction set, and share the loads of the vector.
const GROUP: usize = 4;
/// Columns that `combine_narrow` takes at a time. More would be summed less exactly, and is no faster.
pub(super) const NARROW_GROUP: usize = 8;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Runs `$body` for each block of elements: of those that are read (`$given`), written (`$changed`), and of the rooms
/// beside them (`$read`, `$written`), which in it are blocks under the same names. What is left of the elements at the end
/// is padded with zeros to a block, of which only the part that exists is written back.
macro_rules! each_block {
    ($count:expr, [$($given:ident),*], [$($changed:ident),*], [$($read:ident),*], [$($written:ident),*], $body:block) => {
        let count: usize = $count;
        $(assert_eq!($given.len(), count);)*
        $(assert_eq!($changed.len(), count);)*
        $(let $read = rooms($read, count);)*
        $(let $written = rooms_mut($written, count);)*
        {
            $(let $given = $given.as_chunks::<BLOCK>().0;)*
            $(let $changed = $changed.as_chunks_mut::<BLOCK>().0;)*
            for index in 0..count / BLOCK {
                $(let $given = &$given[index];)*
                $(let $changed = &mut $changed[index];)*
                $(let $read = &$read[index];)*
                $(let $written = &mut $written[index];)*
                $body
            }
        }
        if count % BLOCK != 0 {
            let done = count - count % BLOCK;
            $(let $given = &padded(&$given[done..]);)*
            $(let mut $changed = (padded(&$changed[done..]), &mut $changed[done..]);)*
            $(let $read = &$read[done / BLOCK];)*
            $(let $written = &mut $written[done / BLOCK];)*
            {
                $(let $changed = &mut $changed.0;)*
                $body
            }
            $(write_part(&$changed.0, $changed.1);)*
        }
    };
}

/// The blocks of room for `count` numbers.
#[inline(always)]
fn rooms(room: &[f64], count: usize) -> &[[f64; BLOCK]] {
    &room.as_chunks().0[..count.div_ceil(BLOCK)]
}

/// The blocks of room for `count` numbers, to be written.
#[inline(always)]
fn rooms_mut(room: &mut [f64], count: usize) -> &mut [[f64; BLOCK]] {
    &mut room.as_chunks_mut().0[..count.div_ceil(BLOCK)]
}

#[inline(always)]
fn padded<T: Element>(rest: &[T]) -> [T; BLOCK] {
    let mut block = [T::default(); BLOCK];
    for place in 0..BLOCK - 1 {
        if place < rest.len() {
            block[place] = rest[place];
        }
    }
    block
}

#[inline(always)]
fn write_part<T: Element>(block: &[T; BLOCK], rest: &mut [T]) {
    for place in 0..BLOCK - 1 {
        if place < rest.len() {
            rest[place] = block[place];
        }
    }
}

/// The sum of a block's numbers, in the one order.
#[inline(always)]
fn total<L: Load<f64>>(lanes: L, wide: L::Wide) -> f64 {
    let mut block = [0.0; BLOCK];
    lanes.store(wide, &mut block);
    let [a, b, c, d, e, f, g, h] = block;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[inline(always)]
pub(super) fn widen<L: Load<T> + Load<f64>, T: Element>(lanes: L, source: &[T], target: &mut [f64]) -> f64 {
    let mut squares = lanes.splat(0.0);
    each_block!(source.len(), [source], [], [], [target], {
        let wide = lanes.load(source);
        squares = lanes.mul_add(wide, wide, squares);
        lanes.store(wide, target);
    });
    total(lanes, squares)
}

#[inline(always)]
pub(super) fn dot<L: Load<f64>>(lanes: L, x: &[f64], y: &[f64]) -> f64 {
    let mut sum = lanes.splat(0.0);
    each_block!(x.len(), [x, y], [], [], [], {
        sum = lanes.mul_add(lanes.load(x), lanes.load(y), sum);
    });
    total(lanes, sum)
}

/// Runs `$body` for the columns that are not omitted, `$size` at a time, a constant: `$group` and then the rest at once.
/// In it `$places` are their numbers.
macro_rules! each_group {
    ($group:expr, [$($rest:literal),*], $count:expr, $omitted:expr, $places:ident, $size:ident, $body:block) => {
        let (omitted, taken): (usize, usize) = ($omitted, $count - 1);
        let mut first = 0;
        while taken - first >= $group {
            const $size: usize = $group;
            let $places = places::<$size>(first, omitted);
            $body
            first += $group;
        }
        match taken - first {
            $($rest => {
                const $size: usize = $rest;
                let $places = places::<$size>(first, omitted);
                $body
            })*
            _ => {}
        }
    };
}

/// The numbers of columns `first..first + SIZE` of those that are not omitted.
#[inline(always)]
fn places<const SIZE: usize>(first: usize, omitted: usize) -> [usize; SIZE] {
    let mut places = [0; SIZE];
    for j in 0..SIZE {
        places[j] = first + j + usize::from(first + j >= omitted);
    }
    places
}

/// A group of columns, each as many blocks as the vector beside them has.
#[derive(Clone, Copy)]
struct Group<T, const SIZE: usize> {
    starts: [*const [T; BLOCK]; SIZE],
    /// Blocks from a block to the one that is wanted soon after it.
    distance: usize,
}

impl<T: Element, const SIZE: usize> Group<T, SIZE> {
    /// # Safety
    /// `check_columns` has seen the columns, and the places are below their number.
    #[inline(always)]
    unsafe fn new(columns: Columns<'_, T>, places: [usize; SIZE], group: usize) -> Self {
        let mut starts = [core::ptr::null(); SIZE];
        for j in 0..SIZE {
            // SAFETY: the column lies inside the data.
            starts[j] = unsafe { columns.data.as_ptr().add(places[j] * columns.stride) }.cast();
        }
        Self { starts, distance: group * columns.stride / BLOCK }
    }

    /// Block `index` of column `j` of the group.
    ///
    /// # Safety
    /// The vector beside the columns has such a block.
    #[inline(always)]
    unsafe fn block<'a>(self, j: usize, index: usize) -> &'a [T; BLOCK] {
        // SAFETY: a column has as many elements as the vector, all inside its data; an array of `T` is aligned as `T`.
        unsafe { &*self.starts[j].add(index) }
    }

    /// Asks for what is wanted after block `index` of each column: the same block of the column as many further as are
    /// taken at a time, which at the end of a tile is in the next one. Once for each cache line.
    #[inline(always)]
    fn ahead<L: Lanes>(self, lanes: L, index: usize) {
        if index % (LINE / size_of::<[T; BLOCK]>()).max(1) == 0 {
            for j in 0..SIZE {
                lanes.prefetch(self.starts[j].wrapping_add(index + self.distance).cast());
            }
        }
    }
}

#[inline(always)]
pub(super) fn dots<L, T>(lanes: L, x: &[f64], columns: Columns<'_, T>, sums: &mut [f64])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let x = check_columns(columns, sums.len(), x);
    each_group!(GROUP, [3, 2, 1], sums.len(), columns.omitted, places, SIZE, {
        // SAFETY: the columns are checked.
        let group = unsafe { Group::<T, SIZE>::new(columns, places, GROUP) };
        let mut products = [lanes.splat(0.0); SIZE];
        for index in 0..x.len() {
            let x = lanes.load(&x[index]);
            group.ahead(lanes, index);
            for j in 0..SIZE {
                // SAFETY: `x` has such a block.
                products[j] = lanes.mul_add(x, lanes.load(unsafe { group.block(j, index) }), products[j]);
            }
        }
        for j in 0..SIZE {
            sums[places[j]] += total(lanes, products[j]);
        }
    });
}

#[inline(always)]
pub(super) fn combine<L, T>(lanes: L, columns: Columns<'_, T>, coefficients: &[f64], sum: &mut [f64])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let count = check_columns(columns, coefficients.len(), sum).len();
    each_group!(GROUP, [3, 2, 1], coefficients.len(), columns.omitted, places, SIZE, {
        // SAFETY: the columns are checked.
        let group = unsafe { Group::<T, SIZE>::new(columns, places, GROUP) };
        let mut factors = [lanes.splat(0.0); SIZE];
        for j in 0..SIZE {
            factors[j] = lanes.splat(coefficients[places[j]]);
        }
        let sum = &mut sum.as_chunks_mut().0[..count];
        for index in 0..count {
            group.ahead(lanes, index);
            let mut wide = lanes.load(&sum[index]);
            for j in 0..SIZE {
                // SAFETY: `sum` has such a block.
                wide = lanes.mul_add(factors[j], lanes.load(unsafe { group.block(j, index) }), wide);
            }
            lanes.store(wide, &mut sum[index]);
        }
    });
}

#[inline(always)]
pub(super) fn combine_narrow<L, T>(lanes: L, columns: Columns<'_, T>, coefficients: &[f64], sum: &mut [f64])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let count = check_columns(columns, coefficients.len(), sum).len();
    each_group!(NARROW_GROUP, [7, 6, 5, 4, 3, 2, 1], coefficients.len(), columns.omitted, places, SIZE, {
        // SAFETY: the columns are checked.
        let group = unsafe { Group::<T, SIZE>::new(columns, places, NARROW_GROUP) };
        let factors = narrow_factors::<L, T, SIZE>(lanes, coefficients, places);
        let sum = &mut sum.as_chunks_mut().0[..count];
        for index in 0..count {
            group.ahead(lanes, index);
            // SAFETY: `sum` has such a block.
            let wide = unsafe { narrow_sum(lanes, factors, group, index) };
            lanes.store(lanes.add(wide, lanes.load(&sum[index])), &mut sum[index]);
        }
    });
}

#[inline(always)]
fn narrow_factors<L: Load<T>, T, const SIZE: usize>(
    lanes: L,
    coefficients: &[f64],
    places: [usize; SIZE],
) -> [L::Narrow; SIZE] {
    let mut factors = [lanes.splat_narrow(0.0); SIZE];
    for j in 0..SIZE {
        factors[j] = lanes.splat_narrow(coefficients[places[j]]);
    }
    factors
}

/// The sum of products in the precision of `T`, widened.
///
/// # Safety
/// As [`Group::block`].
#[inline(always)]
unsafe fn narrow_sum<L: Load<T>, T: Element, const SIZE: usize>(
    lanes: L,
    factors: [L::Narrow; SIZE],
    group: Group<T, SIZE>,
    index: usize,
) -> L::Wide {
    // SAFETY: the caller's promise is passed on.
    let mut sum = lanes.mul_narrow(factors[0], lanes.load_narrow(unsafe { group.block(0, index) }));
    for j in 1..SIZE {
        // SAFETY: as above.
        sum = lanes.mul_add_narrow(factors[j], lanes.load_narrow(unsafe { group.block(j, index) }), sum);
    }
    lanes.widen(sum)
}

/// Refuses columns that do not lie inside the data, or that overlap, or none of which is omitted. Returns the blocks of
/// the vector beside them.
#[inline(always)]
fn check_columns<'v, T>(columns: Columns<'_, T>, count: usize, vector: &'v [f64]) -> &'v [[f64; BLOCK]] {
    let Columns { data, stride, omitted } = columns;
    let (blocks, rest) = vector.as_chunks();
    assert!(rest.is_empty(), "a vector of {} is no whole number of blocks", vector.len());
    assert!(stride >= vector.len(), "columns of {} overlap at stride {stride}", vector.len());
    assert!(omitted < count, "no column {omitted} of {count} to be left out");
    let needed = (count - 1).checked_mul(stride).and_then(|start| start.checked_add(vector.len()));
    assert!(needed.is_some_and(|needed| needed <= data.len()), "{count} columns do not fit");
    blocks
}

#[inline(always)]
pub(super) fn scale<L, T>(lanes: L, source: &[T], factor: f64, target: &mut [f64])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let factor = lanes.splat(factor);
    each_block!(source.len(), [source], [], [], [target], {
        lanes.store(lanes.mul(factor, lanes.load(source)), target);
    });
}

#[inline(always)]
pub(super) fn stream<L: Load<T>, T: Element>(lanes: L, source: &[T], target: &mut [T]) {
    each_block!(source.len(), [source], [target], [], [], {
        lanes.stream_narrow(lanes.load_narrow(source), target);
    });
}

#[inline(always)]
pub(super) fn settle<L: Lanes>(lanes: L) {
    lanes.settle();
}

#[inline(always)]
pub(super) fn axpy<L: Load<f64>>(lanes: L, a: f64, x: &[f64], sum: &mut [f64]) {
    let a = lanes.splat(a);
    each_block!(x.len(), [x], [sum], [], [], {
        lanes.store(lanes.mul_add(a, lanes.load(x), lanes.load(sum)), sum);
    });
}

#[inline(always)]
pub(super) fn average<L, T>(lanes: L, buffer: &mut [T], beta: f64, x: &[f64], new: &mut [f64])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let (old_share, new_share) = (lanes.splat(beta), lanes.splat(1.0 - beta));
    each_block!(buffer.len(), [], [buffer], [x], [new], {
        let old = lanes.mul(old_share, lanes.load(buffer));
        let wide = lanes.mul_add(new_share, lanes.load(x), old);
        lanes.store(wide, buffer);
        lanes.store(wide, new);
    });
}

#[inline(always)]
pub(super) fn descend<L, T>(lanes: L, params: &mut [T], keep: f64, rate: f64, direction: &[f64])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let (keep, rate) = (lanes.splat(keep), lanes.splat(rate));
    each_block!(params.len(), [], [params], [direction], [], {
        let kept = lanes.mul(keep, lanes.load(params));
        lanes.store(lanes.mul_sub_from(rate, lanes.load(direction), kept), params);
    });
}

#[inline(always)]
pub(super) fn narrow<L, T>(lanes: L, source: &[f64], scale: f64, target: &mut [T])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let scale = lanes.splat(scale);
    each_block!(target.len(), [], [target], [source], [], {
        lanes.store(lanes.mul(scale, lanes.load(source)), target);
    });
}

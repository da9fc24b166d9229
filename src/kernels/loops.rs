//! The loops over elements, once for all element types and instruction sets.
//!
//! All loops, here and in the files beside this one, are `#[inline(always)]`, so that they are compiled inside the
//! functions of a table, for its instruction set. For the same reason nothing in them is a closure: the compiler would
//! not compile it for that set.

pub(super) use super::columns::{combine, combine_narrow, dots};
pub(super) use super::diagonal::{advance, coordinates, divide, magnify, multiply, smooth_magnified};
pub(super) use super::encode::{encode, largest, measure};
use super::lanes::{BLOCK, Lanes, Load};
pub(super) use super::products::code_dots;
use super::stored::Stored;
use super::{Element, Smoothing};

/// Runs `$body` for each block of elements: of those that are read (`$given`), written (`$changed`), and of the rooms
/// beside them (`$read`, `$written`), which in it are blocks under the same names. What is left of the elements at the
/// end is padded with zeros to a block, of which only the part that exists is written back.
macro_rules! each_block {
    ($($lists:tt)*) => {
        $crate::kernels::loops::each_of!(BLOCK, $($lists)*)
    };
}

/// The same, `$size` elements at a time; of another size than a block, without rooms.
macro_rules! each_of {
    (
        $size:ident, $count:expr,
        [$($given:ident),*], [$($changed:ident),*], [$($read:ident),*], [$($written:ident),*], $body:block
    ) => {
        let count: usize = $count;
        $(assert_eq!($given.len(), count);)*
        $(assert_eq!($changed.len(), count);)*
        $(let $read = $crate::kernels::loops::rooms($read, count);)*
        $(let $written = $crate::kernels::loops::rooms_mut($written, count);)*
        {
            $(let $given = $given.as_chunks::<$size>().0;)*
            $(let $changed = $changed.as_chunks_mut::<$size>().0;)*
            for index in 0..count / $size {
                $(let $given = &$given[index];)*
                $(let $changed = &mut $changed[index];)*
                $(let $read = &$read[index];)*
                $(let $written = &mut $written[index];)*
                $body
            }
        }
        if !count.is_multiple_of($size) {
            let done = count - count % $size;
            $(let $given = &padded(&$given[done..]);)*
            $(let mut $changed = (padded(&$changed[done..]), &mut $changed[done..]);)*
            $(let $read = &$read[done / $size];)*
            $(let $written = &mut $written[done / $size];)*
            {
                $(let $changed = &mut $changed.0;)*
                $body
            }
            $(write_part(&$changed.0, $changed.1);)*
        }
    };
}

pub(super) use each_block;
pub(super) use each_of;

/// The blocks of room for `count` numbers.
#[inline(always)]
pub(super) fn rooms(room: &[f64], count: usize) -> &[[f64; BLOCK]] {
    &room.as_chunks().0[..count.div_ceil(BLOCK)]
}

/// The blocks of room for `count` numbers, to be written.
#[inline(always)]
pub(super) fn rooms_mut(room: &mut [f64], count: usize) -> &mut [[f64; BLOCK]] {
    &mut room.as_chunks_mut().0[..count.div_ceil(BLOCK)]
}

#[inline(always)]
pub(super) fn padded<T: Stored, const SIZE: usize>(rest: &[T]) -> [T; SIZE] {
    let mut block = [T::default(); SIZE];
    for place in 0..SIZE - 1 {
        if place < rest.len() {
            block[place] = rest[place];
        }
    }
    block
}

#[inline(always)]
pub(super) fn write_part<T: Stored, const SIZE: usize>(block: &[T; SIZE], rest: &mut [T]) {
    for place in 0..SIZE - 1 {
        if place < rest.len() {
            rest[place] = block[place];
        }
    }
}

#[inline(always)]
pub(super) fn widen<L: Load<T> + Load<f64>, T: Element>(lanes: L, source: &[T], target: &mut [f64]) {
    each_block!(source.len(), [source], [], [], [target], {
        lanes.store(lanes.load(source), target);
    });
}

#[inline(always)]
pub(super) fn dot<L: Load<T> + Load<f64>, T: Element>(lanes: L, x: &[T], y: &[T]) -> f64 {
    let mut sum = lanes.splat(0.0);
    each_block!(x.len(), [x, y], [], [], [], {
        sum = lanes.mul_add(lanes.load(x), lanes.load(y), sum);
    });
    lanes.total(sum)
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
    smooth(lanes, buffer, &Smoothing { beta, before: 1.0, after: 1.0 }, x, new);
}

/// A [`Smoothing`] in registers.
#[derive(Clone, Copy)]
pub(super) struct Smooth<L: Lanes> {
    old_share: L::Wide,
    new_share: L::Wide,
    before: L::Wide,
    after: L::Wide,
}

impl<L: Lanes> Smooth<L> {
    #[inline(always)]
    pub(super) fn new(lanes: L, smoothing: &Smoothing) -> Self {
        let Smoothing { beta, before, after } = *smoothing;
        Self {
            old_share: lanes.splat(beta),
            new_share: lanes.splat(1.0 - beta),
            before: lanes.splat(before),
            after: lanes.splat(after),
        }
    }

    /// Takes `x` into a block of the buffer; what of it goes on.
    #[inline(always)]
    pub(super) fn take_in<T: Element>(self, lanes: L, x: L::Wide, buffer: &mut [T; BLOCK]) -> L::Wide
    where
        L: Load<T>,
    {
        let old = lanes.mul(self.old_share, lanes.load(buffer));
        let wide = lanes.mul_add(self.new_share, lanes.mul(self.before, x), old);
        lanes.store(wide, buffer);
        lanes.mul(self.after, wide)
    }
}

#[inline(always)]
pub(super) fn smooth<L, T>(lanes: L, buffer: &mut [T], smoothing: &Smoothing, x: &[f64], new: &mut [f64])
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let smoothing = Smooth::new(lanes, smoothing);
    each_block!(buffer.len(), [], [buffer], [x], [new], {
        lanes.store(smoothing.take_in(lanes, lanes.load(x), buffer), new);
    });
}

#[inline(always)]
pub(super) fn scale<L: Load<f64>>(lanes: L, factor: f64, sum: &mut [f64]) {
    let factor = lanes.splat(factor);
    each_block!(sum.len(), [], [sum], [], [], {
        lanes.store(lanes.mul(factor, lanes.load(sum)), sum);
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

//! Loops over elements: all that is done a number of times that grows with the model. They know no policy.
//!
//! Every loop is written once ([`loops`]), in blocks of eight 64-bit numbers, over a small set of operations
//! ([`lanes`]). An instruction set is one implementation of these operations and one table of compiled loops; the best
//! that the machine has is chosen when the program runs. Eight numbers are a block on every machine, whatever its
//! registers hold, and a rest of fewer is padded to one. So a sum has one order, which depends neither on addresses nor
//! on the instruction set; machines can differ only in whether a product is rounded before it is added, and not even in
//! that where it is exact, as between two 32-bit numbers.
//!
//! Sums are made in 64 bits: sums in 32 bits lose what nearly parallel gradients have apart. The one exception is asked
//! for by name (`combine_narrow`).

mod columns;
mod diagonal;
mod encode;
mod lanes;
mod loops;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
mod other;
mod poles;
mod portable;
mod products;
mod reduce;
mod scaling;
mod small;
pub(crate) mod sparse;
mod stored;
pub(crate) mod symmetric;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

// Which tables there are, for this kind of machine.
#[cfg(target_arch = "aarch64")]
use neon as machine;
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
use other as machine;
#[cfg(target_arch = "x86_64")]
use x86 as machine;

use core::fmt::Debug;
use core::ops::{Add, Mul, Sub};

use once_cell::race::OnceRef;

use crate::config::Dtype;
use crate::memory::Pod;
use sparse::SparseKernels;

use diagonal::Bits;
pub(crate) use diagonal::{Diagonal, DiagonalSums, Scaled};
pub(crate) use stored::{Bf16, CodeDots, Compressed, F16, SCALED_UNIT, Scales, Stored, StoredKernels};

/// Elements of a column that lie together, and that a pass works on at a time. Memory likes long runs (with 1,024 a
/// pass over a large window took a fifth longer), the caches short ones. Sums over a tile are the unit of the fixed
/// order of summation.
pub(crate) const TILE: usize = 4096;

/// Numbers in a block.
pub(crate) const BLOCK: usize = lanes::BLOCK;

/// Columns at most whose products `combine_narrow` sums in the precision of their type before they are widened.
pub(crate) const NARROW_GROUP: usize = columns::COMBINE_GROUP;

/// An element of parameters and gradients: `f32` or `f64`. Sealed.
pub trait Element:
    Pod + Bits + Default + Into<f64> + PartialOrd + Debug + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    /// The type's name among the options.
    const DTYPE: Dtype;

    /// Its largest finite value.
    const LARGEST: f64;

    /// Its unit roundoff: by how much, relatively, a number is at most off when it is rounded to this type.
    const ROUNDOFF: f64;

    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;

    /// The nearest value of this type to a bfloat16: the same.
    #[doc(hidden)]
    fn from_bf16(value: Bf16) -> Self;

    /// The nearest bfloat16, of two as near the even one; the largest in place of an infinity.
    #[doc(hidden)]
    fn to_bf16(self) -> Bf16;

    /// The same value.
    fn to_f64(self) -> f64 {
        self.into()
    }

    /// The loops for this type with each instruction set that this machine has, the best first.
    #[doc(hidden)]
    fn available() -> impl Iterator<Item = &'static Kernels<Self>>;

    /// The best loops for this type on this machine.
    #[doc(hidden)]
    fn kernels() -> &'static Kernels<Self>;

    /// The loops for windows that store something else than this type, likewise; none where there are no such windows.
    #[doc(hidden)]
    fn compressed() -> impl Iterator<Item = &'static Compressed<Self>>;

    /// The best loops over sparse columns on this machine, if there are any for this type.
    #[doc(hidden)]
    fn sparse() -> Option<&'static SparseKernels<Self>>;
}

macro_rules! element {
    ($number:ty, $dtype:expr, $compressed:expr, $sparse:expr) => {
        impl Element for $number {
            const DTYPE: Dtype = $dtype;
            const LARGEST: f64 = <$number>::MAX as f64;
            const ROUNDOFF: f64 = <$number>::EPSILON as f64 / 2.0;

            #[inline]
            fn from_f64(value: f64) -> Self {
                value as Self
            }

            #[inline]
            fn from_bf16(value: Bf16) -> Self {
                value.to_f32().into()
            }

            #[inline]
            fn to_bf16(self) -> Bf16 {
                Bf16::from_f32(self as f32)
            }

            fn available() -> impl Iterator<Item = &'static Kernels<Self>> {
                machine::tables().into_iter().flatten()
            }

            fn kernels() -> &'static Kernels<Self> {
                static BEST: OnceRef<'static, Kernels<$number>> = OnceRef::new();
                best(&BEST, Self::available)
            }

            fn compressed() -> impl Iterator<Item = &'static Compressed<Self>> {
                $compressed
            }

            fn sparse() -> Option<&'static SparseKernels<Self>> {
                $sparse
            }
        }
    };
}
element!(f32, Dtype::F32, machine::compressed().into_iter().flatten(), SparseKernels::available().next());
element!(f64, Dtype::F64, core::iter::empty(), None);

/// The first of the tables available, which is found out once: what a processor can do does not change.
fn best<T: Sync, A: Iterator<Item = &'static T>>(
    found: &OnceRef<'static, T>,
    available: impl FnOnce() -> A,
) -> &'static T {
    found.get_or_init(|| available().next().unwrap_or_else(|| unreachable!("the portable kernels run everywhere")))
}

/// Columns side by side: column `j` begins at `data[j * stride]` and has as many elements as the vector beside it needs
/// whole [`BLOCK`]s for, at most `stride`. What lies in them beyond the vector is read but does not count. One column
/// is left out.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub struct Columns<'a, T> {
    /// From the first element of the first column on.
    pub data: &'a [T],
    /// Elements from a column to the next.
    pub stride: usize,
    /// Number of the column that is left out.
    pub omitted: usize,
    /// What the numbers are to be multiplied with.
    pub scales: Scales<'a>,
    /// What is fetched meanwhile.
    pub ahead: Ahead,
}

impl<'a, T> Columns<'a, T> {
    /// Columns of numbers that stand for themselves.
    pub(crate) fn new(data: &'a [T], stride: usize, omitted: usize) -> Self {
        Self { data, stride, omitted, scales: Scales::default(), ahead: Ahead::default() }
    }
}

/// Memory that will be needed next: addresses and lengths in bytes. It is fetched into the caches while the processor
/// has something else to do, which it does not find out by itself where it changes from one array to another. Only ever
/// a hint.
#[derive(Clone, Copy, Debug, Default)]
#[doc(hidden)]
pub struct Ahead {
    pub runs: [Run; 2],
}

/// Address and bytes of memory that is to be fetched.
pub(crate) type Run = (usize, usize);

/// `(columns, newest, coefficients, sum)`.
type Combine<T> = fn(Columns<'_, T>, &[T], &[f64], &mut [f64]);

/// `(buffer, smoothing, x, new)`.
type Smooth<T> = fn(&mut [T], &Smoothing, &[f64], &mut [f64]);

/// `(buffer, smoothing, scale, x, new)`.
type SmoothMagnified<T> = fn(&mut [T], &Smoothing, &[T], &[f64], &mut [f64]);

/// `(root, given, diagonal, ahead, target)`.
type Coordinates<T> = fn(&[T], &[T], &Diagonal, Ahead, Scaled<'_, T>) -> DiagonalSums;

/// How an average moves, and what becomes of what goes in and comes out.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Smoothing {
    /// The share of the old average that stays.
    pub beta: f64,
    /// Factor on what is taken in.
    pub before: f64,
    /// Factor on the new average where it goes on; not where it is kept.
    pub after: f64,
}

/// One table of loops: for one element type, with one instruction set.
///
/// Elements come in slices of any length, and the 64-bit numbers beside them in rooms of at least so many whole
/// [`BLOCK`]s. In a room that is written, zeros or what comes of them fill the last block. The loops panic where
/// lengths that belong together do not fit. *Elementwise* ones give an element the same bits wherever in the slice it
/// lies.
#[doc(hidden)]
pub struct Kernels<T: 'static> {
    /// Name of the instruction set.
    pub name: &'static str,
    /// Copies `source` to `target`.
    pub widen: fn(source: &[T], target: &mut [f64]),
    /// The dot product.
    pub dot: fn(x: &[T], y: &[T]) -> f64,
    /// Adds to each of `sums` the dot product of `x` and its column. A column's does not depend on the others.
    pub dots: fn(x: &[T], columns: Columns<'_, T>, sums: &mut [f64]),
    /// `sum` is the columns, with `newest` in place of the one left out, times their coefficients: first `newest`, then
    /// one column after another. Elementwise.
    pub combine: Combine<T>,
    /// As `combine`, but at most [`NARROW_GROUP`] columns at a time are summed in the precision of `T`, their
    /// coefficients rounded to it, before they are added to `sum`.
    pub combine_narrow: Combine<T>,
    /// `sum += a·x`. Elementwise.
    pub axpy: fn(a: f64, x: &[f64], sum: &mut [f64]),
    /// Copies `source` to `target`, past the caches where the machine can: the target's old contents are not fetched.
    /// [`Kernels::settle`] has to be called before another thread may look at the target.
    pub stream: fn(source: &[T], target: &mut [T]),
    /// Ends a run of [`Kernels::stream`].
    pub settle: fn(),
    /// `new = beta·buffer + (1 − beta)·x`, and `buffer` is that, rounded. Elementwise.
    pub average: fn(buffer: &mut [T], beta: f64, x: &[f64], new: &mut [f64]),
    /// `new = after·(beta·buffer + (1 − beta)·(before·x))`, and `buffer` is that, rounded, without `after`. Elementwise.
    pub smooth: Smooth<T>,
    /// `sum = factor·sum`. Elementwise.
    pub scale: fn(factor: f64, sum: &mut [f64]),
    /// `params = keep·params − rate·direction`, rounded once to its type. Elementwise.
    pub descend: fn(params: &mut [T], keep: f64, rate: f64, direction: &[f64]),
    /// `target = scale·source`, rounded. Elementwise.
    pub narrow: fn(source: &[f64], scale: f64, target: &mut [T]),
    /// The scales of a gradient in diagonal coordinates, and the gradient times its scales, both rounded: `root` is that
    /// of the average of squares before this gradient. Returns the gradient's squared norm, and the sum of the roots
    /// that `advance` stores of it. Elementwise.
    pub coordinates: Coordinates<T>,
    /// The same, and `root` takes this gradient in. Elementwise.
    pub advance: fn(root: &mut [T], given: &[T], diagonal: &Diagonal, ahead: Ahead, target: Scaled<'_, T>),
    /// `product = x·y`, rounded. Elementwise.
    pub multiply: fn(x: &[T], y: &[T], product: &mut [T]),
    /// `quotient = x/y`. Elementwise.
    pub divide: fn(x: &[T], y: &[T], quotient: &mut [f64]),
    /// `sum = factor·(scale·sum)`. Elementwise.
    pub magnify: fn(scale: &[T], factor: f64, sum: &mut [f64]),
    /// As `smooth`, of `scale·x`. Elementwise.
    pub smooth_magnified: SmoothMagnified<T>,
}

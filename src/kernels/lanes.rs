//! The operations that the loops are made of, and the table of loops for one set of them.

use super::columns::{COMBINE_GROUP, DOTS_GROUP};
use super::scaling::Scaling;

/// Numbers in a block.
pub(super) const BLOCK: usize = 8;

/// Numbers in two blocks.
pub(super) const PAIR: usize = 2 * BLOCK;

/// Arithmetic on blocks. A value of the implementing type stands for the knowledge that the machine can do it.
///
/// Every method is `#[inline(always)]`: only inside a function compiled for its instruction set does it become the one
/// instruction that it is.
pub(super) trait Lanes: Copy {
    /// A block in registers.
    type Wide: Copy;

    /// Sums of blocks that fit the registers beside what is added to them, at most [`DOTS_GROUP`].
    const SUMS: usize = DOTS_GROUP;

    /// Columns combined at a time, at most [`COMBINE_GROUP`].
    const COMBINED: usize = COMBINE_GROUP;

    /// Blocks of columns taken in a turn of a loop, so that the loop itself costs little.
    const TURN: usize = 2;

    /// The same number eight times.
    fn splat(self, value: f64) -> Self::Wide;

    fn add(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;

    fn mul(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;

    /// `a·b + c`, with one rounding or two.
    fn mul_add(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide;

    /// `c − a·b`, with one rounding or two.
    fn mul_sub_from(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide;

    fn div(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;

    /// The lesser of each two; where one is not a number, either.
    fn min(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;

    /// The sum of a block's numbers a to h: `((a+e) + (c+g)) + ((b+f) + (d+h))`.
    fn total(self, wide: Self::Wide) -> f64;

    /// The sums of eight blocks, each as by [`Lanes::total`].
    fn totals(self, wides: [Self::Wide; BLOCK]) -> Self::Wide;

    /// Prefetches the cache line at an address, if there is one. Does nothing on instruction sets whose processors
    /// prefetch better by themselves.
    #[inline(always)]
    fn fetch(self, _address: usize) {}

    /// Makes what was streamed before visible to other threads before what is stored after.
    #[inline(always)]
    fn settle(self) {}
}

/// Blocks of `T`, in memory and, in the precision of `T`, in registers.
pub(super) trait Load<T>: Lanes {
    /// A block in registers that is not widened.
    type Narrow: Copy;

    /// How two blocks are gone through, not widened, where the chain of operations is long.
    type Scaling: Scaling<T>;

    fn scaling(self) -> Self::Scaling;

    fn load(self, block: &[T; BLOCK]) -> Self::Wide;

    /// Each number rounded to `T`.
    fn store(self, wide: Self::Wide, block: &mut [T; BLOCK]);

    fn load_narrow(self, block: &[T; BLOCK]) -> Self::Narrow;

    fn store_narrow(self, narrow: Self::Narrow, block: &mut [T; BLOCK]);

    /// Past the caches where the machine can and the block is aligned for it: for what will not be read again soon.
    fn stream_narrow(self, narrow: Self::Narrow, block: &mut [T; BLOCK]);

    /// The same number eight times, rounded to `T`.
    fn splat_narrow(self, value: f64) -> Self::Narrow;

    fn mul_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow;

    fn add_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow;

    fn sub_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow;

    /// `a·b + c` in the precision of `T`, with one rounding or two.
    fn mul_add_narrow(self, a: Self::Narrow, b: Self::Narrow, c: Self::Narrow) -> Self::Narrow;

    fn widen(self, narrow: Self::Narrow) -> Self::Wide;

    /// The larger of each two magnitudes; where one is not a number, either.
    fn max_abs_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow;
}

/// What `Load<f64>` has in common on all lanes: not to widen a block is no other thing than to widen it. Beside it stand
/// the ways from and to memory, and the magnitudes.
macro_rules! narrow_is_wide {
    () => {
        type Narrow = Self::Wide;

        $crate::kernels::scaling::in_twos!();

        #[inline(always)]
        fn load_narrow(self, block: &[f64; BLOCK]) -> Self::Narrow {
            self.load(block)
        }

        #[inline(always)]
        fn store_narrow(self, narrow: Self::Narrow, block: &mut [f64; BLOCK]) {
            self.store(narrow, block);
        }

        #[inline(always)]
        fn splat_narrow(self, value: f64) -> Self::Narrow {
            self.splat(value)
        }

        #[inline(always)]
        fn mul_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
            self.mul(a, b)
        }

        #[inline(always)]
        fn add_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
            self.add(a, b)
        }

        #[inline(always)]
        fn sub_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
            self.mul_sub_from(self.splat(1.0), b, a)
        }

        #[inline(always)]
        fn mul_add_narrow(self, a: Self::Narrow, b: Self::Narrow, c: Self::Narrow) -> Self::Narrow {
            self.mul_add(a, b, c)
        }

        #[inline(always)]
        fn widen(self, narrow: Self::Narrow) -> Self::Wide {
            narrow
        }
    };
}

/// Blocks of columns of `S` beside numbers of type `T`.
pub(super) trait Decode<S, T>: Load<T> {
    fn decode(self, block: &[S; BLOCK]) -> Self::Wide;

    /// The same, in the precision of `T`, which holds every `S`.
    fn decode_narrow(self, block: &[S; BLOCK]) -> <Self as Load<T>>::Narrow;

    /// Decodes two blocks, in an order that is fast to decode: the same order on every instruction set.
    #[inline(always)]
    fn decode_pair(self, pair: &[S; PAIR]) -> [<Self as Load<T>>::Narrow; 2] {
        let blocks = pair.as_chunks().0;
        [self.decode_narrow(&blocks[0]), self.decode_narrow(&blocks[1])]
    }

    /// Puts numbers in the order of [`Decode::decode_pair`] back in their own order.
    #[inline(always)]
    fn in_order(self, pair: [<Self as Load<T>>::Narrow; 2]) -> [<Self as Load<T>>::Narrow; 2] {
        pair
    }
}

/// Blocks of `S`, which a history format stores in place of numbers of type `T`.
pub(super) trait Encode<S, T>: Decode<S, T> {
    /// The nearest that `S` has of each number times a factor; of two as near, the even one. Returns what it stored.
    fn encode(self, x: <Self as Load<T>>::Narrow, factor: f64, block: &mut [S; BLOCK]) -> <Self as Load<T>>::Narrow;
}

/// A way to encode on lanes `L`.
pub(super) trait Encoder<L: Load<T>, S, T> {
    /// As [`Encode::encode`].
    fn encode(lanes: L, x: L::Narrow, factor: f64, block: &mut [S; BLOCK]) -> L::Narrow;
}

/// The way that the lanes have of their own.
pub(super) struct Own;

impl<L: Encode<S, T>, S, T> Encoder<L, S, T> for Own {
    #[inline(always)]
    fn encode(lanes: L, x: L::Narrow, factor: f64, block: &mut [S; BLOCK]) -> L::Narrow {
        lanes.encode(x, factor, block)
    }
}

impl<L: Load<T>, T> Decode<T, T> for L {
    #[inline(always)]
    fn decode(self, block: &[T; BLOCK]) -> Self::Wide {
        self.load(block)
    }

    #[inline(always)]
    fn decode_narrow(self, block: &[T; BLOCK]) -> <Self as Load<T>>::Narrow {
        self.load_narrow(block)
    }
}

/// Defines `$lanes::table()`: the loops compiled with `$lanes` for an instruction set, `["features"]` or `[]` for that
/// of the build.
macro_rules! table {
    ($lanes:ident, $name:literal, $features:tt) => {
        $crate::kernels::lanes::table! {
            $lanes, $name, $features,
            widen(source: &[T], target: &mut [f64]) -> (),
            dot(x: &[T], y: &[T]) -> f64,
            dots(x: &[T], columns: $crate::kernels::Columns<'_, T>, sums: &mut [f64]) -> (),
            combine(
                columns: $crate::kernels::Columns<'_, T>,
                newest: &[T],
                coefficients: &[f64],
                sum: &mut [f64]
            ) -> (),
            combine_narrow(
                columns: $crate::kernels::Columns<'_, T>,
                newest: &[T],
                coefficients: &[f64],
                sum: &mut [f64]
            ) -> (),
            axpy(a: f64, x: &[f64], sum: &mut [f64]) -> (),
            stream(source: &[T], target: &mut [T]) -> (),
            settle() -> (),
            average(buffer: &mut [T], beta: f64, x: &[f64], new: &mut [f64]) -> (),
            smooth(buffer: &mut [T], smoothing: &$crate::kernels::Smoothing, x: &[f64], new: &mut [f64]) -> (),
            scale(factor: f64, sum: &mut [f64]) -> (),
            descend(params: &mut [T], keep: f64, rate: f64, direction: &[f64]) -> (),
            narrow(source: &[f64], scale: f64, target: &mut [T]) -> (),
            coordinates(
                root: &[T],
                given: &[T],
                diagonal: &$crate::kernels::Diagonal,
                ahead: $crate::kernels::Ahead,
                target: $crate::kernels::Scaled<'_, T>
            ) -> $crate::kernels::DiagonalSums,
            advance(
                root: &mut [T],
                given: &[T],
                diagonal: &$crate::kernels::Diagonal,
                ahead: $crate::kernels::Ahead,
                target: $crate::kernels::Scaled<'_, T>
            ) -> (),
            multiply(x: &[T], y: &[T], product: &mut [T]) -> (),
            divide(x: &[T], y: &[T], quotient: &mut [f64]) -> (),
            magnify(scale: &[T], factor: f64, sum: &mut [f64]) -> (),
            smooth_magnified(
                buffer: &mut [T],
                smoothing: &$crate::kernels::Smoothing,
                scale: &[T],
                x: &[f64],
                new: &mut [f64]
            ) -> (),
        }
    };
    ($lanes:ident, $name:literal, $features:tt, $($kernel:ident $arguments:tt -> $result:ty,)*) => {
        impl $lanes {
            /// To be given away only where the machine was found to have the instruction set.
            pub(in crate::kernels) const fn table<T: $crate::kernels::Element>() -> &'static $crate::kernels::Kernels<T>
            where
                Self: $crate::kernels::lanes::Load<T>,
            {
                &$crate::kernels::Kernels {
                    name: $name,
                    $($kernel: $crate::kernels::lanes::compiled!($lanes, $features, $kernel $arguments -> $result),)*
                }
            }
        }
    };
}

/// One loop, compiled for an instruction set.
macro_rules! compiled {
    ($lanes:ident, [], $kernel:ident($($argument:ident: $type:ty),*) -> $result:ty) => {{
        fn compiled<T: $crate::kernels::Element>($($argument: $type),*) -> $result
        where
            $lanes: $crate::kernels::lanes::Load<T>,
        {
            $crate::kernels::loops::$kernel($lanes(()), $($argument),*)
        }
        compiled::<T>
    }};
    ($lanes:ident, [$features:literal], $kernel:ident($($argument:ident: $type:ty),*) -> $result:ty) => {{
        fn checked<T: $crate::kernels::Element>($($argument: $type),*) -> $result
        where
            $lanes: $crate::kernels::lanes::Load<T>,
        {
            #[target_feature(enable = $features)]
            fn compiled<T: $crate::kernels::Element>($($argument: $type),*) -> $result
            where
                $lanes: $crate::kernels::lanes::Load<T>,
            {
                $crate::kernels::loops::$kernel($lanes(()), $($argument),*)
            }
            // SAFETY: the table is given away only where the machine was found to have these features.
            unsafe { compiled::<T>($($argument),*) }
        }
        checked::<T>
    }};
}

pub(super) use compiled;
pub(super) use narrow_is_wide;
pub(super) use table;

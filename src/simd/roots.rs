//! Arithmetic for the scales of diagonal preconditioning: in the precision of the elements, and on pairs of vectors.
//! The chain of operations on each number is long, so AVX-512 puts both vectors of `f32` into one register.

use super::lanes::{LANES, Load, PAIR};

/// Lanes that have a way through pairs of vectors of `T`.
pub(crate) trait Paired<T>: Load<T> {
    type Pairs: Pairs<T>;

    fn pairs(self) -> Self::Pairs;
}

/// Arithmetic on pairs of vectors. Each method does what the method of [`Load`] or [`Roots`] does for one vector.
pub(crate) trait Pairs<T>: Copy {
    /// [`PAIR`] numbers in registers.
    type Pair: Copy;

    fn load(self, pair: &[T; PAIR]) -> Self::Pair;
    fn store(self, x: Self::Pair, pair: &mut [T; PAIR]);
    fn splat(self, value: f64) -> Self::Pair;
    fn mul(self, a: Self::Pair, b: Self::Pair) -> Self::Pair;
    fn mul_add(self, a: Self::Pair, b: Self::Pair, c: Self::Pair) -> Self::Pair;
    fn sqrt(self, a: Self::Pair) -> Self::Pair;
    fn max_abs(self, a: Self::Pair, b: Self::Pair) -> Self::Pair;
    fn powers(self, a: Self::Pair) -> [Self::Pair; 3];
    fn guess(self, minus_a: Self::Pair) -> Self::Pair;
}

/// Roots of vectors of `T`.
pub(crate) trait Roots<T>: Load<T> {
    fn sqrt(self, a: Self::Native) -> Self::Native;

    /// [`Bits::powers`](super::numbers::Bits::powers) of each lane.
    fn powers(self, a: Self::Native) -> [Self::Native; 3];

    /// [`Bits::guess`](super::numbers::Bits::guess) of each lane.
    fn guess(self, minus_a: Self::Native) -> Self::Native;
}

/// Goes through a pair one vector after the other.
#[derive(Clone, Copy)]
pub(crate) struct OneByOne<L>(L);

impl<L: Roots<T>, T> Paired<T> for L {
    type Pairs = OneByOne<Self>;

    #[inline(always)]
    fn pairs(self) -> Self::Pairs {
        OneByOne(self)
    }
}

/// The two vectors of a pair.
#[inline(always)]
pub(crate) fn halves<T>(pair: &[T; PAIR]) -> [&[T; LANES]; 2] {
    let [low, high] = pair.as_chunks::<LANES>().0 else { unreachable!("a pair is two vectors") };
    [low, high]
}

impl<L: Roots<T>, T> Pairs<T> for OneByOne<L> {
    type Pair = [L::Native; 2];

    #[inline(always)]
    fn load(self, pair: &[T; PAIR]) -> Self::Pair {
        let [low, high] = halves(pair);
        [self.0.load_native(low), self.0.load_native(high)]
    }

    #[inline(always)]
    fn store(self, [low, high]: Self::Pair, pair: &mut [T; PAIR]) {
        let [first, second] = pair.as_chunks_mut::<LANES>().0 else { unreachable!("a pair is two vectors") };
        self.0.store_native(low, first);
        self.0.store_native(high, second);
    }

    #[inline(always)]
    fn splat(self, value: f64) -> Self::Pair {
        [self.0.splat_native(value); 2]
    }

    #[inline(always)]
    fn mul(self, a: Self::Pair, b: Self::Pair) -> Self::Pair {
        [self.0.mul_native(a[0], b[0]), self.0.mul_native(a[1], b[1])]
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Pair, b: Self::Pair, c: Self::Pair) -> Self::Pair {
        [self.0.mul_add_native(a[0], b[0], c[0]), self.0.mul_add_native(a[1], b[1], c[1])]
    }

    #[inline(always)]
    fn sqrt(self, a: Self::Pair) -> Self::Pair {
        [self.0.sqrt(a[0]), self.0.sqrt(a[1])]
    }

    #[inline(always)]
    fn max_abs(self, a: Self::Pair, b: Self::Pair) -> Self::Pair {
        [self.0.max_abs_native(a[0], b[0]), self.0.max_abs_native(a[1], b[1])]
    }

    #[inline(always)]
    fn powers(self, a: Self::Pair) -> [Self::Pair; 3] {
        let (low, high) = (self.0.powers(a[0]), self.0.powers(a[1]));
        [[low[0], high[0]], [low[1], high[1]], [low[2], high[2]]]
    }

    #[inline(always)]
    fn guess(self, minus_a: Self::Pair) -> Self::Pair {
        [self.0.guess(minus_a[0]), self.0.guess(minus_a[1])]
    }
}

//! Arithmetic in the precision of the elements, on two blocks at a time: for what is long enough a chain of operations
//! on each number that machines with wide registers should hold as many numbers in one as they can.

use super::lanes::{BLOCK, Load};

/// Numbers at a time.
pub(super) const TWIN: usize = 2 * BLOCK;

/// What [`super::diagonal`] needs of `T`; each method as [`Load`] and [`Roots`] have it for one block.
pub(super) trait Scaling<T>: Copy {
    /// [`TWIN`] numbers in registers.
    type Twin: Copy;

    fn load(self, twin: &[T; TWIN]) -> Self::Twin;
    fn store(self, numbers: Self::Twin, twin: &mut [T; TWIN]);
    fn splat(self, value: f64) -> Self::Twin;
    fn mul(self, a: Self::Twin, b: Self::Twin) -> Self::Twin;
    fn mul_add(self, a: Self::Twin, b: Self::Twin, c: Self::Twin) -> Self::Twin;
    fn sqrt(self, a: Self::Twin) -> Self::Twin;
    fn max_abs(self, a: Self::Twin, b: Self::Twin) -> Self::Twin;
    fn powers(self, a: Self::Twin) -> [Self::Twin; 3];
    fn guess(self, minus_a: Self::Twin) -> Self::Twin;
}

/// What [`super::diagonal`] needs for a block, where a twin is two of them.
pub(super) trait Roots<T>: Load<T> {
    fn sqrt(self, a: Self::Narrow) -> Self::Narrow;

    /// A power of two, its square root and its inverse, for each number: `a` times the power lies in [2, 8). Positive
    /// numbers only, from [`super::diagonal::Bits::SMALLEST`] on.
    fn powers(self, a: Self::Narrow) -> [Self::Narrow; 3];

    /// Near `a^(−1/4)`, where a is positive and normal: see [`super::diagonal::Bits::FOURTH_ROOT`].
    fn guess(self, minus_a: Self::Narrow) -> Self::Narrow;
}

/// One block after the other.
#[derive(Clone, Copy)]
pub(super) struct Two<L>(pub L);

/// The two blocks of a twin.
#[inline(always)]
pub(super) fn halves<T>(twin: &[T; TWIN]) -> [&[T; BLOCK]; 2] {
    let [low, high] = twin.as_chunks::<BLOCK>().0 else { unreachable!("a twin is two blocks") };
    [low, high]
}

impl<L: Roots<T>, T> Scaling<T> for Two<L> {
    type Twin = [L::Narrow; 2];

    #[inline(always)]
    fn load(self, twin: &[T; TWIN]) -> Self::Twin {
        let [low, high] = halves(twin);
        [self.0.load_narrow(low), self.0.load_narrow(high)]
    }

    #[inline(always)]
    fn store(self, [low, high]: Self::Twin, twin: &mut [T; TWIN]) {
        let [first, second] = twin.as_chunks_mut::<BLOCK>().0 else { unreachable!("a twin is two blocks") };
        self.0.store_narrow(low, first);
        self.0.store_narrow(high, second);
    }

    #[inline(always)]
    fn splat(self, value: f64) -> Self::Twin {
        [self.0.splat_narrow(value); 2]
    }

    #[inline(always)]
    fn mul(self, a: Self::Twin, b: Self::Twin) -> Self::Twin {
        [self.0.mul_narrow(a[0], b[0]), self.0.mul_narrow(a[1], b[1])]
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Twin, b: Self::Twin, c: Self::Twin) -> Self::Twin {
        [self.0.mul_add_narrow(a[0], b[0], c[0]), self.0.mul_add_narrow(a[1], b[1], c[1])]
    }

    #[inline(always)]
    fn sqrt(self, a: Self::Twin) -> Self::Twin {
        [self.0.sqrt(a[0]), self.0.sqrt(a[1])]
    }

    #[inline(always)]
    fn max_abs(self, a: Self::Twin, b: Self::Twin) -> Self::Twin {
        [self.0.max_abs_narrow(a[0], b[0]), self.0.max_abs_narrow(a[1], b[1])]
    }

    #[inline(always)]
    fn powers(self, a: Self::Twin) -> [Self::Twin; 3] {
        let (low, high) = (self.0.powers(a[0]), self.0.powers(a[1]));
        [[low[0], high[0]], [low[1], high[1]], [low[2], high[2]]]
    }

    #[inline(always)]
    fn guess(self, minus_a: Self::Twin) -> Self::Twin {
        [self.0.guess(minus_a[0]), self.0.guess(minus_a[1])]
    }
}

/// What of a `Load` says that its twins are two blocks.
macro_rules! in_twos {
    () => {
        type Scaling = $crate::kernels::scaling::Two<Self>;

        #[inline(always)]
        fn scaling(self) -> Self::Scaling {
            $crate::kernels::scaling::Two(self)
        }
    };
}

pub(super) use in_twos;

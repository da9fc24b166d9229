//! Diagonal coordinates: scales of single parameters by the average of their squared gradients, as Adam has them, with
//! which a gradient is stored and an update comes out.
//!
//! A scale is `x^(−1/4)`, by a guess from the number's bits and two steps that take its error to the fourth power, or in
//! `f32`, where that is enough, to the second. Roots and a division of the machine would take longer than memory takes to
//! bring what they are for; so would 64 bits for `f32`, whose precision is that of what is stored.

use super::lanes::{BLOCK, Lanes, Load};
use super::loops::{Smooth, each_block, each_of, padded, write_part};
use super::scaling::{Scaling, TWIN, halves};
use super::{Ahead, Element, Smoothing};

/// Bytes that are fetched at once.
const LINE: usize = 64;

/// What scales depend on beside the gradients. `q ← beta·q + (1 − beta)·(factor·g)²`, kept as its root; a scale is
/// `(correction·q + eps)^(−1/4)`.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Diagonal {
    /// β₂
    pub beta: f64,
    /// `1/(1 − β₂^t)`
    pub correction: f64,
    /// Positive.
    pub eps: f64,
    /// What gradients are multiplied with before they are squared.
    pub factor: f64,
}

/// Where the scales of a gradient go, and the gradient times its scales: of its length.
#[doc(hidden)]
pub struct Scaled<'a, T> {
    pub scale: &'a mut [T],
    pub scaled: &'a mut [T],
}

/// Numbers whose exponent can be taken out of their bits.
#[doc(hidden)]
pub trait Bits: Sized {
    /// As many bits.
    type Int;

    /// The exponent but for its last bit: that of the even power of two at or below a number, or of the odd one.
    const EVEN: Self::Int;
    /// That less the even exponent is a power of two, to which a number is as one in [2, 8) to 1.
    const POWER: Self::Int;
    /// That less half the even exponent is the power's square root.
    const ROOT: Self::Int;
    /// The even exponent less that is the power's inverse.
    const INVERSE: Self::Int;
    /// The least number for which all three are.
    const SMALLEST: f64;

    /// That less a quarter of the bits of −x is near `x^(−1/4)`, for positive normal x: of the exponent exactly, of the
    /// rest to 3.2 percent.
    const FOURTH_ROOT: Self::Int;

    /// As [`super::scaling::Roots::powers`].
    fn powers(self) -> [Self; 3];

    /// As [`super::scaling::Roots::guess`].
    fn guess(self) -> Self;
}

macro_rules! bits {
    ($number:ty, $int:ty, $even:expr, $power:expr, $root:expr, $inverse:expr, $least:expr, $fourth_root:expr) => {
        impl Bits for $number {
            type Int = $int;
            const EVEN: $int = $even;
            const POWER: $int = $power;
            const ROOT: $int = $root;
            const INVERSE: $int = $inverse;
            const SMALLEST: f64 = $least;
            const FOURTH_ROOT: $int = $fourth_root;

            #[inline(always)]
            fn powers(self) -> [Self; 3] {
                let even = self.to_bits() & Self::EVEN;
                let inverse = even.wrapping_sub(Self::INVERSE);
                [Self::POWER - even, Self::ROOT - (even >> 1), inverse].map(Self::from_bits)
            }

            #[inline(always)]
            fn guess(self) -> Self {
                Self::from_bits(Self::FOURTH_ROOT.wrapping_sub(self.to_bits() >> 2))
            }
        }
    };
}
bits!(f32, u32, 0x7f00_0000, 0x7f80_0000, 0x5f80_0000, 0x0080_0000, 4.0 * f32::MIN_POSITIVE as f64, 0x6f58_5f07);
bits!(
    f64,
    u64,
    0x7fe0_0000_0000_0000,
    0x7ff0_0000_0000_0000,
    0x5ff0_0000_0000_0000,
    0x0010_0000_0000_0000,
    4.0 * f64::MIN_POSITIVE,
    0x6feb_0be0_ded2_8800
);

/// What pass one has to know of a gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[doc(hidden)]
pub struct DiagonalSums {
    /// The sum of its squares.
    pub norm2: f64,
    /// The sum of the roots of q with this gradient in it, as [`super::Kernels::advance`] stores them.
    pub roots: f64,
}

/// The scales of a gradient, and the root of q with this gradient in it.
///
/// All in the precision of `T`, on numbers between 2 and 8 or less: squares of what has the range of `T` would not have it.
#[inline(always)]
fn scales<S: Scaling<T>, T: Element>(
    lanes: S,
    root: &[T; TWIN],
    given: &[T; TWIN],
    diagonal: &Diagonal,
) -> (S::Twin, S::Twin) {
    let Diagonal { beta, correction, eps, factor } = *diagonal;
    let (root, given) = (lanes.load(root), lanes.mul(lanes.load(given), lanes.splat(factor)));
    let least = lanes.splat(eps.sqrt().max(T::SMALLEST));
    let [power, root_of_power, inverse] = lanes.powers(lanes.max_abs(lanes.max_abs(root, given), least));
    let (root, given, least) = (lanes.mul(root, power), lanes.mul(given, power), lanes.mul(least, power));
    let (root2, given2) = (lanes.mul(root, root), lanes.mul(given, given));
    let q = lanes.mul_add(lanes.splat(1.0 - beta), given2, lanes.mul(lanes.splat(beta), root2));
    // −x
    let x = lanes.mul(lanes.mul(least, least), lanes.splat(-1.0));
    let x = lanes.mul_add(lanes.splat(-correction), q, x);
    let mut y = lanes.guess(x);
    for last in [false, true] {
        // y·(1 − h)^(−1/4), where h is what x·y⁴ lacks to 1.
        let square = lanes.mul(y, y);
        let h = lanes.mul_add(x, lanes.mul(square, square), lanes.splat(1.0));
        let series = if last && T::ROUNDOFF > 1e-10 {
            lanes.splat(0.25)
        } else {
            let series = lanes.mul_add(h, lanes.splat(15.0 / 128.0), lanes.splat(5.0 / 32.0));
            lanes.mul_add(h, series, lanes.splat(0.25))
        };
        y = lanes.mul_add(lanes.mul(y, h), series, y);
    }
    (lanes.mul(y, root_of_power), lanes.mul(lanes.sqrt(q), inverse))
}

/// Memory that is fetched in as many parts as there are blocks.
#[derive(Clone, Copy)]
struct Bringing {
    /// The next line, how many are left, and how many are fetched at a time.
    runs: [(usize, usize, usize); 2],
}

impl Bringing {
    #[inline(always)]
    fn new(ahead: Ahead, blocks: usize) -> Self {
        let mut runs = [(0, 0, 0); 2];
        for (run, (start, len)) in runs.iter_mut().zip(ahead.runs) {
            let lines = len / LINE;
            *run = (start, lines, lines.div_ceil(blocks.max(1)));
        }
        Self { runs }
    }

    /// The next part.
    #[inline(always)]
    fn bring<L: Lanes>(&mut self, lanes: L) {
        for (next, left, each) in &mut self.runs {
            let now = *each;
            let now = if now < *left { now } else { *left };
            for line in 0..now {
                lanes.fetch(next.wrapping_add(line * LINE));
            }
            *next = next.wrapping_add(now * LINE);
            *left -= now;
        }
    }
}

#[inline(always)]
fn store_both<S: Scaling<T>, T: Element>(
    lanes: S,
    s: S::Twin,
    given: &[T; TWIN],
    scale: &mut [T; TWIN],
    scaled: &mut [T; TWIN],
) {
    lanes.store(s, scale);
    lanes.store(lanes.mul(s, lanes.load(given)), scaled);
}

#[inline(always)]
pub(super) fn coordinates<L, T>(
    lanes: L,
    root: &[T],
    given: &[T],
    diagonal: &Diagonal,
    ahead: Ahead,
    target: Scaled<'_, T>,
) -> DiagonalSums
where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let Scaled { scale, scaled } = target;
    let mut bringing = Bringing::new(ahead, given.len() / TWIN);
    let (mut norm2, mut roots) = (lanes.splat(0.0), lanes.splat(0.0));
    each_of!(TWIN, given.len(), [root, given], [scale, scaled], [], [], {
        for given in halves(given) {
            norm2 = lanes.mul_add(lanes.load(given), lanes.load(given), norm2);
        }
        bringing.bring(lanes);
        let (s, new_root) = scales(Load::<T>::scaling(lanes), root, given, diagonal);
        store_both(Load::<T>::scaling(lanes), s, given, scale, scaled);
        let mut new_roots = [T::default(); TWIN];
        Load::<T>::scaling(lanes).store(new_root, &mut new_roots);
        for new_root in halves(&new_roots) {
            roots = lanes.add(lanes.load(new_root), roots);
        }
    });
    DiagonalSums { norm2: lanes.total(norm2), roots: lanes.total(roots) }
}

#[inline(always)]
pub(super) fn advance<L, T>(
    lanes: L,
    root: &mut [T],
    given: &[T],
    diagonal: &Diagonal,
    ahead: Ahead,
    target: Scaled<'_, T>,
) where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let Scaled { scale, scaled } = target;
    let mut bringing = Bringing::new(ahead, given.len() / TWIN);
    each_of!(TWIN, given.len(), [given], [root, scale, scaled], [], [], {
        bringing.bring(lanes);
        let (s, new_root) = scales(Load::<T>::scaling(lanes), root, given, diagonal);
        Load::<T>::scaling(lanes).store(new_root, root);
        store_both(Load::<T>::scaling(lanes), s, given, scale, scaled);
    });
}

#[inline(always)]
pub(super) fn multiply<L: Load<T>, T: Element>(lanes: L, x: &[T], y: &[T], product: &mut [T]) {
    each_block!(x.len(), [x, y], [product], [], [], {
        lanes.store_narrow(lanes.mul_narrow(lanes.load_narrow(x), lanes.load_narrow(y)), product);
    });
}

#[inline(always)]
pub(super) fn divide<L: Load<T> + Load<f64>, T: Element>(lanes: L, x: &[T], y: &[T], quotient: &mut [f64]) {
    each_block!(x.len(), [x, y], [], [], [quotient], {
        lanes.store(lanes.div(lanes.load(x), lanes.load(y)), quotient);
    });
}

#[inline(always)]
pub(super) fn magnify<L: Load<T> + Load<f64>, T: Element>(lanes: L, scale: &[T], factor: f64, sum: &mut [f64]) {
    let factor = lanes.splat(factor);
    each_block!(scale.len(), [scale], [], [], [sum], {
        lanes.store(lanes.mul(factor, lanes.mul(lanes.load(scale), lanes.load(sum))), sum);
    });
}

#[inline(always)]
pub(super) fn smooth_magnified<L, T>(
    lanes: L,
    buffer: &mut [T],
    smoothing: &Smoothing,
    scale: &[T],
    x: &[f64],
    new: &mut [f64],
) where
    L: Load<T> + Load<f64>,
    T: Element,
{
    let smoothing = Smooth::new(lanes, smoothing);
    each_block!(buffer.len(), [scale], [buffer], [x], [new], {
        let x = lanes.mul(lanes.load(scale), lanes.load(x));
        lanes.store(smoothing.take_in(lanes, x, buffer), new);
    });
}

#[cfg(test)]
mod tests;

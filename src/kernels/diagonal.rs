//! The scales of diagonal preconditioning: a parameter's scale comes from the average of its squared gradients, as in
//! Adam. Gradients are multiplied by their scales before they are stored, and updates on their way out.
//!
//! A scale is `x^(−1/4)`. It is computed from a guess made of the number's bits and two steps. Each step raises the
//! error to the fourth power; the last step in `f32` only squares it, which suffices there. Two square roots and a
//! division would take longer than reading the numbers from memory. `f64` arithmetic for `f32` would too, and what is
//! stored has the precision of `f32` anyway.

use crate::simd::{Number, PAIR, Pairs};

/// The parameters of the scales. The average of squares is `q ← beta·q + (1 − beta)·(factor·g)²`, stored as
/// its root; a scale is `(correction·q + eps)^(−1/4)`.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Diagonal {
    /// β₂
    pub beta: f64,
    /// `1/(1 − β₂^t)`
    pub correction: f64,
    /// Positive.
    pub eps: f64,
    /// Factor on gradients before they are squared.
    pub factor: f64,
}

/// Where the scales of a gradient are written, and the gradient times its scales. Both have the gradient's length.
#[doc(hidden)]
pub struct Scaled<'a, T> {
    pub scale: &'a mut [T],
    pub scaled: &'a mut [T],
}

/// Sums that pass one needs of a gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[doc(hidden)]
pub struct DiagonalSums {
    /// The sum of the gradient's squares.
    pub norm2: f64,
    /// The sum of the roots of q that include this gradient, as [`Kernels::advance_root`](super::Kernels) stores them.
    pub roots: f64,
}

/// The scales of a gradient, and the roots of q that include this gradient.
///
/// All in the precision of `T`. Numbers are brought into [2, 8) or below, since squares would exceed the range of `T`.
#[inline(always)]
pub(super) fn scale_pair<P: Pairs<T>, T: Number>(
    lanes: P,
    root: &[T; PAIR],
    given: &[T; PAIR],
    diagonal: &Diagonal,
) -> (P::Pair, P::Pair) {
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
        // y·(1 − h)^(−1/4), where h = 1 − x·y⁴ is the error.
        let square = lanes.mul(y, y);
        let h = lanes.mul_add(x, lanes.mul(square, square), lanes.splat(1.0));
        let series = if last && T::IS_F32 {
            lanes.splat(0.25)
        } else {
            let series = lanes.mul_add(h, lanes.splat(15.0 / 128.0), lanes.splat(5.0 / 32.0));
            lanes.mul_add(h, series, lanes.splat(0.25))
        };
        y = lanes.mul_add(lanes.mul(y, h), series, y);
    }
    (lanes.mul(y, root_of_power), lanes.mul(lanes.sqrt(q), inverse))
}

/// Stores scales, and the gradient times its scales.
#[inline(always)]
pub(super) fn store_scaled<P: Pairs<T>, T: Number>(
    lanes: P,
    scales: P::Pair,
    given: &[T; PAIR],
    scale: &mut [T; PAIR],
    scaled: &mut [T; PAIR],
) {
    lanes.store(scales, scale);
    lanes.store(lanes.mul(scales, lanes.load(given)), scaled);
}

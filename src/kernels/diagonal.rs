//! Diagonal coordinates: scales of single parameters by the average of their squared gradients, as Adam has them, with
//! which a gradient is stored and an update comes out.
//!
//! A scale is `x^(−1/4)` of a 64-bit x, by a guess from the number's bits and two steps that each take its error to the
//! fourth power. Roots and a division of the machine would take two to three times as long, longer than memory takes to
//! bring what they are for.

use super::Element;
use super::lanes::{BLOCK, Load};
use super::loops::{each_block, padded, write_part};

/// What scales depend on beside the gradients. `q ← beta·q + (1 − beta)·g²`, kept as its root; a scale is
/// `(correction·q + eps)^(−1/4)`.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Diagonal {
    /// β₂
    pub beta: f64,
    /// `1/(1 − β₂^t)`
    pub correction: f64,
    /// Normal and positive.
    pub eps: f64,
}

/// The bits of a number less a quarter of those of x are near those of `x^(−1/4)`, for positive normal x: of the exponent
/// exactly, of the rest to 3.2 percent.
pub(super) const FOURTH_ROOT: u64 = 0x4feb_0be0_ded2_8800;

/// `q`, and the scale that follows from it.
#[inline(always)]
fn scales<L: Load<T>, T: Element>(
    lanes: L,
    root: &[T; BLOCK],
    given: &[T; BLOCK],
    diagonal: &Diagonal,
) -> (L::Wide, L::Wide) {
    let (root, given) = (lanes.load(root), lanes.load(given));
    let new_share = lanes.mul(lanes.splat(1.0 - diagonal.beta), lanes.mul(given, given));
    let q = lanes.mul_add(lanes.splat(diagonal.beta), lanes.mul(root, root), new_share);
    let x = lanes.mul_add(lanes.splat(diagonal.correction), q, lanes.splat(diagonal.eps));
    let mut y = lanes.fourth_root_guess(x);
    for _ in 0..2 {
        // y·(1 − h)^(−1/4), where h is what x·y⁴ lacks to 1.
        let square = lanes.mul(y, y);
        let h = lanes.mul_sub_from(x, lanes.mul(square, square), lanes.splat(1.0));
        let series = lanes.mul_add(h, lanes.splat(15.0 / 128.0), lanes.splat(5.0 / 32.0));
        let series = lanes.mul_add(h, series, lanes.splat(0.25));
        y = lanes.mul_add(lanes.mul(y, h), series, y);
    }
    (q, lanes.min(y, lanes.splat(T::LARGEST)))
}

#[inline(always)]
fn product_of<L: Load<T>, T: Element>(lanes: L, x: &[T; BLOCK], y: &[T; BLOCK]) -> L::Narrow {
    lanes.mul_narrow(lanes.load_narrow(x), lanes.load_narrow(y))
}

#[inline(always)]
pub(super) fn coordinates<L, T>(
    lanes: L,
    root: &[T],
    given: &[T],
    diagonal: &Diagonal,
    scale: &mut [T],
    scaled: &mut [T],
) where
    L: Load<T> + Load<f64>,
    T: Element,
{
    each_block!(given.len(), [root, given], [scale, scaled], [], [], {
        let (_, s) = scales(lanes, root, given, diagonal);
        lanes.store(s, scale);
        lanes.store_narrow(product_of::<L, T>(lanes, scale, given), scaled);
    });
}

#[inline(always)]
pub(super) fn advance<L, T>(
    lanes: L,
    root: &mut [T],
    given: &[T],
    diagonal: &Diagonal,
    scale: &mut [T],
    scaled: &mut [T],
) where
    L: Load<T> + Load<f64>,
    T: Element,
{
    each_block!(given.len(), [given], [root, scale, scaled], [], [], {
        let (q, s) = scales(lanes, root, given, diagonal);
        lanes.store(lanes.sqrt(q), root);
        lanes.store(s, scale);
        lanes.store_narrow(product_of::<L, T>(lanes, scale, given), scaled);
    });
}

#[inline(always)]
pub(super) fn multiply<L: Load<T>, T: Element>(lanes: L, x: &[T], y: &[T], product: &mut [T]) {
    each_block!(x.len(), [x, y], [product], [], [], {
        lanes.store_narrow(product_of::<L, T>(lanes, x, y), product);
    });
}

#[inline(always)]
pub(super) fn divide<L: Load<T> + Load<f64>, T: Element>(lanes: L, x: &[T], y: &[T], quotient: &mut [f64]) {
    each_block!(x.len(), [x, y], [], [], [quotient], {
        lanes.store(lanes.div(lanes.load(x), lanes.load(y)), quotient);
    });
}

#[inline(always)]
pub(super) fn magnify<L: Load<T> + Load<f64>, T: Element>(lanes: L, scale: &[T], sum: &mut [f64]) {
    each_block!(scale.len(), [scale], [], [], [sum], {
        lanes.store(lanes.mul(lanes.load(scale), lanes.load(sum)), sum);
    });
}

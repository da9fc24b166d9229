//! The weights γ of columns: `grad_scale` and the clip of the gradient's norm.
//!
//! The optimizer works with `γ·g`. The window stores g, and γ is a weight of the column. γ depends on the norm of the
//! whole gradient, which is known only after pass one. The Gram matrix holds products of weighted columns, so the k×k
//! work ignores weights. At the end the coefficients of pass two are multiplied by the weights.
//!
//! The sparse format adds the entries that it does not store to the next gradient. There `grad_scale` is applied before
//! storing, and only the clip is a weight of the column.

use super::partials::{Layout, Scalar};
use super::ring::Ring;
use super::step::Step;
use crate::config::Config;
use crate::error::{Error, Result};

/// Returns the factor on a gradient before it is stored.
pub(super) fn factor(config: &Config) -> f64 {
    if config.has_feedback() { config.grad_scale } else { 1.0 }
}

/// Computes γ of the newest column, from the sums of all blocks.
pub(super) fn newest(config: &Config, layout: Layout, ring: Ring, partials: &[f64]) -> f64 {
    let weight = if config.has_feedback() { 1.0 } else { config.grad_scale };
    if config.grad_clip_norm == 0.0 {
        return weight;
    }
    let squares = partials.chunks_exact(layout.len()).map(|block| block[layout.gradient()][ring.newest]);
    // The quotient is infinite if the gradient is 0.
    weight.min(config.grad_clip_norm / squares.sum::<f64>().max(0.0).sqrt())
}

/// Refuses a weight for which m or q might overflow.
///
/// # Errors
/// [`Error::NonFinite`]
pub(super) fn check(step: &Step<'_>, partials: &[f64]) -> Result<()> {
    let Step { config, layout, .. } = *step;
    // m and q are updated with weighted gradients as given, not as stored.
    let of_momentum = if config.momentum_kind.averages_gradients() { step.weights[step.ring.newest] } else { 0.0 };
    let of_squares = if config.is_diagonal() { config.grad_scale } else { 0.0 };
    let largest = of_momentum.max(of_squares);
    if largest <= 1.0 {
        return Ok(());
    }
    for block in partials.chunks_exact(layout.len()) {
        if largest * block[layout.scalar(Scalar::GradNorm2)].sqrt().max(1.0) > step.largest / 2.0 {
            return Err(Error::non_finite("grads times grad_scale"));
        }
    }
    Ok(())
}

/// Writes a block's sums with weighted columns to `weighted`.
pub(super) fn apply(step: &Step<'_>, partials: &[f64], weighted: &mut [f64]) {
    let Step { layout, ring, weights, .. } = *step;
    weighted.copy_from_slice(partials);
    let newest = weights[ring.newest];
    let mut weigh = |section: core::ops::Range<usize>, with: f64| {
        for (sum, weight) in weighted[section][..ring.held].iter_mut().zip(weights) {
            // One factor after the other: the product of the two factors may underflow when the result does not.
            *sum = *sum * weight * with;
        }
    };
    weigh(layout.gradient(), newest);
    if layout.has_momentum() {
        weigh(layout.momentum(), 1.0);
    }
    if layout.has_average() {
        weigh(layout.average(), 1.0);
    }
    weighted[layout.scalar(Scalar::GradAverage)] *= newest;
}

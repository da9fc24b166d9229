//! The check that a solved step writes only finite numbers, far from overflow. It uses quantities that are the same on
//! all processes, so that all processes decide alike.

use super::block::Pending;
use super::partials::Scalar;
use super::step::{Step, bias};
use crate::error::{Error, Result};
use crate::gram::Candidate;

/// Checks the pending step of a block, and sets the bound on its momentum buffer. `norm` is the norm of the update
/// before clipping. `before` is the bound after the last step.
///
/// # Errors
/// [`Error::NonFinite`] if a number that the step writes may not be finite.
pub(super) fn check(
    step: &Step<'_>,
    gram: Candidate<'_>,
    partials: &[f64],
    pending: &mut Pending,
    norm: f64,
    before: f64,
) -> Result<()> {
    let config = step.config;
    let bad = |what| Err(Error::non_finite(what));
    if !pending.coefficients.iter().all(|c| c.is_finite()) || !pending.vector.is_finite() || !norm.is_finite() {
        return bad("the update");
    }
    if !pending.scale.is_finite() {
        return bad("the factor of clipping or grafting");
    }
    let half = step.largest / 2.0;
    // If the norm is smaller than the rounding errors of u can be, u may be as long as these errors.
    let roundings = (step.ring.held + 2) as f64 * f64::EPSILON / 2.0;
    let longest = norm.max(roundings.sqrt() * reach(step, gram, partials, pending));
    // After diagonal preconditioning, each element of an update is rescaled, by at most this factor.
    let rescaled = if config.is_diagonal() { longest * config.diagonal_eps.powf(-0.25) } else { longest };
    let update = pending.scale * rescaled;
    let mut direction = update;
    if config.momentum_kind.averages_updates() {
        let average = config.momentum * before + (1.0 - config.momentum) * update;
        let correction = if config.bias_correction { bias(config.momentum, step.number) } else { 1.0 };
        direction = update.max(average / correction);
        // The stored b is rounded.
        pending.momentum_bound = average * (1.0 + 2.0 * step.roundoff);
    }
    // If the product overflows, it is infinite and above half too.
    let lr = step.lr * (1.0 + partials[step.layout.scalar(Scalar::Excess)].max(0.0));
    if lr.max(1.0) * direction > half {
        return bad(
            "the step (max(1, lr) times the direction's length is over half the largest number of the element type)",
        );
    }
    if config.clips_by_vector() && longest > half {
        return bad("the average of updates (|u| is over half the largest number of the element type)");
    }
    Ok(())
}

/// Returns an upper bound of ‖u‖: the sum of the norms of its terms.
fn reach(step: &Step<'_>, gram: Candidate<'_>, partials: &[f64], pending: &Pending) -> f64 {
    let coefficients = &pending.coefficients[..step.ring.held];
    let columns: f64 = coefficients.iter().enumerate().map(|(slot, c)| c.abs() * gram.norm(slot)).sum();
    let columns = columns + pending.cancelling;
    let beta = step.config.momentum;
    let of_momentum = |m2: f64| beta * m2.sqrt() + (1.0 - beta) * gram.norm(step.ring.newest);
    match pending.vector.abs() {
        0.0 => columns,
        vector => columns + vector * of_momentum(partials[step.layout.scalar(Scalar::MomentumNorm2)]),
    }
}

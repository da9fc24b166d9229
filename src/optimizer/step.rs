//! The inputs of a step that all blocks share, and the bias correction of averages.

use super::partials::Layout;
use super::ring::Ring;
use crate::config::Config;
use crate::kernels::Element;

/// Returns `1 − β^t`, the sum of the weights of a moving average after `terms` terms.
pub(super) fn bias(beta: f64, terms: u64) -> f64 {
    1.0 - beta.powf(terms as f64)
}

/// The inputs of a step that all blocks share.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub config: &'a Config,
    pub layout: Layout,
    pub ring: Ring,
    /// Number of the step, from 1 on.
    pub number: u64,
    pub lr: f64,
    /// Weights γ of the columns, by slot, the newest included.
    pub weights: &'a [f64],
    /// Whether a weight differs from 1.
    pub weighs: bool,
    /// Largest number of the element type.
    pub largest: f64,
    /// Unit roundoff of the element type.
    pub roundoff: f64,
}

impl<'a> Step<'a> {
    /// Collects the inputs of step `number`, for elements of type `T`.
    pub fn new<T: Element>(
        config: &'a Config,
        layout: Layout,
        ring: Ring,
        number: u64,
        lr: f64,
        weights: &'a [f64],
    ) -> Self {
        let weighs = weights.iter().any(|&weight| weight != 1.0);
        Self { config, layout, ring, number, lr, weights, weighs, largest: T::LARGEST, roundoff: T::ROUNDOFF }
    }
}

//! The averages that a chunk keeps of each parameter: reading the average of the parameters, and adapting all averages to
//! new betas.

use super::Optimizer;
use super::step::bias;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::kernels::Element;

/// The reason in errors if no average of the parameters is kept.
const NO_AVERAGE: &str = "average_beta is 0, so no average of the parameters is kept";

impl<T: Element> Optimizer<T> {
    /// Writes the bias-corrected average of the parameters (option `average_beta`).
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`]; [`Error::WrongPhase`] in an open step, before the first step that moves
    /// parameters, and if `average_beta` is 0.
    pub fn averaged_params(&self, out: &mut [T]) -> Result<()> {
        self.check_len("the length of out", out.len())?;
        self.check_idle("averaged_params")?;
        let refused = |reason| Err(Error::WrongPhase { call: "averaged_params", reason });
        if !self.config.averages_params() {
            return refused(NO_AVERAGE);
        }
        if self.averaged == 0 {
            return refused("no step has moved the parameters");
        }
        let correction = 1.0 / bias(self.config.average_beta, self.averaged);
        for chunk in &self.chunks {
            for (out, p) in out[chunk.range.clone()].iter_mut().zip(chunk.params.iter()) {
                let p = p.to_f64();
                // The average of finite parameters is finite; rounding may take it beyond the largest number.
                *out = T::from_f64(if p.is_finite() { (correction * p).clamp(-T::LARGEST, T::LARGEST) } else { p });
            }
        }
        Ok(())
    }

    /// Adapts the averages to new betas. Each average keeps its value after bias correction, which uses the new beta
    /// from here on.
    pub(super) fn keep_averages(&mut self, old: &Config, new: &Config) {
        let ratio = |old: f64, new: f64, terms: u64| {
            if old == new || terms == 0 { 1.0 } else { bias(new, terms) / bias(old, terms) }
        };
        let corrected = old.bias_correction && new.bias_correction;
        let momentum = if corrected { ratio(old.momentum, new.momentum, self.steps) } else { 1.0 };
        let vector = ratio(old.clip_beta, new.clip_beta, self.steps);
        let root = ratio(old.diagonal_beta, new.diagonal_beta, self.steps).sqrt();
        let params = ratio(old.average_beta, new.average_beta, self.averaged);
        for chunk in &mut self.chunks {
            for ((buffer, _), ratio) in chunk.averages_mut().into_iter().zip([momentum, vector, root, params]) {
                if ratio != 1.0 {
                    for x in buffer.iter_mut().filter(|x| x.to_f64().is_finite()) {
                        *x = T::from_f64((x.to_f64() * ratio).clamp(-T::LARGEST, T::LARGEST));
                    }
                }
            }
        }
        for block in &mut self.blocks {
            // The clamps matter only for forged states.
            block.norms.sum = (block.norms.sum * ratio(old.clip_beta, new.clip_beta, block.norms.count)).min(f64::MAX);
            // The stored b is rounded.
            let rounded = if momentum == 1.0 { 1.0 } else { momentum * (1.0 + 4.0 * T::ROUNDOFF) };
            block.momentum_bound = (block.momentum_bound * rounded).min(f64::MAX);
        }
    }
}

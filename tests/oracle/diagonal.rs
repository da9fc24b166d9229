//! Diagonal preconditioning, number by number in f64: the scales from an average of squares and a gradient.

use lmada::{Clip, Config};

/// The scales of one step.
pub struct Scales {
    /// q after the step's gradient, before bias correction.
    pub q: Vec<f64>,
    /// S
    pub s: Vec<f64>,
    /// κ of a block with exactly these parameters.
    pub kappa: f64,
}

/// Computes the scales of step number `step` (from 1 on), with gradient `g` times `grad_scale`, from the old `q`.
pub fn scales(config: &Config, q: &[f64], step: u64, g: &[f64]) -> Scales {
    let Config { diagonal_beta: beta, diagonal_eps: eps, grad_scale: factor, .. } = *config;
    let q: Vec<f64> = q.iter().zip(g).map(|(q, g)| beta * q + (1.0 - beta) * (factor * g).powi(2)).collect();
    let correction = 1.0 - beta.powi(step as i32);
    let s = q.iter().map(|q| (q / correction + eps).powf(-0.25)).collect();
    let kappa = match config.clip_kind {
        Clip::GraftInput => 1.0,
        Clip::None | Clip::Norm | Clip::EmaNorm | Clip::GraftEmaNorm | Clip::EmaVector | Clip::GraftEmaVector => {
            q.iter().map(|q| (q / correction).sqrt()).sum::<f64>().sqrt()
        }
        other => unreachable!("the oracle does not know {other:?}"),
    };
    Scales { q, s, kappa }
}

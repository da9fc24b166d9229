//! Diagonal preconditioning, number by number in f64: what it makes of an average of squares and a gradient.

use lmada::{Clip, Config};

/// What one step scales with.
pub struct Scales {
    /// q with the step's gradient in it, before bias correction.
    pub q: Vec<f64>,
    /// S
    pub s: Vec<f64>,
    /// κ of a block that these are all the parameters of.
    pub kappa: f64,
}

/// Of step number `step` (from 1 on), which sees `g`, times `grad_scale`, after `q`.
pub fn scales(config: &Config, q: &[f64], step: u64, g: &[f64]) -> Scales {
    let Config { diagonal_beta: beta, diagonal_eps: eps, grad_scale: factor, .. } = *config;
    let q: Vec<f64> = q.iter().zip(g).map(|(q, g)| beta * q + (1.0 - beta) * (factor * g).powi(2)).collect();
    let correction = 1.0 - beta.powi(step as i32);
    let s = q.iter().map(|q| (q / correction + eps).powf(-0.25)).collect();
    let kappa = match config.clip_kind {
        Clip::GraftInput => 1.0,
        _ => q.iter().map(|q| (q / correction).sqrt()).sum::<f64>().sqrt(),
    };
    Scales { q, s, kappa }
}

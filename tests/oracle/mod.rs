//! The oracle: an independent implementation of the update rule. It stores every gradient and computes a tall SVD in
//! each step, all in f64. It shares no code and no shortcut with the library: no Gram matrix, no k×k space.

// Every test file is a separate crate and uses a part of this module.
#![allow(dead_code)]

pub mod compare;
pub mod diagonal;
pub mod eigen;
pub mod formats;
pub mod number;
pub mod saved;
pub mod spectrum;
pub mod streams;
pub mod svd;
pub mod tolerance;

use formats::Store;
use lmada::{Clip, Config, HistoryFormat, Momentum};
use spectrum::Spectrum;
use svd::{add, norm};

/// The rule for one block.
#[derive(Clone)]
pub struct Oracle {
    pub config: Config,
    /// Rounds to the element type, as stored numbers are rounded.
    round: fn(f64) -> f64,
    store: Store,
    /// ‖g‖ as stored of the other blocks in the next step: the clip of the gradient's norm is over all blocks.
    pub others: f64,
    /// Gradients as stored, times the weights of their columns; oldest first.
    window: Vec<Vec<f64>>,
    pub steps: u64,
    /// m or b, as stored.
    momentum: Vec<f64>,
    /// ē, as stored.
    vector_average: Vec<f64>,
    /// Average of the norms without bias correction, and the number of norms in it.
    norm_average: f64,
    norms: i32,
}

/// The results of one step.
pub struct Outcome {
    pub spectrum: Spectrum,
    /// v of step 3.
    pub v: Vec<f64>,
    /// ‖v‖ as if its two terms, of the old m and of g, did not cancel: rounding is relative to this.
    pub length: f64,
    /// `Uᵀv`.
    pub coordinates: Vec<f64>,
    /// u before clipping.
    pub update: Vec<f64>,
    pub update_norm: f64,
    /// s of step 6, and the reference of `s‖u‖`: `clip_norm`, `clip_factor·r` and so on.
    pub scale: f64,
    pub reference: Option<f64>,
    /// The direction, which the learning rate multiplies.
    pub direction: Vec<f64>,
}

impl Oracle {
    pub fn new(config: &Config, dim: usize, round: fn(f64) -> f64) -> Self {
        Self {
            config: *config,
            round,
            store: Store::new(config, dim),
            others: 0.0,
            window: Vec::new(),
            steps: 0,
            momentum: vec![0.0; dim],
            vector_average: vec![0.0; dim],
            norm_average: 0.0,
            norms: 0,
        }
    }

    /// Creates a rule that has taken `steps` steps and holds these stored gradients, oldest first, and these averages.
    pub fn resumed(
        config: &Config,
        round: fn(f64) -> f64,
        window: Vec<Vec<f64>>,
        steps: u64,
        momentum: Vec<f64>,
        (norm_average, norms): (f64, u64),
    ) -> Self {
        let new = Self::new(config, momentum.len(), round);
        Self { window, steps, momentum, norm_average, norms: norms as i32, ..new }
    }

    /// Returns the weighted gradients, oldest first.
    pub fn window(&self) -> &[Vec<f64>] {
        &self.window
    }

    /// Whether later steps depend on earlier updates, so that no update can be skipped.
    pub fn remembers_updates(&self) -> bool {
        self.config.momentum_kind == Momentum::Update || self.clip_remembers()
    }

    fn clip_remembers(&self) -> bool {
        match self.config.clip_kind {
            Clip::None | Clip::Norm => false,
            // This clip has no memory, but every step of it is compared.
            Clip::GraftInput => true,
            Clip::EmaNorm | Clip::GraftEmaNorm | Clip::EmaVector | Clip::GraftEmaVector => true,
            other => unreachable!("the oracle does not know {other:?}"),
        }
    }

    /// Whether the history format can store this gradient.
    pub fn can_store(&self, g: &[f64]) -> bool {
        self.store.clone().take(&self.to_be_stored(g)).is_some()
    }

    /// Takes a step without computing its update, for rules that do not depend on earlier updates.
    pub fn skip(&mut self, g: &[f64]) {
        assert!(!self.remembers_updates());
        let g = self.as_seen(g);
        self.take_in(&g);
    }

    pub fn step(&mut self, g: &[f64]) -> Outcome {
        let before = norm(&self.momentum);
        let g = &self.as_seen(g);
        let v = self.take_in(g);
        let beta = self.config.momentum;
        let length = match self.config.momentum_kind {
            Momentum::Gradient => (beta * before + (1.0 - beta) * norm(g)) / self.weight(self.steps),
            Momentum::None | Momentum::Update | Momentum::Window => norm(&v),
            other => unreachable!("the oracle does not know {other:?}"),
        };
        let spectrum = Spectrum::new(&self.config, &self.window);
        let coordinates = spectrum.svd.coordinates(&v);
        let update = self.update(&spectrum, &v, &coordinates);
        let update_norm = norm(&update);
        let reference = self.reference(&v, &update, update_norm);
        let scale = self.scale(reference, update_norm);
        let mut direction: Vec<f64> = update.iter().map(|u| scale * u).collect();
        if self.config.momentum_kind == Momentum::Update {
            direction = self.average_momentum(&direction);
        }
        Outcome { spectrum, v, length, coordinates, update, update_norm, scale, reference, direction }
    }

    /// Step 0, and the storing of step 1. Later steps of the rule use the result.
    fn as_seen(&mut self, g: &[f64]) -> Vec<f64> {
        let stored = self.store.take(&self.to_be_stored(g)).expect("a gradient that can be stored");
        let Config { grad_scale, grad_clip_norm: longest, .. } = self.config;
        let factor = if self.has_feedback() { 1.0 } else { grad_scale };
        let length = factor * norm(&stored).hypot(self.others);
        let weight = if longest > 0.0 && length > longest { factor * (longest / length) } else { factor };
        stored.iter().map(|x| weight * x).collect()
    }

    /// Returns ‖g‖ as stored, if the history format can store this gradient.
    pub fn stored_norm(&self, g: &[f64]) -> Option<f64> {
        self.store.clone().take(&self.to_be_stored(g)).map(|stored| norm(&stored))
    }

    /// With error feedback the factor on gradients is applied before storing.
    fn to_be_stored(&self, g: &[f64]) -> Vec<f64> {
        let factor = if self.has_feedback() { self.config.grad_scale } else { 1.0 };
        g.iter().map(|x| if factor == 1.0 { *x } else { (self.round)(factor * x) }).collect()
    }

    fn has_feedback(&self) -> bool {
        self.config.history_format == HistoryFormat::Sparse
    }

    /// Steps 1 and 3: the window, and the vector to precondition.
    fn take_in(&mut self, g: &[f64]) -> Vec<f64> {
        self.steps += 1;
        if self.window.len() == self.config.history_size as usize {
            self.window.remove(0);
        }
        self.window.push(g.to_vec());
        match self.config.momentum_kind {
            Momentum::None | Momentum::Update => g.to_vec(),
            Momentum::Gradient => self.average_momentum(g),
            Momentum::Window => {
                let beta = self.config.momentum;
                let mut v = vec![0.0; g.len()];
                for (age, g) in self.window.iter().rev().enumerate() {
                    add(&mut v, (1.0 - beta) * beta.powi(age as i32), g);
                }
                self.unbias(v, self.window.len() as u64)
            }
            other => unreachable!("the oracle does not know {other:?}"),
        }
    }

    /// Computes `m ← βm + (1−β)x`; m is stored rounded.
    fn average_momentum(&mut self, x: &[f64]) -> Vec<f64> {
        let beta = self.config.momentum;
        let mean: Vec<f64> = self.momentum.iter().zip(x).map(|(m, x)| beta * m + (1.0 - beta) * x).collect();
        self.momentum = mean.iter().map(|&m| (self.round)(m)).collect();
        self.unbias(mean, self.steps)
    }

    fn unbias(&self, mut mean: Vec<f64>, terms: u64) -> Vec<f64> {
        let weight = self.weight(terms);
        mean.iter_mut().for_each(|m| *m /= weight);
        mean
    }

    /// Returns the bias correction of a momentum with this many terms.
    pub fn weight(&self, terms: u64) -> f64 {
        if self.config.bias_correction { 1.0 - self.config.momentum.powi(terms as i32) } else { 1.0 }
    }

    /// Step 5: `u = U f Uᵀv + orthogonal_scale·(v − U Uᵀv)`.
    fn update(&self, spectrum: &Spectrum, v: &[f64], coordinates: &[f64]) -> Vec<f64> {
        let only_present = |value: &dyn Fn(f64) -> f64| -> Vec<f64> {
            (spectrum.directions.iter().zip(coordinates))
                .map(|(direction, y)| if direction.present { value(direction.lambda) * y } else { 0.0 })
                .collect()
        };
        let inside = only_present(&|lambda| spectrum.f(&self.config, lambda));
        let mut u = spectrum.svd.combine(&inside, v.len());
        if spectrum::leaves_span(&self.config) && self.config.orthogonal_scale != 0.0 {
            let spanned = spectrum.svd.combine(&only_present(&|_| 1.0), v.len());
            for ((u, v), spanned) in u.iter_mut().zip(v).zip(spanned) {
                *u += self.config.orthogonal_scale * (v - spanned);
            }
        }
        u
    }

    /// Step 6: updates the averages, and returns the reference of the update's norm.
    fn reference(&mut self, v: &[f64], update: &[f64], update_norm: f64) -> Option<f64> {
        let Config { clip_kind, clip_norm, clip_factor, clip_beta: beta, .. } = self.config;
        match clip_kind {
            Clip::None => None,
            Clip::Norm => Some(clip_norm),
            Clip::EmaNorm | Clip::GraftEmaNorm => {
                let past = (self.norms > 0).then(|| self.norm_average / (1.0 - beta.powi(self.norms)));
                if update_norm != 0.0 {
                    self.norm_average = beta * self.norm_average + (1.0 - beta) * update_norm;
                    self.norms += 1;
                }
                if clip_kind == Clip::EmaNorm { past.map(|r| clip_factor * r) } else { past }
            }
            Clip::GraftInput => (norm(v) > 0.0).then(|| norm(v)),
            Clip::EmaVector | Clip::GraftEmaVector => {
                let old = self.vector_average.iter();
                let mean: Vec<f64> = old.zip(update).map(|(e, u)| beta * e + (1.0 - beta) * u).collect();
                self.vector_average = mean.iter().map(|&e| (self.round)(e)).collect();
                let length = norm(&mean) / (1.0 - beta.powi(self.steps as i32));
                Some(if clip_kind == Clip::EmaVector { clip_factor * length } else { length })
            }
            other => unreachable!("the oracle does not know {other:?}"),
        }
    }

    fn scale(&self, reference: Option<f64>, update_norm: f64) -> f64 {
        let Some(reference) = reference else { return 1.0 };
        if update_norm == 0.0 {
            return 1.0;
        }
        match self.config.clip_kind {
            Clip::GraftEmaNorm | Clip::GraftEmaVector | Clip::GraftInput => reference / update_norm,
            Clip::None | Clip::Norm | Clip::EmaNorm | Clip::EmaVector => (reference / update_norm).min(1.0),
            other => unreachable!("the oracle does not know {other:?}"),
        }
    }
}

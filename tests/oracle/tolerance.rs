//! How far the library may be from the oracle: the promise of section 2 plus the limit that no arithmetic on C removes.
//! All of it is computed here from the oracle's own spectrum; no test chooses a tolerance.
//!
//! The limit is documented as "about 2⁻⁵³·σ²max/(λ+ε') for a direction of eigenvalue λ". Spelled out: C is known up to
//! an error E. To first order it turns f(C) by `f[λᵢ,λⱼ]·Eᵢⱼ` between the directions i and j, where f[·,·] is the
//! divided difference; on the diagonal, that is `2⁻⁵³·σ²max·f'(λ)`, the documented quotient for a power. An entry of C
//! is rounded relative to its two columns' norms, so that between i and j `Eᵢⱼ ≤ 2⁻⁵³·reachᵢ·reachⱼ`, with the reach
//! that the noise floor is made of too; where all columns have one norm that is σ²max times a small factor.

use lmada::{Clip, Config, Momentum};

use super::number::Number;
use super::spectrum::{Direction, Spectrum, leaves_span};
use super::svd::norm;
use super::{Oracle, Outcome};

/// What "about" stands for in the documented limit.
const ABOUT: f64 = 8.0;

/// f64's unit roundoff.
const UNIT: f64 = f64::EPSILON / 2.0;

/// σ²max/(λ+ε') from which on the stored gradients are nearly collinear. It is where the limit of f64, 2⁻⁵³ times this,
/// comes up to the ordinary promise of f64.
const COLLINEAR: f64 = 1e6;

/// How far the update u may be off, in the 2-norm.
pub fn update_radius<T: Number>(config: &Config, outcome: &Outcome) -> f64 {
    let Spectrum { directions, eps, max, .. } = &outcome.spectrum;
    if norm(&outcome.v) == 0.0 {
        return 0.0;
    }
    let smallest = (directions.iter())
        .filter(|d| d.present && d.lambda > UNIT * d.reach * d.reach)
        .fold(*max, |least, d| least.min(d.lambda));
    let collinear = *max > COLLINEAR * (smallest + eps);
    let promise = if collinear { T::PROMISE_COLLINEAR } else { T::PROMISE };
    let floor = T::LEAST * (outcome.v.len() as f64).sqrt();
    promise * outcome.update_norm + ABOUT * limit(config, outcome) + undecided(config, outcome) + floor
}

/// The same for Adagrad's d×d definition after so many steps, relative: there the formula stands as it is documented.
/// Of C's eigenvalues, those beyond the dimension are 0.
pub fn dense_radius<T: Number>(eigenvalues: &[f64], steps: usize, eps: f64) -> f64 {
    let max = eigenvalues.iter().copied().fold(0.0, f64::max);
    let min = eigenvalues.iter().copied().fold(max, f64::min).max(0.0);
    let promise = if max > COLLINEAR * (min + eps) { T::PROMISE_COLLINEAR } else { T::PROMISE };
    let least = if steps > eigenvalues.len() { 0.0 } else { min };
    promise + ABOUT * UNIT * max / (least + eps)
}

/// The part of v along undecided directions may come out with their f or without.
fn undecided(config: &Config, outcome: &Outcome) -> f64 {
    let mut part = 0.0;
    let mut factor = 0.0f64;
    for (direction, y) in outcome.spectrum.directions.iter().zip(&outcome.coordinates) {
        if !direction.decided {
            part += y * y;
            let f = outcome.spectrum.f(config, direction.lambda);
            factor = factor.max((f - outside(config)).abs());
        }
    }
    factor * part.sqrt()
}

/// Factor on what no present direction holds.
fn outside(config: &Config) -> f64 {
    if leaves_span(config) { config.orthogonal_scale } else { 0.0 }
}

/// The error in u that a rounding of C, of Mᵀv and of M·c makes, in units of ABOUT.
fn limit(config: &Config, outcome: &Outcome) -> f64 {
    let leaves = leaves_span(config);
    let outside = outside(config);
    let directions = &outcome.spectrum.directions;
    let length = norm(&outcome.v);
    // u = M·h(C)·z + outside·v. In the span z = a with v = M a, and h = f; beyond it z = Mᵀv, and h = (f−outside)/λ.
    let h = |lambda: f64| {
        let f = outcome.spectrum.f(config, lambda);
        if leaves { (f - outside) / lambda } else { f }
    };
    let z = if leaves {
        let sigma = &outcome.spectrum.svd.sigma;
        sigma.iter().zip(&outcome.coordinates).map(|(sigma, y)| sigma * y).collect()
    } else {
        span_coefficients(config, &outcome.spectrum)
    };

    let mut total = 0.0;
    for (i, a) in directions.iter().enumerate() {
        let sigma = a.lambda.sqrt();
        let mut turned = 0.0;
        for (j, b) in directions.iter().enumerate() {
            if sigma > 0.0 && z[j] != 0.0 && (i == j || a.decided || b.decided) {
                let moved = sigma * difference(&h, a, b) * UNIT * a.reach * b.reach * z[j];
                turned += moved * moved;
            }
        }
        // The products: Mᵀv is rounded relative to ‖Mⱼ‖‖v‖ (in the oracle Uᵀv to ‖v‖), M·c relative to |cⱼ|‖Mⱼ‖.
        let product = match (a.present, leaves) {
            (false, _) => 0.0,
            (true, true) => h(a.lambda) * (sigma * UNIT * a.reach * length + UNIT * a.reach * z[i]),
            (true, false) => h(a.lambda) * UNIT * (a.reach * z[i].abs() + length),
        };
        total += turned + product * product;
    }
    total.sqrt()
}

/// |h[λa, λb]|, the largest over the decisions that are open.
fn difference(h: &impl Fn(f64) -> f64, a: &Direction, b: &Direction) -> f64 {
    let values = |d: &Direction| -> [f64; 2] {
        let value = if d.lambda > 0.0 || d.present { h(d.lambda) } else { 0.0 };
        match (d.decided, d.present) {
            (false, _) => [value, 0.0],
            (true, true) => [value, value],
            (true, false) => [0.0, 0.0],
        }
    };
    let gap = (a.lambda - b.lambda).abs();
    let mut largest = 0.0f64;
    for x in values(a) {
        for y in values(b) {
            if x == y && x == 0.0 {
                continue;
            }
            let both = x != 0.0 && y != 0.0;
            let slope = if both && gap <= 1e-4 * a.lambda {
                let shift = 1e-4 * a.lambda;
                ((h(a.lambda + shift) - h(a.lambda)) / shift).abs()
            } else {
                (x - y).abs() / gap
            };
            largest = largest.max(slope);
        }
    }
    largest
}

/// `Vᵀa` where v = M a.
fn span_coefficients(config: &Config, spectrum: &Spectrum) -> Vec<f64> {
    let count = spectrum.directions.len();
    let a: Vec<f64> = (0..count)
        .map(|j| {
            let age = (count - 1 - j) as i32;
            let beta = config.momentum;
            match config.momentum_kind {
                Momentum::Window => {
                    let weights = if config.bias_correction { 1.0 - beta.powi(count as i32) } else { 1.0 };
                    (1.0 - beta) * (beta / config.history_decay).powi(age) / weights
                }
                _ => f64::from(age == 0),
            }
        })
        .collect();
    spectrum.svd.right.iter().map(|v| v.iter().zip(&a).map(|(v, a)| v * a).sum()).collect()
}

/// How far the library's averages may be off by now, carried from step to step.
#[derive(Clone, Default)]
pub struct Doubt {
    norm_average: f64,
    vector_average: f64,
    momentum: f64,
}

/// How far one step of the library may be off.
pub struct Radii {
    /// Of u, of its norm.
    pub update: f64,
    /// Of s.
    pub scale: f64,
    /// Of the direction.
    pub direction: f64,
}

impl Doubt {
    /// `oracle` is as after the step that `outcome` tells of.
    pub fn step<T: Number>(&mut self, oracle: &Oracle, outcome: &Outcome) -> Radii {
        let Config { clip_kind, clip_factor, clip_beta, .. } = oracle.config;
        let update = update_radius::<T>(&oracle.config, outcome);
        let stored = T::UNIT * outcome.update_norm;
        let reference = match clip_kind {
            Clip::None | Clip::Norm => 0.0,
            Clip::EmaNorm | Clip::GraftEmaNorm => {
                let before = self.norm_average;
                self.norm_average = clip_beta * before + (1.0 - clip_beta) * update;
                if update > 0.0 && outcome.update_norm <= update {
                    // Whether this update has norm 0 hangs on rounding, and with it what the average is made of.
                    self.norm_average = f64::INFINITY;
                }
                before / (1.0 - clip_beta.powi(oracle.steps as i32 - 1)).max(f64::EPSILON)
            }
            Clip::EmaVector | Clip::GraftEmaVector => {
                self.vector_average = clip_beta * self.vector_average + (1.0 - clip_beta) * update + stored;
                self.vector_average / (1.0 - clip_beta.powi(oracle.steps as i32))
            }
        };
        let factor = if matches!(clip_kind, Clip::EmaNorm | Clip::EmaVector) { clip_factor } else { 1.0 };
        let (scale, mut direction) = self.scaled(outcome, update, factor * reference);
        if oracle.config.momentum_kind == Momentum::Update {
            let beta = oracle.config.momentum;
            self.momentum = beta * self.momentum + (1.0 - beta) * direction + T::UNIT * norm(&oracle.momentum);
            let weight = if oracle.config.bias_correction { 1.0 - beta.powi(oracle.steps as i32) } else { 1.0 };
            direction = self.momentum / weight;
        }
        Radii { update, scale, direction: direction + 2.0 * T::UNIT * norm(&outcome.direction) }
    }

    /// Of s and of `s·u`, where s is 1 or the reference over ‖u‖.
    fn scaled(&self, outcome: &Outcome, update: f64, reference: f64) -> (f64, f64) {
        let Some(target) = outcome.reference else { return (0.0, update) };
        if outcome.update_norm <= 2.0 * update {
            return (f64::INFINITY, 2.0 * (target + reference) + update);
        }
        let scale = (outcome.scale * update + reference) / (outcome.update_norm - update);
        (scale, scale * outcome.update_norm + outcome.scale * update)
    }
}

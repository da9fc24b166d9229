//! Tolerances for the library: the promised precision, plus the limit of arithmetic on C (docs/guarantees.md,
//! "Directions are exact"). They are computed from the oracle's spectrum; no test chooses a tolerance.
//!
//! The documented limit is "about 2⁻⁵³·σ²max/(λ+ε') for a direction of eigenvalue λ". In detail: C has an error E of
//! 2⁻⁵³·σ²max. To first order the error of f(C) between the directions i and j is `f[λᵢ,λⱼ]·E`, where f[·,·] is the
//! divided difference. On the diagonal, with f(λ) = (λ+ε')^(−p), that is the documented quotient times p. If the norms
//! of the columns span decades, small directions keep their precision: E between i and j is then `2⁻⁵³·reachᵢ·reachⱼ`,
//! with the reach of the noise floor. Tests of this stronger promise use [`Rounding::Graded`].

use lmada::{Clip, Config, HistoryFormat, Momentum};

use super::number::Number;
use super::spectrum::{Direction, Spectrum, leaves_span};
use super::svd::norm;
use super::{Oracle, Outcome};

/// The factor for "about" in the documented limit: the eigensolver rounds more than once.
const ABOUT: f64 = 16.0;

/// The unit roundoff of f64.
const UNIT: f64 = f64::EPSILON / 2.0;

/// σ²max/(λ+ε') from which on the stored gradients count as nearly collinear. There the limit of f64, 2⁻⁵³ times this,
/// reaches the ordinary promise of f64.
const COLLINEAR: f64 = 1e6;

/// The size to which an error of C is relative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rounding {
    /// σ²max.
    #[default]
    Whole,
    /// The columns of the two directions.
    Graded,
}

/// Returns the documented roundoff of C. For windows of 16-bit floats a sum of products is stored in two 32-bit parts.
/// (docs/guarantees.md documents a larger one for gradients with single dominant elements; the kernels' tests have such
/// columns.)
pub fn gram_unit(config: &Config) -> f64 {
    match config.history_format {
        HistoryFormat::Bf16 | HistoryFormat::F16 => 64.0 * UNIT,
        HistoryFormat::Full | HistoryFormat::Int8 | HistoryFormat::Sparse => UNIT,
        other => unreachable!("the oracle does not know {other:?}"),
    }
}

impl Rounding {
    fn error(self, config: &Config, spectrum: &Spectrum, a: &Direction, b: &Direction) -> f64 {
        gram_unit(config) * if self == Self::Graded { a.reach * b.reach } else { spectrum.size }
    }
}

/// Returns the tolerance of the update u in the 2-norm, and of its norm, which the library computes in k×k space.
fn update_radii<T: Number>(config: &Config, outcome: &Outcome, rounding: Rounding) -> (f64, f64) {
    let Spectrum { directions, eps, max, .. } = &outcome.spectrum;
    if norm(&outcome.v) == 0.0 {
        return (0.0, 0.0);
    }
    let smallest = (directions.iter())
        .filter(|d| d.present && d.lambda > UNIT * d.reach * d.reach)
        .fold(*max, |least, d| least.min(d.lambda));
    let collinear = *max > COLLINEAR * (smallest + eps);
    let promise = if collinear { T::PROMISE_COLLINEAR } else { T::PROMISE };
    let floor = T::LEAST * (outcome.v.len() as f64).sqrt();
    let limits = ABOUT * limit(config, outcome, rounding) + undecided(config, outcome);
    let radius = promise * outcome.update_norm + floor + limits;
    let square = ABOUT * square_limit(config, outcome, rounding);
    (radius, radius + square.sqrt().min(square / outcome.update_norm))
}

/// Returns the relative tolerance for Adagrad's d×d definition after this many steps, by the documented formula.
/// Eigenvalues of C beyond the dimension are 0. C is rounded relative to σmax, also for a short v.
pub fn dense_radius<T: Number>(eigenvalues: &[f64], steps: usize, eps: f64, v: &[f64]) -> f64 {
    let max = eigenvalues.iter().copied().fold(0.0, f64::max);
    let min = eigenvalues.iter().copied().fold(max, f64::min).max(0.0);
    let promise = if max > COLLINEAR * (min + eps) { T::PROMISE_COLLINEAR } else { T::PROMISE };
    let least = if steps > eigenvalues.len() { 0.0 } else { min };
    promise + ABOUT * UNIT * max / (least + eps) * (max.sqrt() / norm(v)).max(1.0)
}

/// Returns the error from undecided directions: the library may keep them or leave them out.
fn undecided(config: &Config, outcome: &Outcome) -> f64 {
    let mut part = 0.0;
    let mut factor = 0.0f64;
    for (direction, y) in outcome.spectrum.directions.iter().zip(&outcome.coordinates) {
        if !direction.decided {
            part += y * y;
            let f = outcome.spectrum.f(config, direction.seen);
            factor = factor.max((f - outside(config)).abs());
        }
    }
    factor * part.sqrt()
}

/// Returns the factor on the part of v outside all directions that are kept.
fn outside(config: &Config) -> f64 {
    if leaves_span(config) { config.orthogonal_scale } else { 0.0 }
}

/// Returns the error of u from rounding C, Mᵀv and M·c, in units of ABOUT.
fn limit(config: &Config, outcome: &Outcome, rounding: Rounding) -> f64 {
    let leaves = leaves_span(config);
    let Outcome { spectrum, coordinates, .. } = outcome;
    let length = outcome.length;
    let h = |lambda: f64| factor(config, spectrum, lambda);
    let z = if leaves {
        let parts = spectrum.directions.iter().zip(coordinates);
        parts.map(|(d, y)| d.lambda.sqrt() * y.abs() + UNIT * d.reach * length).collect()
    } else {
        span_coefficients(config, spectrum)
    };
    let mut total = 0.0;
    for (i, a) in spectrum.directions.iter().enumerate() {
        let sigma = a.lambda.sqrt();
        let mut turned = 0.0;
        for (j, b) in spectrum.directions.iter().enumerate() {
            if sigma > 0.0 && z[j] != 0.0 && (i == j || a.decided || b.decided) {
                let moved = sigma * difference(&h, a, b) * rounding.error(config, spectrum, a, b) * z[j];
                turned += moved * moved;
            }
        }
        // Rounding of the products: Mᵀv relative to ‖Mⱼ‖‖v‖ (in the oracle Uᵀv relative to ‖v‖), M·c relative to
        // |cⱼ|‖Mⱼ‖.
        let product = match (a.present || !a.decided, leaves) {
            (false, _) => 0.0,
            (true, true) => h(a.seen) * UNIT * a.reach * (sigma * length + z[i]),
            (true, false) => h(a.seen) * UNIT * (a.reach * z[i].abs() + length),
        };
        total += turned + product * product;
    }
    total.sqrt()
}

/// Returns h of `u = M·h(C)·z + outside·v`. For v in the span z = a with v = M a, and h = f; otherwise z = Mᵀv.
fn factor(config: &Config, spectrum: &Spectrum, lambda: f64) -> f64 {
    let f = spectrum.f(config, lambda);
    if leaves_span(config) { (f - outside(config)) / lambda } else { f }
}

/// Returns the error of ‖u‖² from errors of the eigenvalues, and of ‖v‖² for the part of v outside the span.
///
/// The norm that a clip uses has no contribution from a direction outside the window, for which C has an eigenvalue
/// only by rounding. Only the inner products of such a direction with others remain.
fn square_limit(config: &Config, outcome: &Outcome, rounding: Rounding) -> f64 {
    let outside = outside(config);
    let mut total = outside * outside * UNIT * outcome.length.powi(2);
    let (mut has, mut lacks) = (0.0, 0.0);
    for (direction, part) in coefficients(config, outcome) {
        let error = part * part * rounding.error(config, &outcome.spectrum, &direction, &direction);
        if config.clip_kind != Clip::None && 16.0 * direction.lambda < UNIT * direction.reach.powi(2) {
            lacks += error;
            total += part * part * direction.lambda;
        } else {
            has += error;
        }
    }
    total + has + 2.0 * (has * lacks).sqrt()
}

/// Returns upper bounds of the parts of c along the directions that are kept.
fn coefficients(config: &Config, outcome: &Outcome) -> Vec<(Direction, f64)> {
    let spectrum = &outcome.spectrum;
    let a = span_coefficients(config, spectrum);
    let parts = spectrum.directions.iter().zip(&outcome.coordinates).zip(a);
    parts
        .filter(|((direction, _), _)| direction.present || !direction.decided)
        .map(|((direction, y), a)| {
            let part = if leaves_span(config) { y / direction.seen.sqrt() } else { a };
            (*direction, (spectrum.f(config, direction.seen) + outside(config)) * part.abs())
        })
        .collect()
}

/// Returns |h[λa, λb]|, the largest over all undecided cases.
fn difference(h: &impl Fn(f64) -> f64, a: &Direction, b: &Direction) -> f64 {
    let values = |d: &Direction| -> [f64; 2] {
        let value = if d.present || !d.decided { h(d.seen) } else { 0.0 };
        match (d.decided, d.present) {
            (false, _) => [value, 0.0],
            (true, true) => [value, value],
            (true, false) => [0.0, 0.0],
        }
    };
    let gap = (a.seen - b.seen).abs();
    let mut largest = 0.0f64;
    for x in values(a) {
        for y in values(b) {
            if x == y && x == 0.0 {
                continue;
            }
            let both = x != 0.0 && y != 0.0;
            let slope = if both && gap <= 1e-4 * a.seen {
                let shift = 1e-4 * a.seen;
                ((h(a.seen + shift) - h(a.seen)) / shift).abs()
            } else {
                (x - y).abs() / gap
            };
            largest = largest.max(slope);
        }
    }
    largest
}

/// Returns `Vᵀa` for v = M a.
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
                Momentum::None | Momentum::Update | Momentum::Gradient => f64::from(age == 0),
                other => unreachable!("the oracle does not know {other:?}"),
            }
        })
        .collect();
    spectrum.svd.right.iter().map(|v| v.iter().zip(&a).map(|(v, a)| v * a).sum()).collect()
}

/// The accumulated tolerances of the library's averages.
///
/// Elements of a buffer may differ by a unit in the last place: averages are often halfway between two numbers, since β
/// = 0.9 gives tenths of the units of the averaged numbers.
#[derive(Clone, Default)]
pub struct Doubt {
    rounding: Rounding,
    norm_average: f64,
    vector_average: f64,
    /// Tolerance of the elements of ē, from rounding alone.
    roundings: f64,
    momentum: f64,
}

/// The tolerances of one step.
pub struct Radii {
    /// Tolerance of ‖u‖.
    pub update_norm: f64,
    /// Tolerance of s.
    pub scale: f64,
    /// Tolerance of the direction.
    pub direction: f64,
}

impl Doubt {
    pub fn new(rounding: Rounding) -> Self {
        Self { rounding, ..Self::default() }
    }

    /// Adds `error` to the tolerance of m or b.
    pub fn of_momentum(rounding: Rounding, error: f64) -> Self {
        Self { rounding, momentum: error, ..Self::default() }
    }

    /// Computes the tolerances of the step `outcome`; `oracle` is in the state after it.
    pub fn step<T: Number>(&mut self, oracle: &Oracle, outcome: &Outcome) -> Radii {
        let Config { momentum_kind, momentum: beta, .. } = oracle.config;
        let weight = oracle.weight(oracle.steps);
        let ulps = last_places::<T>(&oracle.momentum);
        let (mut update, mut update_norm) = update_radii::<T>(&oracle.config, outcome, self.rounding);
        let of_v = if momentum_kind == Momentum::Gradient { self.momentum / weight } else { 0.0 };
        if momentum_kind == Momentum::Gradient {
            // The documented limit of a momentum buffer, 6e-8·σmax/σmin in f32: f is at most σmin^(−2p).
            let most = coefficient_factor(&oracle.config, outcome);
            update += most * of_v;
            update_norm += most * of_v;
            self.momentum = fade(beta, self.momentum + ulps);
        }
        let reference = self.reference::<T>(oracle, outcome, of_v, update, update_norm);
        let (scale, mut direction) = scaled(outcome, update, update_norm, reference);
        if momentum_kind == Momentum::Update {
            self.momentum = fade(beta, self.momentum) + (1.0 - beta) * direction;
            direction = self.momentum / weight;
            self.momentum += ulps;
        }
        Radii { update_norm, scale, direction: direction + last_places::<T>(&outcome.direction) }
    }

    /// Returns the tolerance of the reference of s‖u‖.
    fn reference<T: Number>(
        &mut self,
        oracle: &Oracle,
        outcome: &Outcome,
        of_v: f64,
        update: f64,
        update_norm: f64,
    ) -> f64 {
        let Config { clip_kind, clip_factor, clip_beta: beta, .. } = oracle.config;
        let factor = if matches!(clip_kind, Clip::EmaNorm | Clip::EmaVector) { clip_factor } else { 1.0 };
        match clip_kind {
            Clip::None | Clip::Norm => 0.0,
            // The library computes ‖v‖ from C, or from products of two terms that may cancel.
            Clip::GraftInput => {
                let square = ABOUT * UNIT * outcome.length.powi(2);
                let length = norm(&outcome.v);
                of_v + square.sqrt().min(square / length.max(f64::MIN_POSITIVE))
            }
            Clip::EmaNorm | Clip::GraftEmaNorm => {
                let before = self.norm_average;
                self.norm_average = fade(beta, before) + (1.0 - beta) * update_norm;
                if update_norm > 0.0 && outcome.update_norm <= update_norm {
                    // Rounding decides whether this update has norm 0, and so whether it enters the average.
                    self.norm_average = f64::INFINITY;
                }
                factor * before / (1.0 - beta.powi(oracle.steps as i32 - 1)).max(f64::MIN_POSITIVE)
            }
            Clip::EmaVector | Clip::GraftEmaVector => {
                // ‖ē‖ comes from inner products; only those of u with itself may have a larger error than u.
                let square = ABOUT * (1.0 - beta).powi(2) * square_limit(&oracle.config, outcome, self.rounding);
                let average = norm(&oracle.vector_average);
                let of_square = square.sqrt().min(square / average.max(f64::MIN_POSITIVE));
                self.vector_average = fade(beta, self.vector_average) + (1.0 - beta) * update;
                self.roundings = fade(beta, self.roundings) + last_places::<T>(&oracle.vector_average);
                let now = self.vector_average + self.roundings + of_square;
                factor * now / (1.0 - beta.powi(oracle.steps as i32))
            }
            other => unreachable!("{other:?} is not known here"),
        }
    }
}

/// Returns a unit in the last place of each element; for subnormal elements, the smallest number.
fn last_places<T: Number>(buffer: &[f64]) -> f64 {
    2.0 * T::UNIT * norm(buffer) + T::LEAST * (buffer.len() as f64).sqrt()
}

/// Returns the largest factor on a part of v.
fn coefficient_factor(config: &Config, outcome: &Outcome) -> f64 {
    let spectrum = &outcome.spectrum;
    let counted = spectrum.directions.iter().filter(|d| d.present || !d.decided);
    counted.map(|d| spectrum.f(config, d.seen)).fold(outside(config), f64::max)
}

/// Computes `β·x`; 0 if β is 0, also for infinite x.
fn fade(beta: f64, x: f64) -> f64 {
    if beta == 0.0 { 0.0 } else { beta * x }
}

/// Returns the tolerances of s and of `s·u`, where s is 1 or the reference divided by ‖u‖.
fn scaled(outcome: &Outcome, update: f64, update_norm: f64, reference: f64) -> (f64, f64) {
    let Some(target) = outcome.reference else { return (0.0, update) };
    if outcome.update_norm <= 2.0 * update_norm {
        return (f64::INFINITY, 2.0 * (target + reference) + update);
    }
    let scale = (outcome.scale * update_norm + reference) / (outcome.update_norm - update_norm);
    (scale, scale * outcome.update_norm + outcome.scale * update)
}

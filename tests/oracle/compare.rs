//! Runs the library and the oracle on the same gradients, and compares them.

use lmada::{Config, Error, Optimizer, Stats};

use super::number::{Number, narrow, round, widen};
use super::streams::Stream;
use super::svd::norm;
use super::tolerance::{Doubt, Radii, Rounding};
use super::{Oracle, Outcome};

/// One comparison: a configuration on a stream.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub config: Config,
    pub stream: Stream,
    pub dim: usize,
    pub seed: u64,
    pub steps: usize,
    /// The oracle computes an update every this many steps; every step if later steps depend on it.
    pub every: usize,
    /// The assumed precision of C.
    pub rounding: Rounding,
}

/// The result of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Number of compared steps whose tolerance was small compared with the direction.
    pub firm: usize,
    /// Number of compared steps with a larger tolerance.
    pub loose: usize,
    /// Number of steps that both refused.
    pub refused: usize,
    /// Largest error, divided by its tolerance.
    pub worst: f64,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.firm += other.firm;
        self.loose += other.loose;
        self.refused += other.refused;
        self.worst = self.worst.max(other.worst);
    }
}

/// One step of the library and of the oracle.
pub struct Compared<'a> {
    pub step: usize,
    pub outcome: &'a Outcome,
    pub oracle: &'a Oracle,
    pub radii: &'a Radii,
    pub stats: Stats,
    /// ‖g‖ of the gradient as given.
    pub grad_norm: f64,
    /// Norm of the direction, and the library's error.
    pub length: f64,
    pub error: f64,
}

/// Panics if the library's error is above `tolerance`.
pub fn compare<T: Number>(case: &Case) -> Tally {
    let mut tally = Tally::default();
    tally.refused = run::<T>(case, |compared| {
        let Compared { step, outcome, radii, length, error, .. } = *compared;
        let ratio = if error == 0.0 { 0.0 } else { error / radii.direction };
        assert!(
            ratio <= 1.0,
            "step {step} of {case:?}: off by {error:e} of {length:e}, allowed {:e} ({ratio:.3} of it)\n{}",
            radii.direction,
            describe(outcome)
        );
        tally.worst = tally.worst.max(ratio);
        if radii.direction <= 1e-3 * length || error == 0.0 {
            tally.firm += 1;
        } else {
            tally.loose += 1;
        }
    });
    tally
}

/// Runs a case, and calls back for every step that the oracle computes. Returns the number of steps that both refused.
pub fn run<T: Number>(case: &Case, mut look: impl FnMut(&Compared<'_>)) -> usize {
    let mut library = Optimizer::<T>::new(&case.config, &[case.dim]).expect("a valid configuration");
    let mut oracle = Oracle::new(&case.config, case.dim, round::<T>);
    let mut doubt = Doubt::new(case.rounding);
    let mut gradients = case.stream.start(case.dim, case.seed);
    let mut direction = vec![T::default(); case.dim];
    let mut refused = 0;
    for step in 0..case.steps {
        let g: Vec<T> = narrow(&gradients.draw());
        let result = library.direction(&mut direction, &g);
        let g = widen(&g);
        if !oracle.can_store(&g) {
            assert!(
                matches!(result, Err(Error::NonFinite { .. })),
                "step {step} of {case:?} cannot be stored: {result:?}"
            );
            refused += 1;
            continue;
        }
        let looks = oracle.remembers_updates() || step % case.every == case.every - 1 || result.is_err();
        if !looks {
            oracle.skip(&g);
            continue;
        }
        let before = (oracle.clone(), doubt.clone());
        let outcome = oracle.step(&g);
        let radii = doubt.step::<T>(&oracle, &outcome);
        if let Err(error) = result {
            assert!(matches!(error, Error::NonFinite { .. }), "step {step} of {case:?}: {error}");
            let length = outcome.scale * outcome.update_norm + radii.direction;
            assert!(exceeds::<T>(&case.config, length), "step {step} of {case:?} was refused: {error}; {length:e}");
            (oracle, doubt) = before;
            refused += 1;
            continue;
        }
        look(&Compared {
            step,
            outcome: &outcome,
            oracle: &oracle,
            radii: &radii,
            stats: library.stats().unwrap(),
            grad_norm: norm(&g),
            length: norm(&outcome.direction),
            error: distance(&widen(&direction), &outcome.direction),
        });
    }
    refused
}

/// Whether the library must refuse a step of this length, by the update rule in the crate's documentation.
fn exceeds<T: Number>(config: &Config, length: f64) -> bool {
    config.lr.max(1.0) * length > T::MAX / 2.0
}

pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

pub fn describe(outcome: &Outcome) -> String {
    let mut text =
        format!("scale {:e}, |u| {:e}, eps' {:e}\n", outcome.scale, outcome.update_norm, outcome.spectrum.eps);
    for (d, y) in outcome.spectrum.directions.iter().zip(&outcome.coordinates) {
        text += &format!(
            "  lambda {:e} reach {:e} present {} decided {} part of v {:e}\n",
            d.lambda, d.reach, d.present, d.decided, y
        );
    }
    text
}

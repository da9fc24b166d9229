//! The update rule over several blocks, by the oracle of the truth tests: a float64 SVD of the stored gradients, with a
//! tolerance computed from its spectrum.

use core::ops::Range;

use lmada::{Clip, Config, Momentum};

use crate::handle::Real;
use crate::oracle::Oracle;
use crate::oracle::number::{round, widen};
use crate::oracle::svd::norm;
use crate::oracle::tolerance::{Doubt, Rounding};

/// Largest tolerance that is useful, as a fraction of the direction.
const FIRM: f64 = 0.1;

/// The state of the rule since the handle was new.
#[derive(Clone)]
pub struct Rule {
    blocks: Vec<Block>,
}

#[derive(Clone)]
struct Block {
    range: Range<usize>,
    oracle: Oracle,
    doubt: Doubt,
    /// An upper bound of s‖u‖, with update momentum.
    average: f64,
}

/// The results of one step.
pub enum Verdict {
    /// The format cannot store the gradient: the step is refused.
    CannotBeStored,
    Step(Says),
}

pub struct Says {
    /// The direction, which the learning rate multiplies.
    pub direction: Vec<f64>,
    /// Tolerance of each block's direction in the 2-norm, without the blocks that rounding decides.
    pub radii: Vec<(Range<usize>, f64)>,
    /// Whether every block has a tolerance.
    pub firm: bool,
    /// Blocks whose direction is at most 1 long for every decision of rounding, and at most 2 as computed: the error of
    /// an eigenvalue is below its noise floor.
    pub bounded: Vec<Range<usize>>,
    /// Whether the overflow check may refuse the step, and whether it must.
    pub may_be_refused: bool,
    pub must_be_refused: bool,
}

impl Rule {
    pub fn new<T: Real>(config: &Config, dims: &[usize]) -> Self {
        let mut start = 0;
        let blocks = dims.iter().map(|&len| {
            start += len;
            let range = start - len..start;
            let oracle = Oracle::new(config, len, round::<T>);
            Block { range, oracle, doubt: Doubt::new(Rounding::Whole), average: 0.0 }
        });
        Self { blocks: blocks.filter(|block| !block.range.is_empty()).collect() }
    }

    /// Whether the oracle's sums stay in range with such gradients.
    pub fn can_follow<T: Real>(gradient: &[T]) -> bool {
        // The squares of all `f32` are in range of f64.
        let ordinary = |x: f64| x == 0.0 || (1e-60..1e60).contains(&x.abs());
        gradient.iter().all(|g| ordinary(g.widen()))
    }

    /// Whether the rule can continue after a step without tolerance: if later steps do not depend on its direction.
    pub fn survives(&self, says: &Says) -> bool {
        says.firm || self.blocks.iter().all(|block| !block.oracle.remembers_updates())
    }

    /// Takes the step. The new state is used if the step is accepted.
    pub fn step<T: Real>(&mut self, gradient: &[T], lr: f64) -> Verdict {
        let mut says = Says {
            direction: vec![0.0; gradient.len()],
            radii: Vec::new(),
            firm: true,
            bounded: Vec::new(),
            may_be_refused: false,
            must_be_refused: false,
        };
        let mut norms = Vec::new();
        for Block { range, oracle, .. } in &self.blocks {
            let Some(norm) = oracle.stored_norm(&widen(&gradient[range.clone()])) else {
                return Verdict::CannotBeStored;
            };
            norms.push(norm);
        }
        for (index, block) in self.blocks.iter_mut().enumerate() {
            let Block { range, oracle, doubt, average } = block;
            let gradient = widen(&gradient[range.clone()]);
            let others = norms.iter().enumerate().filter(|(other, _)| *other != index);
            oracle.others = others.fold(0.0, |total: f64, (_, norm)| total.hypot(*norm));
            let outcome = oracle.step(&gradient);
            let radii = doubt.step::<T>(oracle, &outcome);
            let (radius, norm_radius) = (radii.direction, radii.update_norm);
            says.direction[range.clone()].copy_from_slice(&outcome.direction);
            // The tolerance is of first order: it is useful only if it is small compared with the direction, and if the
            // rounding of C is below every eigenvalue that is kept.
            if radius <= FIRM * norm(&outcome.direction) + T::LEAST * gradient.len() as f64 {
                says.radii.push((range.clone(), radius));
            } else {
                says.firm = false;
            }
            if is_bounded(&oracle.config) {
                says.bounded.push(range.clone());
            }
            // The overflow check uses s and ‖u‖ as computed in k×k space.
            let (most_norm, least_norm) = (outcome.update_norm + norm_radius, outcome.update_norm - norm_radius);
            // The learning rate is applied last: its product with the scale can overflow when the step does not.
            let most = lr.max(1.0) * ((outcome.scale + radii.scale) * most_norm);
            let least = lr.max(1.0) * ((outcome.scale - radii.scale).max(0.0) * least_norm.max(0.0));
            let half = T::MAX / 2.0;
            let averages = matches!(oracle.config.clip_kind, Clip::EmaVector | Clip::GraftEmaVector);
            // With update momentum the average of s‖u‖ is checked too, which bounds ‖b‖.
            if oracle.config.momentum_kind == Momentum::Update {
                let beta = oracle.config.momentum;
                *average = beta * *average + (1.0 - beta) * (outcome.scale + radii.scale) * most_norm * (1.0 + 1e-6);
            }
            let small = most.max(lr.max(1.0) * *average / oracle.weight(oracle.steps)) <= half;
            let small = small && (!averages || most_norm <= half);
            says.may_be_refused |= !small || !says.firm;
            says.must_be_refused |= says.firm && least > half * (1.0 + 1e-9);
        }
        Verdict::Step(says)
    }
}

impl Says {
    /// Panics if a direction differs from the rule's by more than its tolerance.
    pub fn check_direction<T: Real>(&self, direction: &[T]) {
        self.check_near(direction);
        self.check_bounded(direction);
    }

    pub fn check_near<T: Real>(&self, direction: &[T]) {
        for (range, radius) in &self.radii {
            let off = difference(&widen(&direction[range.clone()]), &self.direction[range.clone()]);
            assert!(off <= *radius, "the direction of {range:?} is off by {off:e}, allowed {radius:e}");
        }
    }

    pub fn check_bounded<T: Real>(&self, direction: &[T]) {
        for range in &self.bounded {
            let long = norm(&widen(&direction[range.clone()]));
            assert!(long <= 2.0, "the direction of {range:?} is {long:e} long");
        }
    }

    /// Panics if the parameters after a step differ from the rule's by more than the tolerance. Returns false if they
    /// may overflow the element type. `rates` are the learning rate and weight decay of each parameter, no rate above
    /// `lr`.
    pub fn check_params<T: Real>(&self, before: &[T], after: &[T], lr: f64, rates: &[(f64, f64)]) -> bool {
        let mut in_range = true;
        for (range, radius) in &self.radii {
            let (mut off, mut slack) = (Vec::new(), Vec::new());
            for index in range.clone() {
                let (rate, decay) = rates[index];
                let (kept, moved) = ((1.0 - rate * decay) * before[index].widen(), rate * self.direction[index]);
                let expected = kept - moved;
                in_range &= expected.abs() < T::MAX / 4.0;
                off.push(after[index].widen() - expected);
                // One rounding to the element type, after three in f64.
                slack.push(T::UNIT * expected.abs() + T::LEAST + 4.0 * f64::EPSILON * (kept.abs() + moved.abs()));
            }
            if !in_range {
                return false;
            }
            let (off, allowed) = (norm(&off), lr * radius + norm(&slack));
            assert!(off <= allowed * (1.0 + 1e-9), "parameters of {range:?} are off by {off:e}, allowed {allowed:e}");
        }
        in_range && self.firm
    }
}

/// Whether u is the gradient times the inverse root. It is then at most 1 long, as for every column of the window.
fn is_bounded(config: &Config) -> bool {
    let plain = config.power == 0.5 && !config.eps_on_root && !config.centered;
    plain && config.momentum_kind == Momentum::None && config.clip_kind == Clip::None
}

fn difference(a: &[f64], b: &[f64]) -> f64 {
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

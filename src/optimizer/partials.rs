//! The sums of a step that cross processes: for each block `Mᵀg`, with gradient momentum `Mᵀm`, with a clip by the average
//! of updates `Mᵀē`, then the scalar partials.

use core::ops::Range;

use crate::config::{Config, Momentum};

/// Places in a block's partials.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    history_size: usize,
    has_momentum: bool,
    has_average: bool,
}

/// The scalar partials, in their order.
#[derive(Clone, Copy)]
pub(crate) enum Tail {
    /// Values of g, or of what would be stored of it, that are NaN or infinite.
    NonFinite,
    /// ‖g‖² as given.
    GradNorm2,
    /// g·ē
    GradAverage,
    /// ‖m‖²
    MomentumNorm2,
    /// m·ē
    MomentumAverage,
    /// ‖ē‖²
    AverageNorm2,
    /// Σ√q with this gradient in it, before bias correction; 0 without diagonal preconditioning.
    Roots,
    /// 1: adds up to the number of processes.
    Processes,
    /// The step's number, from 1 on: adds up to that times the number of processes, or they are out of step.
    Step,
}

const TAIL: usize = Tail::Step as usize + 1;

impl Layout {
    pub fn new(config: &Config) -> Self {
        Self {
            history_size: config.history_size as usize,
            has_momentum: config.momentum_kind == Momentum::Gradient,
            has_average: config.clips_by_vector(),
        }
    }

    /// Numbers in a block's partials.
    pub fn len(&self) -> usize {
        self.products() + TAIL
    }

    fn products(&self) -> usize {
        self.history_size * (1 + usize::from(self.has_momentum) + usize::from(self.has_average))
    }

    /// Whether there is `Mᵀm`.
    pub fn has_momentum(&self) -> bool {
        self.has_momentum
    }

    /// Whether there is `Mᵀē`.
    pub fn has_average(&self) -> bool {
        self.has_average
    }

    /// `Mᵀg`, by slot.
    pub fn gradient(&self) -> Range<usize> {
        0..self.history_size
    }

    /// `Mᵀm`, by slot; m as it was before the step.
    pub fn momentum(&self) -> Range<usize> {
        self.history_size..2 * self.history_size
    }

    /// `Mᵀē`, by slot; ē as it was before the step.
    pub fn average(&self) -> Range<usize> {
        self.products() - self.history_size..self.products()
    }

    pub fn tail(&self, which: Tail) -> usize {
        self.products() + which as usize
    }
}

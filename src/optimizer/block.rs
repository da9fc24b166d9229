//! One block: its Gram matrix, its clip references, and the step that `solve` has computed for it.

use core::ops::Range;

use super::step::bias;
use crate::config::Config;
use crate::error::Result;
use crate::gram::Gram;
use crate::memory::Buffer;
use crate::spectral::Spectrum;

pub(crate) struct Block {
    /// Number of parameters.
    pub len: usize,
    /// Indices of the block's chunks.
    pub chunks: Range<usize>,
    pub gram: Gram,
    /// r, the reference of the clips by EMA of norms.
    pub norms: NormAverage,
    /// An upper bound of ‖b‖ with update momentum; 0 with other momentum.
    pub momentum_bound: f64,
    pub stats: BlockStats,
    pub pending: Pending,
}

/// The step that `solve` computed and `end` will commit. It is not part of the state: a cancelled step leaves it
/// unused.
pub(crate) struct Pending {
    /// The new row of the Gram matrix: products of the newest gradient with the columns, by slot, weighted.
    pub row: Buffer<f64>,
    /// Coefficients of the update, by slot, on the columns as stored: they include weights and centering. One more,
    /// last, is the coefficient of a vector outside the window (`Solver::precondition`).
    pub coefficients: Buffer<f64>,
    /// Coefficient of m in the update, for the part of m outside the span of the window.
    pub vector: f64,
    /// Norm of the terms that were added inside the coefficients and may cancel there.
    pub cancelling: f64,
    /// s, the factor of clipping or grafting.
    pub scale: f64,
    /// Whether the products of a few columns may be summed in the element type before they are added up in f64.
    pub element_sums: bool,
    pub norms: NormAverage,
    pub momentum_bound: f64,
    pub stats: BlockStats,
    pub result: Result<()>,
}

impl Block {
    pub fn new(config: &Config, len: usize, chunks: Range<usize>) -> Result<Self> {
        let size = config.history_size as usize;
        Ok(Self {
            len,
            chunks,
            gram: Gram::new(size)?,
            norms: NormAverage::default(),
            momentum_bound: 0.0,
            stats: BlockStats::default(),
            pending: Pending {
                row: Buffer::zeroed(size, "the coefficients of a step")?,
                coefficients: Buffer::zeroed(size + 1, "the coefficients of a step")?,
                vector: 0.0,
                cancelling: 0.0,
                scale: 1.0,
                element_sums: false,
                norms: NormAverage::default(),
                momentum_bound: 0.0,
                stats: BlockStats::default(),
                result: Ok(()),
            },
        })
    }

    /// Commits the pending step.
    pub fn accept(&mut self, newest: usize, held: usize) {
        self.gram.accept(newest, &self.pending.row[..held]);
        self.norms = self.pending.norms;
        self.momentum_bound = self.pending.momentum_bound;
        self.stats = self.pending.stats;
    }

    pub fn clear(&mut self) {
        self.gram.entries_mut().clear();
        self.norms = NormAverage::default();
        self.momentum_bound = 0.0;
        self.stats = BlockStats::default();
    }

    /// Returns the statistics of the last step, or of the step under way.
    pub fn reported_stats(&mut self, under_way: bool) -> &mut BlockStats {
        if under_way { &mut self.pending.stats } else { &mut self.stats }
    }

    /// Returns the bytes held.
    pub fn bytes(&self) -> usize {
        size_of_val(self.gram.entries()) + self.pending.row.bytes() + self.pending.coefficients.bytes()
    }
}

/// r, the moving average of the norms of unclipped updates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct NormAverage {
    /// Before bias correction.
    pub sum: f64,
    /// Number of norms in it.
    pub count: u64,
}

impl NormAverage {
    pub fn with(self, norm: f64, beta: f64) -> Self {
        if norm > 0.0 { Self { sum: beta * self.sum + (1.0 - beta) * norm, count: self.count + 1 } } else { self }
    }

    pub fn value(self, beta: f64) -> Option<f64> {
        (self.count > 0).then(|| self.sum / bias(beta, self.count))
    }
}

/// Statistics of one block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockStats {
    pub grad_norm: f64,
    pub update_norm: f64,
    pub scale: f64,
    /// The spectrum, once it is computed.
    pub spectrum: Option<Result<Spectrum>>,
}

impl Default for BlockStats {
    /// Before the first step.
    fn default() -> Self {
        Self { grad_norm: 0.0, update_norm: 0.0, scale: 1.0, spectrum: None }
    }
}

//! One block: its Gram matrix and clip references, and the step that solve has prepared for it.

use core::ops::Range;

use super::solve::NormAverage;
use super::stats::BlockStats;
use crate::config::Config;
use crate::error::Result;
use crate::gram::Gram;
use crate::memory::Buffer;

pub(crate) struct Block {
    /// Parameters in it.
    pub len: usize,
    /// Its chunks among the optimizer's.
    pub chunks: Range<usize>,
    pub gram: Gram,
    /// r
    pub norms: NormAverage,
    /// At least ‖b‖, of update momentum; 0 with others.
    pub momentum_bound: f64,
    pub stats: BlockStats,
    pub pending: Pending,
}

/// What solve decides and end makes so. Until then it is not state: a cancelled step leaves it behind unread.
pub(crate) struct Pending {
    /// Products of the newest gradient with the columns, by slot, all weighted: the new row of the Gram matrix.
    pub row: Buffer<f64>,
    /// c, by slot, for the stored columns as they lie (weights and centering worked in), then that of a vector which
    /// is not among them.
    pub coefficients: Buffer<f64>,
    /// Factor on m in the update: that of the part which the window does not span.
    pub vector: f64,
    /// The length of terms that are put together in the coefficients, and may cancel there.
    pub cancelling: f64,
    pub scale: f64,
    /// Whether a few columns at a time may be combined in the precision of the elements.
    pub native_sums: bool,
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
                native_sums: false,
                norms: NormAverage::default(),
                momentum_bound: 0.0,
                stats: BlockStats::default(),
                result: Ok(()),
            },
        })
    }

    /// Makes the solved step the block's state.
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

    pub fn bytes(&self) -> usize {
        size_of_val(self.gram.entries()) + self.pending.row.bytes() + self.pending.coefficients.bytes()
    }
}

//! The Gram matrix in tridiagonal form, `C = QTQᵀ`, with which both ways begin. Rounding in T is relative to the rows
//! concerned, since they come in decreasing order.

use crate::error::Result;
use crate::kernels::symmetric::{Block, SymmetricKernels, System, WORK, columns, start_of};
use crate::memory::Buffer;

use super::Entries;

pub(super) const BLOCK: usize = size_of::<Block>() / size_of::<f64>();

/// Room for the reduction of matrices up to a size.
pub(super) struct Reduction {
    matrix: Buffer<f64>,
    factors: Buffer<f64>,
    diagonal: Buffer<f64>,
    beside: Buffer<f64>,
    vector: Buffer<f64>,
    work: Buffer<f64>,
    pub kernels: &'static SymmetricKernels,
}

impl Reduction {
    pub fn new(size: usize, what: &'static str) -> Result<Self> {
        let padded = size.next_multiple_of(BLOCK);
        let buffer = |len: usize| Buffer::zeroed(len, what);
        // A window that fills passes through all sizes, and small matrices are stored whole: one may need more room.
        let matrix = (1..=size).map(|size| start_of(size, size.div_ceil(BLOCK))).max().unwrap_or(0);
        Ok(Self {
            matrix: buffer(matrix * BLOCK)?,
            factors: buffer(size)?,
            diagonal: buffer(padded + BLOCK)?,
            beside: buffer(padded)?,
            vector: buffer(padded + BLOCK)?,
            work: buffer(padded * WORK)?,
            kernels: SymmetricKernels::best(),
        })
    }

    pub fn bytes(&self) -> usize {
        let Self { matrix, factors, diagonal, beside, vector, work, .. } = self;
        [matrix, factors, diagonal, beside, vector, work].iter().map(|buffer| buffer.bytes()).sum()
    }

    /// Reduces `factor` times the matrix with its rows in this order, and with it a vector, of which `a` tells what
    /// stands in each row.
    pub fn reduce(
        &mut self,
        entries: &impl Entries,
        order: &[usize],
        factor: f64,
        a: impl Fn(usize) -> f64,
    ) -> System<'_> {
        let size = order.len();
        let blocks = size.div_ceil(BLOCK);
        let mut system = System {
            size,
            matrix: self.matrix.as_chunks_mut().0,
            factors: &mut self.factors,
            diagonal: &mut self.diagonal.as_chunks_mut().0[..blocks + 1],
            beside: &mut self.beside.as_chunks_mut().0[..blocks],
            vector: &mut self.vector.as_chunks_mut().0[..blocks + 1],
            work: self.work.as_chunks_mut().0,
        };
        entries.arranged(order, factor, columns(system.matrix, size));
        system.vector[blocks - 1] = [0.0; BLOCK];
        for (part, &i) in system.vector.as_flattened_mut().iter_mut().zip(order) {
            *part = a(i);
        }
        system.vector[blocks] = [0.0; BLOCK];
        (self.kernels.reduce)(&mut system);
        system
    }
}

/// The power of four at or below a positive number, the least normal one for those below; 1 for 0. Dividing by it, and
/// by its root, rounds nothing.
pub(super) fn power_of_four(x: f64) -> f64 {
    if x > 0.0 {
        let exponent = x.max(4.0 * f64::MIN_POSITIVE).to_bits() >> 52;
        // The bias is odd.
        f64::from_bits(((exponent - 1) | 1) << 52)
    } else {
        1.0
    }
}

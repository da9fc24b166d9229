//! The rows of the Gram matrix in order of decreasing norm, and its tridiagonal form `C = QTQᵀ`.

use crate::error::Result;
use crate::memory::Buffer;
use crate::simd::{LANES, best};

use super::problem::{Entries, NOT_FINITE};
use super::tridiagonal::{ReductionKernels, System, WORK, column, columns, start_of};

/// Memory for the reduction of matrices up to a size.
pub(super) struct Reduction {
    /// The diagonal of C.
    squares: Buffer<f64>,
    /// The rows, by decreasing `squares`.
    order: Buffer<usize>,
    /// Rows in `order`.
    size: usize,
    matrix: Buffer<f64>,
    factors: Buffer<f64>,
    diagonal: Buffer<f64>,
    off_diagonal: Buffer<f64>,
    vector: Buffer<f64>,
    work: Buffer<f64>,
    pub kernels: &'static ReductionKernels,
}

impl Reduction {
    pub fn new(size: usize, what: &'static str) -> Result<Self> {
        let padded = size.next_multiple_of(LANES);
        let buffer = |len: usize| Buffer::zeroed(len, what);
        // A window that fills passes through all sizes. Small matrices are stored in full, so a smaller one may need
        // more.
        let matrix = (1..=size).map(|size| start_of(size, size.div_ceil(LANES))).max().unwrap_or(0);
        Ok(Self {
            squares: buffer(size)?,
            order: Buffer::zeroed(size, what)?,
            size: 0,
            matrix: buffer(matrix * LANES)?,
            factors: buffer(size)?,
            diagonal: buffer(padded + LANES)?,
            off_diagonal: buffer(padded)?,
            vector: buffer(padded + LANES)?,
            work: buffer(padded * WORK)?,
            kernels: best!(ReductionKernels),
        })
    }

    pub fn bytes(&self) -> usize {
        let Self { squares, order, matrix, factors, diagonal, off_diagonal, vector, work, .. } = self;
        let buffers = [squares, matrix, factors, diagonal, off_diagonal, vector, work];
        order.bytes() + buffers.iter().map(|buffer| buffer.bytes()).sum::<usize>()
    }

    /// Takes the diagonal of a matrix of `size` rows, and the order in which it decreases; of equal entries the first
    /// comes first.
    ///
    /// # Errors
    /// If the diagonal is not finite.
    pub fn arrange(&mut self, size: usize, entries: &impl Entries) -> Result<()> {
        let squares = &mut self.squares[..size];
        entries.diagonal(squares);
        if !squares.iter().fold(true, |finite, entry| finite & entry.is_finite()) {
            return Err(NOT_FINITE);
        }
        let order = &mut self.order[..size];
        if self.size != size {
            order.iter_mut().enumerate().for_each(|(i, slot)| *slot = i);
            self.size = size;
        }
        // By insertion into the last order: a step changes one row.
        for end in 1..size {
            let slot = order[end];
            let entry = squares[slot];
            let mut place = end;
            while place > 0 {
                let other = order[place - 1];
                if squares[other] > entry || (squares[other] == entry && other < slot) {
                    break;
                }
                order[place] = other;
                place -= 1;
            }
            order[place] = slot;
        }
        Ok(())
    }

    /// The rows in decreasing order.
    pub fn order(&self) -> &[usize] {
        &self.order[..self.size]
    }

    /// The diagonal of the matrix, in no order.
    pub fn squares(&self) -> &[f64] {
        &self.squares[..self.size]
    }

    /// Whether norms differ so much that rounding errors of a large row may matter in a small one.
    pub fn is_graded(&self) -> bool {
        let squares = |&i: &usize| self.squares[i];
        let smallest = self.order().iter().rev().map(squares).find(|&square| square > 0.0);
        smallest.is_some_and(|smallest| smallest * GRADED < squares(&self.order[0]))
    }

    /// Reduces `factor` times the matrix that was arranged, and a vector with the entry `a(i)` in row i. Also returns
    /// the order of the rows, and their squared norms by row.
    pub fn reduce(
        &mut self,
        entries: &impl Entries,
        factor: f64,
        a: impl Fn(usize) -> f64,
    ) -> (System<'_>, &[usize], &[f64]) {
        let size = self.size;
        let order = &self.order[..size];
        let eights = size.div_ceil(LANES);
        let mut system = System {
            size,
            matrix: self.matrix.as_chunks_mut().0,
            factors: &mut self.factors,
            diagonal: &mut self.diagonal.as_chunks_mut().0[..eights + 1],
            off_diagonal: &mut self.off_diagonal.as_chunks_mut().0[..eights],
            vector: &mut self.vector.as_chunks_mut().0[..eights + 1],
            work: self.work.as_chunks_mut().0,
        };
        entries.arranged(order, factor, columns(system.matrix, size));
        system.vector[eights - 1] = [0.0; LANES];
        for (part, &i) in system.vector.as_flattened_mut().iter_mut().zip(order) {
            *part = a(i);
        }
        system.vector[eights] = [0.0; LANES];
        (self.kernels.reduce)(&mut system);
        (system, order, &self.squares[..size])
    }
}

/// Ratio of squared norms up to which rounding errors relative to the largest row are small in the smallest row, too.
const GRADED: f64 = 1e3;

/// How much a row may grow in a reflection, relative to its norm. Errors grow with the square of this factor. Largest
/// relative error of u for random matrices over 2 to 12 decades: 2e-13 at 3, 1e-12 at 10, 1e-9 at 100.
const GROWTH: f64 = 10.0;

/// Whether rounding errors in each row of T are small against that row of C.
///
/// A reflection `I − 2v̂v̂ᵀ` of the rows from r on adds multiples of row r, the largest of them, to the others.
/// Rounding errors in row i are relative to its own norm nᵢ if `|v̂ᵢ|·nᵣ` is at most about nᵢ. This holds where the
/// norms decrease and row r is not nearly orthogonal to the row that the reflection is made from.
pub(super) fn rows_are_kept(system: &System<'_>, order: &[usize], squares: &[f64]) -> bool {
    let size = order.len();
    (0..size.saturating_sub(2)).all(|j| {
        let (first, v) = column(system.matrix, size, j);
        let below = &v[j + 1 - first..];
        let factor = system.factors[j] / 2.0 * squares[order[j + 1]];
        below.iter().zip(&order[j + 1..]).all(|(v, &i)| v * v * factor <= GROWTH * GROWTH * squares[i])
    })
}

/// The largest power of four at or below a positive number, but at least the least normal one; 1 for 0. Dividing by it
/// or by its root is exact.
pub(super) fn power_of_four(x: f64) -> f64 {
    if x > 0.0 {
        let exponent = x.max(4.0 * f64::MIN_POSITIVE).to_bits() >> 52;
        // The bias is odd.
        f64::from_bits(((exponent - 1) | 1) << 52)
    } else {
        1.0
    }
}

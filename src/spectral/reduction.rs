//! The rows of the Gram matrix by decreasing norm, with which both ways begin, and its tridiagonal form `C = QTQᵀ`.

use crate::error::Result;
use crate::kernels::symmetric::{Block, SymmetricKernels, System, WORK, column, columns, start_of};
use crate::memory::Buffer;

use super::{Entries, NOT_FINITE};

const BLOCK: usize = size_of::<Block>() / size_of::<f64>();

/// Room for the reduction of matrices up to a size.
pub(super) struct Reduction {
    /// The diagonal of C.
    squares: Buffer<f64>,
    /// The rows, by decreasing `squares`.
    order: Buffer<usize>,
    /// How many `order` is of.
    size: usize,
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
            squares: buffer(size)?,
            order: Buffer::zeroed(size, what)?,
            size: 0,
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
        let Self { squares, order, matrix, factors, diagonal, beside, vector, work, .. } = self;
        let buffers = [squares, matrix, factors, diagonal, beside, vector, work];
        order.bytes() + buffers.iter().map(|buffer| buffer.bytes()).sum::<usize>()
    }

    /// Takes the diagonal of a matrix of `size` rows, and the order in which it decreases; of equal ones the first
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
        // By insertion into the last order, of which a step changes one place.
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

    /// Whether norms differ so much that the rounding of a large row may count in a small one.
    pub fn is_graded(&self) -> bool {
        let squares = |&i: &usize| self.squares[i];
        let smallest = self.order().iter().rev().map(squares).find(|&square| square > 0.0);
        smallest.is_some_and(|smallest| smallest * GRADED < squares(&self.order[0]))
    }

    /// Reduces `factor` times the matrix that was arranged, and with it a vector, of which `a` tells what stands in each
    /// row. Returns the order of the rows and their squared norms (in no order) besides.
    pub fn reduce(
        &mut self,
        entries: &impl Entries,
        factor: f64,
        a: impl Fn(usize) -> f64,
    ) -> (System<'_>, &[usize], &[f64]) {
        let size = self.size;
        let order = &self.order[..size];
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
        (system, order, &self.squares[..size])
    }
}

/// Ratio of squared norms below which rounding errors relative to the largest row are small in the smallest, too.
const GRADED: f64 = 1e3;

/// By how much a row may grow in a reflection, relative to its norm. Errors grow with its square: of random matrices over
/// 2 to 12 decades up to 2e-13 of u at 3, 1e-12 at 10, 1e-9 at 100.
const GROWTH: f64 = 10.0;

/// Whether rounding errors in each row of T are small against that row of C.
///
/// A reflection `I − 2v̂v̂ᵀ` of the rows from r on adds multiples of row r, the largest of them, to the others. Rounding in
/// row i is relative to its own norm nᵢ if `|v̂ᵢ|·nᵣ` is about nᵢ at most, which holds where the norms decrease and row r
/// is not nearly orthogonal to the row that the reflection is made of.
pub(super) fn rows_are_kept(system: &System<'_>, order: &[usize], squares: &[f64]) -> bool {
    let size = order.len();
    (0..size.saturating_sub(2)).all(|j| {
        let (first, v) = column(system.matrix, size, j);
        let below = &v[j + 1 - first..];
        let unit = system.factors[j] / 2.0 * squares[order[j + 1]];
        below.iter().zip(&order[j + 1..]).all(|(v, &i)| v * v * unit <= GROWTH * GROWTH * squares[i])
    })
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

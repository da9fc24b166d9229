//! Norms of combinations of a block's vectors (the stored gradients, m and ē), from their inner products.
//!
//! A squared norm is the quadratic form `xᵀGx` of the vectors' Gram matrix G, whose entries are rounded. In a window of
//! lower rank than it holds gradients, coefficients are large along directions that the window does not have: there the
//! form is off by about `2⁻⁵³·Σ xⱼ²‖vⱼ‖²`, which may be more than the squared norm itself. So where rounding counts, the
//! norm is `‖Rx‖` with a pivoted Cholesky factor `RᵀR ≈ G` that stops where residuals are rounding. R has the rank of
//! the vectors, and its error enters the norm once, not as the root of an error in its square.

use super::partials::{Layout, Tail};
use crate::error::Result;
use crate::gram::Candidate;
use crate::memory::Buffer;

/// f64's unit roundoff.
const ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// A residual counts as rounding up to this many roundoffs of the vector's square, for each vector that it was freed of
/// and for itself. Sums over elements and eliminations make up to 4.
const NOISE: f64 = 8.0;

/// The residual of a vector that made a row: never the largest.
const TAKEN: f64 = f64::NEG_INFINITY;

/// Inner products of the vectors of a block: the stored gradients by slot, then m and ē where they are kept.
#[derive(Clone, Copy)]
pub(super) struct Vectors<'a> {
    gram: Candidate<'a>,
    partials: &'a [f64],
    layout: Layout,
    held: usize,
}

impl<'a> Vectors<'a> {
    pub fn new(gram: Candidate<'a>, partials: &'a [f64], layout: Layout, held: usize) -> Self {
        Self { gram, partials, layout, held }
    }

    /// How many vectors there are.
    fn len(&self) -> usize {
        self.held + usize::from(self.layout.has_momentum()) + usize::from(self.layout.has_average())
    }

    /// The place of m.
    pub fn momentum(&self) -> usize {
        self.held
    }

    /// The place of ē.
    pub fn average(&self) -> usize {
        self.len() - 1
    }

    /// The product of vectors i and j.
    fn at(&self, i: usize, j: usize) -> f64 {
        let (first, last) = (i.min(j), i.max(j));
        if last < self.held {
            return self.gram.at(i, j);
        }
        let is_momentum = |place: usize| self.layout.has_momentum() && place == self.momentum();
        let tail = |which| self.partials[self.layout.tail(which)];
        match (first < self.held, is_momentum(first), is_momentum(last)) {
            (true, _, true) => self.partials[self.layout.momentum()][first],
            (true, _, false) => self.partials[self.layout.average()][first],
            (false, true, true) => tail(Tail::MomentumNorm2),
            (false, true, false) => tail(Tail::MomentumAverage),
            (false, false, _) => tail(Tail::AverageNorm2),
        }
    }
}

/// Scratch for the norms of a block's step.
pub(super) struct Norms {
    /// How far rounding may take a squared norm, relative to it, before the factor is needed.
    enough: f64,
    /// Coefficients of the combination whose norm is asked for.
    pub combination: Buffer<f64>,
    /// R, row by row.
    rows: Buffer<f64>,
    /// Squares of what the rows so far leave of each vector; [`TAKEN`] of those that made a row.
    residuals: Buffer<f64>,
    /// Rows of R, once it is computed.
    rank: Option<usize>,
}

impl Norms {
    /// For up to `size` vectors, of an element type with this unit roundoff.
    pub fn new(size: usize, unit: f64) -> Result<Self> {
        let buffer = |len: usize| Buffer::zeroed(len, "the norms of a step");
        Ok(Self {
            // A tenth of what is promised of directions.
            enough: (4.0 * unit).max(1e-11),
            combination: buffer(size)?,
            rows: buffer(size * size)?,
            residuals: buffer(size)?,
            rank: None,
        })
    }

    pub fn bytes(&self) -> usize {
        self.combination.bytes() + self.rows.bytes() + self.residuals.bytes()
    }

    /// Makes room for the combinations of other vectors.
    pub fn begin(&mut self) {
        self.rank = None;
    }

    /// ‖Σ xⱼvⱼ‖, of the coefficients in `combination`.
    pub fn norm(&mut self, vectors: &Vectors<'_>) -> f64 {
        let size = vectors.len();
        let (mut square, mut reach) = (0.0, 0.0);
        for (i, x) in self.combination[..size].iter().enumerate().filter(|&(_, &x)| x != 0.0) {
            let row = self.combination[..size].iter().enumerate().map(|(j, x)| vectors.at(i, j) * x);
            square += x * row.sum::<f64>();
            reach += x * x * vectors.at(i, i);
        }
        if size as f64 * ROUNDOFF * reach <= self.enough * square {
            return square.sqrt();
        }
        let rank = match self.rank {
            Some(rank) => rank,
            None => self.factor(vectors),
        };
        let x = &self.combination[..size];
        let rows = self.rows.chunks_exact(size).take(rank);
        rows.map(|row| row.iter().zip(x).map(|(r, x)| r * x).sum::<f64>().powi(2)).sum::<f64>().sqrt()
    }

    /// Computes R: with each row, the vector of which most is left, relative to its length, is taken out of the others.
    fn factor(&mut self, vectors: &Vectors<'_>) -> usize {
        let size = vectors.len();
        let residuals = &mut self.residuals[..size];
        residuals.iter_mut().enumerate().for_each(|(j, residual)| *residual = vectors.at(j, j));
        let mut rank = 0;
        while rank < size {
            let mut most = NOISE * (rank + 1) as f64 * ROUNDOFF;
            let mut pivot = None;
            for (j, residual) in residuals.iter().enumerate() {
                // Of a vector that is 0, no number: it is never the largest.
                let share = residual / vectors.at(j, j);
                if share > most {
                    (most, pivot) = (share, Some(j));
                }
            }
            let Some(pivot) = pivot else { break };
            let (done, row) = self.rows[..(rank + 1) * size].split_at_mut(rank * size);
            row.iter_mut().enumerate().for_each(|(j, r)| *r = vectors.at(pivot, j));
            for earlier in done.chunks_exact(size) {
                let part = earlier[pivot];
                row.iter_mut().zip(earlier).for_each(|(r, e)| *r -= part * e);
            }
            let unscale = 1.0 / residuals[pivot].sqrt();
            row[pivot] = residuals[pivot];
            for (r, residual) in row.iter_mut().zip(&mut *residuals) {
                // Nothing is left of those that made a row before. Of others something may be, though rounding says that
                // their residual is 0 or less: the root of what is left is far larger than rounding.
                *r = if *residual == TAKEN { 0.0 } else { *r * unscale };
                *residual -= *r * *r;
            }
            residuals[pivot] = TAKEN;
            rank += 1;
        }
        self.rank = Some(rank);
        rank
    }
}

//! Norms of linear combinations of a block's vectors (the stored gradients, m and ē), from their inner products.
//!
//! The squared norm is the quadratic form `xᵀGx` with the Gram matrix G of the vectors. The entries of G are rounded.
//! If the rank of the window is below its number of gradients, the coefficients may be large along directions outside
//! the span. The error of the form is then about `2⁻⁵³·Σ xⱼ²‖vⱼ‖²`, which may exceed the squared norm itself. If
//! rounding matters, the norm is computed as `‖Rx‖` instead. `RᵀR ≈ G` is a pivoted Cholesky factorization that stops
//! at residuals of the size of rounding. R has the rank of the vectors, and its error enters the norm directly, not
//! under a square root.

use super::partials::{Layout, Scalar};
use crate::error::Result;
use crate::gram::Candidate;
use crate::memory::Buffer;

/// The unit roundoff of f64.
const ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// A residual counts as rounding if it is at most `NOISE·(rank + 1)` roundoffs of the vector's squared norm. Sums over
/// elements and eliminations reach 4 of these 8.
const NOISE: f64 = 8.0;

/// Marks the residual of a vector that is already a row of R. It is never the largest.
const TAKEN: f64 = f64::NEG_INFINITY;

/// The inner products of a block's vectors: the stored gradients by slot, then m and ē if the configuration keeps them.
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

    /// Returns the number of vectors.
    fn len(&self) -> usize {
        self.held + usize::from(self.layout.has_momentum()) + usize::from(self.layout.has_average())
    }

    /// Returns the index of m.
    pub fn momentum(&self) -> usize {
        self.held
    }

    /// Returns the index of ē.
    pub fn average(&self) -> usize {
        self.len() - 1
    }

    /// Returns the inner product of vectors i and j.
    fn at(&self, i: usize, j: usize) -> f64 {
        let (first, last) = (i.min(j), i.max(j));
        if last < self.held {
            return self.gram.at(i, j);
        }
        let is_momentum = |place: usize| self.layout.has_momentum() && place == self.momentum();
        let scalar = |which| self.partials[self.layout.scalar(which)];
        match (first < self.held, is_momentum(first), is_momentum(last)) {
            (true, _, true) => self.partials[self.layout.momentum()][first],
            (true, _, false) => self.partials[self.layout.average()][first],
            (false, true, true) => scalar(Scalar::MomentumNorm2),
            (false, true, false) => scalar(Scalar::MomentumAverage),
            (false, false, _) => scalar(Scalar::AverageNorm2),
        }
    }
}

/// Scratch for the norms of a block's step.
pub(super) struct Norms {
    /// Largest relative error of a squared norm for which the quadratic form is used.
    enough: f64,
    /// Coefficients of the combination whose norm is computed.
    pub combination: Buffer<f64>,
    /// R, row by row.
    rows: Buffer<f64>,
    /// For each vector, the squared norm of its part outside the rows of R so far; [`TAKEN`] if the vector is a row.
    residuals: Buffer<f64>,
    /// Number of rows of R, once R is computed.
    rank: Option<usize>,
}

impl Norms {
    /// Reserves scratch for up to `size` vectors, of an element type with unit roundoff `roundoff`.
    pub fn new(size: usize, roundoff: f64) -> Result<Self> {
        let buffer = |len: usize| Buffer::zeroed(len, "the norms of a step");
        Ok(Self {
            // A tenth of the error that is promised of directions.
            enough: (4.0 * roundoff).max(1e-11),
            combination: buffer(size)?,
            rows: buffer(size * size)?,
            residuals: buffer(size)?,
            rank: None,
        })
    }

    pub fn bytes(&self) -> usize {
        self.combination.bytes() + self.rows.bytes() + self.residuals.bytes()
    }

    /// Starts with new vectors: R has to be computed again.
    pub fn begin(&mut self) {
        self.rank = None;
    }

    /// Computes ‖Σ xⱼvⱼ‖ for the coefficients x in `combination`.
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

    /// Computes R and returns its number of rows. The pivot is the vector with the largest residual relative to its
    /// norm.
    fn factor(&mut self, vectors: &Vectors<'_>) -> usize {
        let size = vectors.len();
        let residuals = &mut self.residuals[..size];
        residuals.iter_mut().enumerate().for_each(|(j, residual)| *residual = vectors.at(j, j));
        let mut rank = 0;
        while rank < size {
            let mut most = NOISE * (rank + 1) as f64 * ROUNDOFF;
            let mut pivot = None;
            for (j, residual) in residuals.iter().enumerate() {
                // NaN for a vector of norm 0, which is never the largest.
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
                // A vector that is already a row has no part left. Another vector may have a part left even if rounding
                // made its residual 0 or less: the root of the residual is far larger than rounding.
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

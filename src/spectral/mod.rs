//! Coefficients from the Gram matrix: `f(C) a`, or `V f(Λ)/Λ Vᵀ b`. k×k only; knows no parameters.
//!
//! There are two ways. A symmetric eigendecomposition ([`eigen`]) is general: it knows every direction, so that it can
//! tell which are absent. Where v lies in the span and ε' is above what noise can be, none is absent, and the inverse
//! root is taken as a sum of poles ([`poles`]), in a fraction of the time. The dense routines are faer's ([`dense`]).
//!
//! Gradients' norms may span many decades within a window. Both ways begin with a reduction to tridiagonal form, which
//! keeps the small directions if the rows come in decreasing order of norm (of an eigendecomposition's directions at 12
//! decades, k = 30: 4e-14 against 3e-4) and no large row is orthogonal to those before it. So that is their order, and
//! each way checks that no row was lost and has another method for where one was.

mod check;
mod dense;
mod eigen;
mod jacobi;
mod poles;
mod rational;
mod reduction;

#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::error::{Error, Result};
use dense::Dense;
use eigen::Eigen;
use poles::Poles;
use reduction::Reduction;

/// How the coefficients depend on the eigenvalues.
#[derive(Clone, Copy)]
pub(crate) struct Preconditioner {
    eps: f64,
    eps_relative: f64,
    power: f64,
    eps_on_root: bool,
    rank_tol: f64,
}

impl Preconditioner {
    /// The options that say so.
    pub fn new(config: &Config) -> Self {
        let Config { eps, eps_relative, power, eps_on_root, rank_tol, .. } = *config;
        Self { eps, eps_relative, power, eps_on_root, rank_tol }
    }

    /// ε'.
    fn shift(&self, largest: f64) -> f64 {
        self.eps + self.eps_relative * largest
    }

    /// Whether f is `(λ + ε')^(−1/2)`.
    fn is_inverse_root(&self) -> bool {
        self.power == 0.5 && !self.eps_on_root
    }

    fn f(&self, eigenvalue: f64, largest: f64) -> f64 {
        if self.eps_on_root {
            1.0 / (self.raised(eigenvalue) + self.shift_of_root(largest))
        } else {
            1.0 / self.raised(eigenvalue + self.shift(largest))
        }
    }

    /// `x^power`.
    fn raised(&self, x: f64) -> f64 {
        if self.power == 0.5 { x.sqrt() } else { x.powf(self.power) }
    }

    /// What is added to the power of an eigenvalue with `eps_on_root`.
    fn shift_of_root(&self, largest: f64) -> f64 {
        self.eps + self.eps_relative * self.raised(largest)
    }

    /// Whether the regularisation is no larger than this noise in an eigenvalue: both as they stand under the power, or
    /// with `eps_on_root` beside it.
    fn is_within(&self, noise: f64, largest: f64) -> bool {
        if self.eps_on_root { self.shift_of_root(largest) <= self.raised(noise) } else { self.shift(largest) <= noise }
    }
}

/// A symmetric matrix, entry by entry.
pub(crate) trait Entries {
    /// The entry in row i and column j.
    fn at(&self, i: usize, j: usize) -> f64;

    /// The norm of column j of M; centered, the norms of that and of the mean column added. Rounding errors in the
    /// entries are relative to these, and a direction is told from noise by them.
    fn norm(&self, j: usize) -> f64;

    /// Writes the diagonal to `target`.
    fn diagonal(&self, target: &mut [f64]) {
        target.iter_mut().enumerate().for_each(|(i, entry)| *entry = self.at(i, i));
    }

    /// Writes `scale` times the matrix with its rows and columns in this order, `columns` from the rows on that are
    /// beside them.
    fn arranged<'a>(&self, order: &[usize], scale: f64, columns: impl Iterator<Item = (usize, &'a mut [f64])>) {
        for (&j, (first, column)) in order.iter().zip(columns) {
            for (entry, &i) in column.iter_mut().zip(&order[first..]) {
                *entry = scale * self.at(i, j);
            }
        }
    }
}

/// What is preconditioned, in the coordinates of M's columns.
pub(crate) enum Vector<'a> {
    /// `v = M a`.
    Span(&'a [f64]),
    /// Any v: `Mᵀv` and `‖v‖²`, with the factor on what M does not span.
    Products { products: &'a [f64], norm2: f64, orthogonal_scale: f64 },
}

/// The directions that are present and stand above the noise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spectrum {
    /// How many there are.
    pub rank: u64,
    /// Largest of their eigenvalues; 0 without any.
    pub largest: f64,
    /// Smallest of their eigenvalues; 0 without any.
    pub smallest: f64,
}

/// What is known besides the coefficients.
#[derive(Clone, Copy)]
pub(crate) struct Solution {
    /// ‖u‖².
    pub norm2: f64,
    /// Where the coefficients came from it.
    pub spectrum: Option<Spectrum>,
}

/// Memory for solving up to a size, reserved once.
pub(crate) struct Workspace {
    reduction: Reduction,
    poles: Poles,
    eigen: Eigen,
    dense: Dense,
}

impl Workspace {
    /// For matrices of up to `size` rows, and results that will be rounded with this unit roundoff.
    pub fn new(size: usize, unit: f64) -> Result<Self> {
        let what = "the k×k solver";
        Ok(Self {
            reduction: Reduction::new(size, what)?,
            poles: Poles::new(size, unit, what)?,
            eigen: Eigen::new(size, what)?,
            dense: Dense::new(size, what)?,
        })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.reduction.bytes() + self.poles.bytes() + self.eigen.bytes() + self.dense.bytes()
    }

    /// Writes the coefficients c of `u = M c` (plus, for a general v, `orthogonal_scale·v`) to `coefficients`, of which
    /// there are as many as the matrix has rows.
    ///
    /// # Errors
    /// [`Error::NonFinite`] for a matrix that is not finite.
    pub fn solve(
        &mut self,
        preconditioner: &Preconditioner,
        entries: &impl Entries,
        vector: &Vector<'_>,
        coefficients: &mut [f64],
    ) -> Result<Solution> {
        let reduction = &mut self.reduction;
        reduction.arrange(coefficients.len(), entries)?;
        if let (&Vector::Span(a), true) = (vector, preconditioner.is_inverse_root()) {
            let dense = &mut self.dense;
            let norm2 = self.poles.solve(reduction, dense, preconditioner, entries, a, coefficients);
            if let Some(norm2) = norm2 {
                return Ok(Solution { norm2, spectrum: None });
            }
        }
        self.eigen.decompose(&mut self.dense, reduction.order(), entries)?;
        Ok(self.eigen.solve(preconditioner, reduction.order(), vector, coefficients))
    }

    /// The directions of a matrix of `size` rows, as [`Workspace::solve`] sees them for a v that may leave the span or
    /// not.
    ///
    /// # Errors
    /// As [`Workspace::solve`].
    pub fn spectrum(
        &mut self,
        preconditioner: &Preconditioner,
        entries: &impl Entries,
        size: usize,
        leaves_span: bool,
    ) -> Result<Spectrum> {
        self.reduction.arrange(size, entries)?;
        self.eigen.decompose(&mut self.dense, self.reduction.order(), entries)?;
        Ok(self.eigen.spectrum(preconditioner, size, leaves_span))
    }
}

const NOT_FINITE: Error = Error::non_finite("the Gram matrix of the gradients");

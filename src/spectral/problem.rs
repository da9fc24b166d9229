//! What the module `spectral` solves: a matrix, a vector and a function of the eigenvalues; and the results other than
//! the coefficients.

use crate::config::Config;
use crate::error::Error;

/// How the coefficients depend on the eigenvalues.
#[derive(Clone, Copy)]
pub(crate) struct Preconditioner {
    eps: f64,
    pub(super) eps_relative: f64,
    power: f64,
    eps_on_root: bool,
    pub(super) rank_tol: f64,
}

impl Preconditioner {
    /// The preconditioner that the options describe.
    pub fn new(config: &Config) -> Self {
        let Config { eps, eps_relative, power, eps_on_root, rank_tol, .. } = *config;
        Self { eps, eps_relative, power, eps_on_root, rank_tol }
    }

    /// `ε' = ε + eps_relative·σ²max`.
    pub(super) fn shift(&self, largest: f64) -> f64 {
        self.eps + self.eps_relative * largest
    }

    /// Whether f is `(λ + ε')^(−1/2)`.
    pub(super) fn is_inverse_root(&self) -> bool {
        self.power == 0.5 && !self.eps_on_root
    }

    /// f of an eigenvalue.
    pub(super) fn f(&self, eigenvalue: f64, largest: f64) -> f64 {
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

    /// The regularisation that is added to the power of an eigenvalue with `eps_on_root`.
    fn shift_of_root(&self, largest: f64) -> f64 {
        self.eps + self.eps_relative * self.raised(largest)
    }

    /// Whether the regularisation is at most as large as this noise in an eigenvalue. With `eps_on_root`, both are
    /// compared after taking the power.
    pub(super) fn is_within(&self, noise: f64, largest: f64) -> bool {
        if self.eps_on_root { self.shift_of_root(largest) <= self.raised(noise) } else { self.shift(largest) <= noise }
    }
}

/// A symmetric matrix, entry by entry.
pub(crate) trait Entries {
    /// The entry in row i and column j.
    fn at(&self, i: usize, j: usize) -> f64;

    /// The norm of column j of M; with centering, the sum of the norms of that column and of the mean column. Rounding
    /// errors in the entries, and so the noise floor, are relative to these norms.
    fn norm(&self, j: usize) -> f64;

    /// Writes the diagonal to `target`.
    fn diagonal(&self, target: &mut [f64]) {
        target.iter_mut().enumerate().for_each(|(i, entry)| *entry = self.at(i, i));
    }

    /// Writes `factor` times the matrix with its rows and columns in this order. `columns` are slices for the columns,
    /// each with the first row that it holds.
    fn arranged<'a>(&self, order: &[usize], factor: f64, columns: impl Iterator<Item = (usize, &'a mut [f64])>) {
        for (&j, (first, column)) in order.iter().zip(columns) {
            for (entry, &i) in column.iter_mut().zip(&order[first..]) {
                *entry = factor * self.at(i, j);
            }
        }
    }
}

/// The vector v that is preconditioned, in terms of M's columns.
pub(crate) enum Vector<'a> {
    /// `v = M a`.
    Span(&'a [f64]),
    /// Any v: `Mᵀv` and `‖v‖²`, and the factor on the part of v outside the span of M.
    Products { products: &'a [f64], norm2: f64, orthogonal_scale: f64 },
}

/// The directions that are present and above the noise floor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spectrum {
    /// Number of directions.
    pub rank: u64,
    /// The largest eigenvalue; 0 if there is no direction.
    pub largest: f64,
    /// The smallest eigenvalue; 0 if there is no direction.
    pub smallest: f64,
}

/// Results of a solve other than the coefficients.
#[derive(Clone, Copy)]
pub(crate) struct Solution {
    /// ‖u‖².
    pub norm2: f64,
    /// Known if the coefficients came from an eigendecomposition.
    pub spectrum: Option<Spectrum>,
}

pub(super) const NOT_FINITE: Error = Error::non_finite("the Gram matrix of the gradients");

//! Coefficients from the Gram matrix C: `f(C) a`, or `V f(Λ)/Λ Vᵀ b`. All of it is k×k; this module knows no parameters.
//!
//! There are two ways:
//!
//! - A sum of poles ([`poles`]), for the inverse root of a v in the span, where no direction can be absent: ε' must be
//!   above what rounding noise can be. It takes a fraction of the time.
//! - A symmetric eigendecomposition ([`eigen`]), for everything else. It knows every direction, so it can tell which
//!   are absent.
//!
//! faer does the dense linear algebra ([`dense`]); the reduction and the solves of the first way are kernels of this
//! module ([`tridiagonal`]).
//!
//! The norms of gradients in a window may span many decades. Both ways begin with a reduction to tridiagonal form. It
//! keeps small directions if the rows come in decreasing order of norm (error of an eigendecomposition's directions at
//! 12 decades, k = 30: 4e-14, otherwise 3e-4) and if no large row is orthogonal to the rows before it. So the rows are
//! taken in this order, and each way checks that no row was lost, and falls back to another method if one was.

mod check;
mod dense;
mod eigen;
mod jacobi;
mod poles;
mod problem;
mod rational;
mod reduction;
mod tridiagonal;

#[cfg(test)]
mod tests;

use crate::error::Result;
use dense::Dense;
use eigen::Eigen;
use poles::Poles;
pub(crate) use problem::{Entries, Preconditioner, Solution, Spectrum, Vector};
use reduction::Reduction;

/// The solver, with memory for matrices up to a size.
pub(crate) struct Workspace {
    reduction: Reduction,
    poles: Poles,
    eigen: Eigen,
    dense: Dense,
}

impl Workspace {
    /// For matrices of up to `size` rows, and results that will be rounded with this unit roundoff.
    pub fn new(size: usize, roundoff: f64) -> Result<Self> {
        let what = "the k×k solver";
        Ok(Self {
            reduction: Reduction::new(size, what)?,
            poles: Poles::new(size, roundoff, what)?,
            eigen: Eigen::new(size, what)?,
            dense: Dense::new(size, what)?,
        })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.reduction.bytes() + self.poles.bytes() + self.eigen.bytes() + self.dense.bytes()
    }

    /// Writes the coefficients c of `u = M c` (plus `orthogonal_scale·v` for a general v) to `coefficients`, one for
    /// each row of the matrix.
    ///
    /// # Errors
    /// [`Error::NonFinite`](crate::Error::NonFinite) if the matrix is not finite.
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

    /// The directions of a matrix of `size` rows that [`Workspace::solve`] takes for present. `leaves_span`: whether v
    /// may leave the span of M.
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

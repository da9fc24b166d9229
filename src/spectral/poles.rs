//! `(C + ε'I)^(−1/2) a` without an eigenvector: for v in the span, where no direction can be absent.
//!
//! A direction's noise floor is `n = h·2⁻⁵²·(Σⱼ |Vⱼ|·‖Mⱼ‖)² ≤ h·2⁻⁵²·tr C` (Cauchy-Schwarz), so an ε' above this bound
//! keeps every direction. Then `C = QTQᵀ` with T tridiagonal, and `f(T)` is a sum of poles ([`super::rational`]), each
//! one tridiagonal solve. Where the reduction to T would lose a small row to rounding, each pole is a Cholesky solve of
//! C itself, which loses none.

use crate::error::Result;
use crate::memory::Buffer;
use crate::simd::best;

use super::dense::Dense;
use super::problem::{Entries, Preconditioner};
use super::rational::{self, Tables};
use super::reduction::{Reduction, power_of_four, rows_are_kept};
use super::tridiagonal::ShiftedKernels;

/// Largest ratio of ε' and the largest entry. Above it, shifts would overflow.
const LARGEST_SHIFT: f64 = 1e250;

/// The tables of poles, the kernels that solve with them, and a vector for Cholesky solves.
pub(super) struct Poles {
    tables: Tables,
    solution: Buffer<f64>,
    pub kernels: &'static ShiftedKernels,
}

/// A sum of poles in units of m: `√m Σⱼ wⱼ (A + m tⱼI)⁻¹`.
struct Sum<'a> {
    poles: rational::Poles<'a>,
    m: f64,
}

impl Poles {
    /// For matrices of up to `size` rows, and results that will be rounded with this unit roundoff.
    pub fn new(size: usize, roundoff: f64, what: &'static str) -> Result<Self> {
        Ok(Self {
            tables: Tables::new(rational::error(roundoff))?,
            solution: Buffer::zeroed(size, what)?,
            kernels: best!(ShiftedKernels),
        })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.tables.bytes() + self.solution.bytes()
    }

    /// Writes `c = (C + ε'I)^(−1/2) a` to `coefficients` and returns `‖u‖² = cᵀCc`. Returns nothing if a direction may
    /// be absent, or if rounding makes the matrix too far from positive definite. `reduction` has arranged the matrix.
    pub fn solve(
        &mut self,
        reduction: &mut Reduction,
        dense: &mut Dense,
        preconditioner: &Preconditioner,
        entries: &impl Entries,
        a: &[f64],
        coefficients: &mut [f64],
    ) -> Option<f64> {
        let squares = reduction.squares();
        let size = squares.len();
        let largest = squares[reduction.order()[0]];
        let trace: f64 = squares.iter().sum();
        let noise = size as f64 * f64::EPSILON * trace;
        // σ²max is at least the largest entry and the mean eigenvalue.
        if preconditioner.shift(largest.max(trace / size as f64)) <= noise || !noise.is_finite() {
            return None;
        }
        if size == 1 {
            // For one direction, f is exact up to rounding.
            let largest = largest.max(0.0);
            let f = preconditioner.f(largest, largest);
            coefficients[0] = f * a[0];
            let along = f * (a[0] * largest.sqrt());
            return Some(along * along);
        }
        let scale = power_of_four(largest);
        let unscale = 1.0 / scale;
        let is_graded = reduction.is_graded();
        let (mut system, order, squares) = reduction.reduce(entries, unscale, |i| a[i]);
        let largest = if preconditioner.eps_relative > 0.0 {
            let (diagonal, off_diagonal) = (system.diagonal.as_flattened(), system.off_diagonal.as_flattened());
            scale * largest_eigenvalue(&diagonal[..size], &off_diagonal[..size - 1])
        } else {
            0.0
        };
        let shift = preconditioner.shift(largest);
        if shift.is_nan() || shift <= noise || shift * unscale > LARGEST_SHIFT {
            return None;
        }
        let sum = Sum { poles: self.tables.for_reach(1.0 + trace / shift)?, m: shift * unscale };
        if is_graded && !rows_are_kept(&system, order, squares) {
            let solution = &mut self.solution[..size];
            return sum.by_cholesky(dense, order, entries, unscale, a, solution, coefficients);
        }
        let solved = (self.kernels.solve)(&mut system, sum.poles.shifts, sum.poles.weights, sum.m);
        // Where the shift is hardly above the noise, rounding may have made T + shift indefinite.
        if !(solved.least_pivot > 0.0 && solved.quadratic_form.is_finite()) {
            return None;
        }
        let unscale = unscale.sqrt();
        for (part, &i) in system.vector.as_flattened().iter().zip(order) {
            coefficients[i] = unscale * part;
        }
        Some(solved.quadratic_form.max(0.0))
    }
}

impl Sum<'_> {
    /// The sum for `A = unscale·C`, with rows in this order, by a Cholesky factorisation for each pole. In a Cholesky
    /// factor, the rounding error of an entry is relative to the norms of its row and column (Higham, Accuracy and
    /// Stability of Numerical Algorithms, section 10.1), whatever the order of rows.
    #[expect(clippy::too_many_arguments, reason = "the local variables of `Poles::solve`")]
    fn by_cholesky(
        &self,
        dense: &mut Dense,
        order: &[usize],
        entries: &impl Entries,
        unscale: f64,
        a: &[f64],
        solution: &mut [f64],
        coefficients: &mut [f64],
    ) -> Option<f64> {
        let size = order.len();
        coefficients.fill(0.0);
        let (shifts, weights) = (self.poles.shifts.as_flattened(), self.poles.weights.as_flattened());
        for (shift, weight) in shifts.iter().zip(weights) {
            entries.arranged(order, unscale, dense.lower_mut(size));
            dense.lower_mut(size).for_each(|(_, column)| column[0] += self.m * shift);
            solution.iter_mut().zip(order).for_each(|(x, &i)| *x = a[i]);
            if !dense.solve(size, solution) {
                return None;
            }
            solution.iter().zip(order).for_each(|(x, &i)| coefficients[i] += self.m.sqrt() * weight * x);
        }
        let row = |i: usize| coefficients.iter().enumerate().map(|(j, c)| unscale * entries.at(i, j) * c).sum::<f64>();
        let norm2: f64 = coefficients.iter().enumerate().map(|(i, c)| c * row(i)).sum();
        coefficients.iter_mut().for_each(|c| *c *= unscale.sqrt());
        norm2.is_finite().then(|| norm2.max(0.0))
    }
}

/// The largest eigenvalue of a symmetric tridiagonal matrix, by Laguerre's iteration from above (Parlett, The symmetric
/// eigenvalue problem, section 4.8 for Newton's). It comes down monotonically, however the eigenvalues lie, and
/// cubically where the largest is simple.
fn largest_eigenvalue(diagonal: &[f64], off_diagonal: &[f64]) -> f64 {
    let size = diagonal.len() as f64;
    let side = |i: usize| off_diagonal.get(i).map_or(0.0, |b| b.abs());
    // A little above Gershgorin's bound, so that no pivot below is 0.
    let row = |(i, d): (usize, &f64)| d + side(i) + if i > 0 { side(i - 1) } else { 0.0 };
    let bound = diagonal.iter().enumerate().map(row).fold(0.0, f64::max);
    let mut x = bound * (1.0 + 8.0 * f64::EPSILON);
    // The distance to an eigenvalue of multiplicity m shrinks by at least a factor of 1 − 1/√m a step.
    for _ in 0..1000 {
        // The pivots δ of xI − T, with their first and second derivatives; p = Πδ is the characteristic polynomial.
        let (mut pivot, mut first, mut second) = (1.0, 0.0, 0.0);
        let (mut g, mut h, mut inside) = (0.0, 0.0, true);
        for (i, d) in diagonal.iter().enumerate() {
            let square = if i > 0 { side(i - 1) * side(i - 1) } else { 0.0 };
            let (ratio, slope) = (square / pivot, first / pivot);
            second = ratio * (second / pivot - 2.0 * slope * slope);
            first = 1.0 + ratio * slope;
            pivot = x - d - ratio;
            inside &= pivot > 0.0;
            let slope = first / pivot;
            g += slope;
            h += slope * slope - second / pivot;
        }
        let step = size / (g + ((size - 1.0) * (size * h - g * g)).max(0.0).sqrt());
        let next = x - step;
        if !inside || next.is_nan() || next >= x * (1.0 - f64::EPSILON) {
            break;
        }
        x = next;
    }
    x.max(0.0)
}

//! `(C + ε'I)^(−1/2) a` without an eigenvector: for v in the span, where no direction can be absent.
//!
//! A direction's noise floor is `n = h·2⁻⁵²·(Σⱼ |Vⱼ|·‖Mⱼ‖)² ≤ h·2⁻⁵²·tr C` (Cauchy and Schwarz), so that above this
//! bound ε' keeps every direction. Then `C = QTQᵀ` with T tridiagonal, and `f(T)` is a sum of poles
//! ([`super::rational`]), each one tridiagonal solve. Rounding in T is relative to the rows concerned, since they come
//! in decreasing order.

use crate::error::Result;
use crate::kernels::symmetric::{Block, SymmetricKernels, System, WORK, columns, start_of};
use crate::memory::Buffer;

use super::rational::{Tables, error};
use super::{Entries, Preconditioner};

/// ε' over the largest entry from which on shifts would overflow.
const LARGEST_SHIFT: f64 = 1e250;

/// Room for the reduction of matrices up to a size, and the poles.
pub(super) struct Tridiagonal {
    matrix: Buffer<f64>,
    factors: Buffer<f64>,
    diagonal: Buffer<f64>,
    beside: Buffer<f64>,
    vector: Buffer<f64>,
    work: Buffer<f64>,
    tables: Tables,
    pub(super) kernels: &'static SymmetricKernels,
}

const BLOCK: usize = size_of::<Block>() / size_of::<f64>();

impl Tridiagonal {
    pub fn new(size: usize, unit: f64, what: &'static str) -> Result<Self> {
        let padded = size.next_multiple_of(BLOCK);
        let buffer = |len: usize| Buffer::zeroed(len, what);
        // A window that fills passes through all sizes, and small matrices are stored whole: one may need more room.
        let matrix = (1..=size).map(|size| start_of(size, size.div_ceil(BLOCK))).max().unwrap_or(0);
        let tables = Tables::new(error(unit))?;
        Ok(Self {
            matrix: buffer(matrix * BLOCK)?,
            factors: buffer(size)?,
            diagonal: buffer(padded + BLOCK)?,
            beside: buffer(padded)?,
            vector: buffer(padded + BLOCK)?,
            work: buffer(padded * WORK)?,
            tables,
            kernels: SymmetricKernels::best(),
        })
    }

    pub fn bytes(&self) -> usize {
        let Self { matrix, factors, diagonal, beside, vector, work, tables, .. } = self;
        let buffers = [matrix, factors, diagonal, beside, vector, work];
        tables.bytes() + buffers.iter().map(|buffer| buffer.bytes()).sum::<usize>()
    }

    /// Writes `c = (C + ε'I)^(−1/2) a` to `coefficients` and returns `‖u‖² = cᵀCc`; nothing where this is not the way
    /// to do it. `order` lists the rows by decreasing `diagonal`.
    pub fn solve(
        &mut self,
        preconditioner: &Preconditioner,
        entries: &impl Entries,
        order: &[usize],
        diagonal: &[f64],
        a: &[f64],
        coefficients: &mut [f64],
    ) -> Option<f64> {
        let size = order.len();
        let largest = diagonal[order[0]];
        let trace: f64 = diagonal.iter().sum();
        let noise = size as f64 * f64::EPSILON * trace;
        // σ²max is at least what the largest entry and the mean eigenvalue are.
        if preconditioner.shift(largest.max(trace / size as f64)) <= noise || !noise.is_finite() {
            return None;
        }
        if size == 1 {
            // Of one direction f is known to the last digit.
            let largest = largest.max(0.0);
            let f = preconditioner.f(largest, largest);
            coefficients[0] = f * a[0];
            let along = f * (a[0] * largest.sqrt());
            return Some(along * along);
        }
        let scale = power_of_four(largest);
        let unscale = 1.0 / scale;
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
        entries.arranged(order, unscale, columns(system.matrix, size));
        system.vector[blocks - 1] = [0.0; BLOCK];
        for (part, &i) in system.vector.as_flattened_mut().iter_mut().zip(order) {
            *part = a[i];
        }
        system.vector[blocks] = [0.0; BLOCK];
        (self.kernels.reduce)(&mut system);
        let largest = if preconditioner.eps_relative > 0.0 {
            let (diagonal, beside) = (system.diagonal.as_flattened(), system.beside.as_flattened());
            scale * largest_eigenvalue(&diagonal[..size], &beside[..size - 1])
        } else {
            0.0
        };
        let shift = preconditioner.shift(largest);
        if shift.is_nan() || shift <= noise || shift * unscale > LARGEST_SHIFT {
            return None;
        }
        let poles = self.tables.for_reach(1.0 + trace / shift)?;
        let solved = (self.kernels.solve)(&mut system, poles.shifts, poles.weights, shift * unscale);
        // Rounding may have made T indefinite by more than the shift where that is hardly above the noise.
        if !(solved.least_pivot > 0.0 && solved.form.is_finite()) {
            return None;
        }
        let unscale = unscale.sqrt();
        for (part, &i) in system.vector.as_flattened().iter().zip(order) {
            coefficients[i] = unscale * part;
        }
        Some(solved.form.max(0.0))
    }
}

/// The largest eigenvalue of a symmetric tridiagonal matrix, by Laguerre's iteration from above (Parlett, The symmetric
/// eigenvalue problem, section 4.8 for Newton's). It comes down monotonically, however the eigenvalues lie, and
/// cubically where the largest is simple.
fn largest_eigenvalue(diagonal: &[f64], beside: &[f64]) -> f64 {
    let size = diagonal.len() as f64;
    let side = |i: usize| beside.get(i).map_or(0.0, |b| b.abs());
    // Gershgorin's bound, and a little above it so that no pivot below is 0.
    let row = |(i, d): (usize, &f64)| d + side(i) + if i > 0 { side(i - 1) } else { 0.0 };
    let bound = diagonal.iter().enumerate().map(row).fold(0.0, f64::max);
    let mut x = bound * (1.0 + 8.0 * f64::EPSILON);
    // Of an eigenvalue of multiplicity m the distance shrinks by at least a factor of 1 − 1/√m a step.
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

/// The power of four at or below a positive number, the least normal one for those below; 1 for 0. Dividing by it, and
/// by its root, rounds nothing.
fn power_of_four(x: f64) -> f64 {
    if x > 0.0 {
        let exponent = x.max(4.0 * f64::MIN_POSITIVE).to_bits() >> 52;
        // The bias is odd.
        f64::from_bits(((exponent - 1) | 1) << 52)
    } else {
        1.0
    }
}

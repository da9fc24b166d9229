//! The general way: a symmetric eigendecomposition of C by faer, direction by direction.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, SelfAdjointEvdParams, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Auto, MatMut, MatRef, Par, Spec};

use super::{Entries, NOT_FINITE, Preconditioner, Solution, Spectrum, Vector};
use crate::error::{Error, Result};
use crate::memory::Buffer;

/// Room for decompositions up to a size, and the last one made in it.
pub(super) struct Eigen {
    matrix: Buffer<f64>,
    vectors: Buffer<f64>,
    values: Buffer<f64>,
    norms: Buffer<f64>,
    scratch: MemBuffer,
    scratch_bytes: usize,
}

/// A direction that counts.
struct Direction {
    /// σ².
    eigenvalue: f64,
    /// Whether it stands above the noise.
    audible: bool,
}

impl Eigen {
    pub fn new(size: usize, what: &'static str) -> Result<Self> {
        let request = self_adjoint_evd_scratch::<f64>(size, ComputeEigenvectors::Yes, Par::Seq, parameters());
        let scratch_bytes = request.unaligned_bytes_required();
        let scratch =
            MemBuffer::try_new(request).map_err(|_| Error::OutOfMemory { what, bytes: scratch_bytes as u64 })?;
        Ok(Self {
            matrix: Buffer::zeroed(size * size, what)?,
            vectors: Buffer::zeroed(size * size, what)?,
            values: Buffer::zeroed(size, what)?,
            norms: Buffer::zeroed(size, what)?,
            scratch,
            scratch_bytes,
        })
    }

    pub fn bytes(&self) -> usize {
        let buffers = [&self.matrix, &self.vectors, &self.values, &self.norms];
        buffers.iter().map(|buffer| buffer.bytes()).sum::<usize>() + self.scratch_bytes
    }

    /// The coefficients, and what the decomposition says besides.
    pub fn solve(
        &self,
        preconditioner: &Preconditioner,
        order: &[usize],
        vector: &Vector<'_>,
        coefficients: &mut [f64],
    ) -> Solution {
        let size = order.len();
        let largest = self.largest(size);
        let leaves_span = matches!(vector, Vector::Products { .. });
        coefficients.fill(0.0);
        let mut spectrum = Spectrum::default();
        let (mut norm2, mut spanned) = (0.0, 0.0);
        for i in 0..size {
            let Some(present) = self.present(preconditioner, size, i, leaves_span) else { continue };
            spectrum.count(&present);
            let eigenvalue = present.eigenvalue;
            let direction = self.direction(size, i);
            let f = preconditioner.f(eigenvalue, largest);
            // `along` is the part of v along this direction of length σ; `weight` what it adds to the coefficients.
            let (along, weight, factor) = match *vector {
                Vector::Span(a) => {
                    let along = dot_permuted(direction, a, order);
                    (along * eigenvalue.sqrt(), f * along, f)
                }
                Vector::Products { products, orthogonal_scale, .. } => {
                    let along = dot_permuted(direction, products, order);
                    (along / eigenvalue.sqrt(), (f - orthogonal_scale) * along / eigenvalue, f)
                }
            };
            spanned += along * along;
            norm2 += (factor * along) * (factor * along);
            for (part, &slot) in direction.iter().zip(order) {
                coefficients[slot] += weight * part;
            }
        }
        if let Vector::Products { norm2: whole, orthogonal_scale, .. } = *vector {
            // Below its rounding the difference says nothing, and v lies in the span.
            let beyond = whole - spanned;
            let rounding = 4.0 * size as f64 * f64::EPSILON * whole;
            if beyond > rounding {
                norm2 += orthogonal_scale * orthogonal_scale * beyond;
            }
        }
        Solution { norm2, spectrum: Some(spectrum) }
    }

    /// The directions that count.
    pub fn spectrum(&self, preconditioner: &Preconditioner, size: usize, leaves_span: bool) -> Spectrum {
        let mut spectrum = Spectrum::default();
        let present = (0..size).filter_map(|i| self.present(preconditioner, size, i, leaves_span));
        present.for_each(|direction| spectrum.count(&direction));
        spectrum
    }

    fn direction(&self, size: usize, i: usize) -> &[f64] {
        &self.vectors[i * size..(i + 1) * size]
    }

    /// σ²max.
    fn largest(&self, size: usize) -> f64 {
        self.values[size - 1].max(0.0)
    }

    /// Direction i, unless it is absent.
    fn present(&self, preconditioner: &Preconditioner, size: usize, i: usize, leaves_span: bool) -> Option<Direction> {
        let largest = self.largest(size);
        let shift = preconditioner.shift(largest);
        let eigenvalue = self.values[i].max(0.0);
        let noise = noise_floor(self.direction(size, i), &self.norms[..size]);
        let audible = eigenvalue > noise;
        let above = eigenvalue > preconditioner.rank_tol * largest;
        let absent = (!audible && (leaves_span || shift <= noise)) || (!above && (leaves_span || shift == 0.0));
        (!absent).then_some(Direction { eigenvalue, audible })
    }

    /// Eigenvalues, ascending, and vectors of the matrix with its rows in this order.
    pub fn decompose(&mut self, order: &[usize], entries: &impl Entries) -> Result<()> {
        let size = order.len();
        let mut largest = 0.0;
        let mut finite = true;
        for (column, &j) in order.iter().enumerate() {
            self.norms[column] = entries.norm(j);
            for (row, &i) in order.iter().enumerate().skip(column) {
                let value = entries.at(i, j);
                finite &= value.is_finite();
                largest = value.abs().max(largest);
                self.matrix[column * size + row] = value;
            }
        }
        if !finite {
            return Err(NOT_FINITE);
        }
        // With entries near 1 the solver neither over- nor underflows, whatever the gradients' scale.
        let scale = power_of_two(largest);
        self.matrix[..size * size].iter_mut().for_each(|value| *value /= scale);
        if size == 2 {
            decompose_pair(&self.matrix, &mut self.values, &mut self.vectors);
        } else {
            let matrix = MatRef::from_column_major_slice(&self.matrix[..size * size], size, size);
            let vectors = MatMut::from_column_major_slice_mut(&mut self.vectors[..size * size], size, size);
            let values = faer::diag::DiagMut::from_slice_mut(&mut self.values[..size]);
            let stack = MemStack::new(&mut self.scratch);
            self_adjoint_evd(matrix, values, Some(vectors), Par::Seq, stack, parameters())
                .map_err(|_| Error::Internal { reason: "the eigensolver did not converge" })?;
        }
        self.values[..size].iter_mut().for_each(|value| *value *= scale);
        Ok(())
    }
}

impl Spectrum {
    /// Takes in a direction. Their eigenvalues ascend.
    fn count(&mut self, direction: &Direction) {
        if direction.audible {
            self.smallest = if self.rank == 0 { direction.eigenvalue } else { self.smallest };
            self.largest = direction.eigenvalue;
            self.rank += 1;
        }
    }
}

fn parameters() -> Spec<SelfAdjointEvdParams, f64> {
    // Implicit QR at every size. Divide and conquer is no faster up to 200 rows and at best twice as fast at 1,000, but
    // loses the small directions: over 12 decades and 100 rows its residual, measured against the columns' own norms,
    // is 3e7 where that of QR is 4e-13.
    SelfAdjointEvdParams { recursion_threshold: usize::MAX, ..<SelfAdjointEvdParams as Auto<f64>>::auto() }.into()
}

/// Two rows, the larger diagonal entry first, by one Jacobi rotation (Golub and Van Loan, Matrix Computations, section
/// 8.5.2). faer's closed form for them takes the smaller eigenvalue from a difference of large numbers: its residual
/// against the columns' own norms is 1 where these are 8 decades apart, when from three rows on QR leaves 1e-15.
fn decompose_pair(matrix: &[f64], values: &mut [f64], vectors: &mut [f64]) {
    let (large, mixed, small) = (matrix[0], matrix[1], matrix[3]);
    let tangent = if mixed == 0.0 {
        0.0
    } else {
        let cotangent = (large - small) / (2.0 * mixed.abs());
        -mixed.signum() / (cotangent + cotangent.hypot(1.0))
    };
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    values[..2].copy_from_slice(&[small + tangent * mixed, large - tangent * mixed]);
    vectors[..4].copy_from_slice(&[sine, cosine, cosine, -sine]);
}

/// The part of `σ²` that rounding errors in C can make up: `h·2⁻⁵²·(Σ |Vⱼᵢ|·‖Mⱼ‖)²`.
fn noise_floor(direction: &[f64], norms: &[f64]) -> f64 {
    let reach: f64 = direction.iter().zip(norms).map(|(part, norm)| part.abs() * norm).sum();
    direction.len() as f64 * f64::EPSILON * reach * reach
}

/// Inner product where `direction` lists its parts in the order of `order`.
fn dot_permuted(direction: &[f64], x: &[f64], order: &[usize]) -> f64 {
    direction.iter().zip(order).map(|(part, &slot)| part * x[slot]).sum()
}

/// The power of two at or below a positive number, the least normal one for those below; 1 for 0. Dividing by it rounds
/// nothing.
fn power_of_two(x: f64) -> f64 {
    if x > 0.0 { f64::from_bits(x.max(f64::MIN_POSITIVE).to_bits() & (0x7ff << 52)) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Matrix;
    use super::*;

    /// The matrix from its decomposition, entry by entry, held against the norms that rounding is relative to.
    fn check_decomposition(size: usize, matrix: &[f64]) {
        let entries = Matrix { size, entries: matrix };
        let entry = |i: usize, j: usize| entries.at(i, j);
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|&i, &j| entry(j, j).total_cmp(&entry(i, i)));
        let mut eigen = Eigen::new(size, "a test").unwrap();
        eigen.decompose(&order, &entries).unwrap();
        for (row, &i) in order.iter().enumerate() {
            for (column, &j) in order.iter().enumerate() {
                let part =
                    |k: usize| eigen.vectors[k * size + row] * eigen.values[k] * eigen.vectors[k * size + column];
                let sum = (0..size).map(part).sum::<f64>();
                let error = (sum - entry(i, j)).abs() / (entry(i, i) * entry(j, j)).sqrt();
                // A tenth of what is promised of f64 directions.
                assert!(error < 1e-11, "entry {i}, {j} of {size} rows: {error:e}");
            }
        }
        assert!(eigen.values[..size].is_sorted());
    }

    #[test]
    fn small_directions_survive_large_ones() {
        for size in 1..12 {
            for decades in [0, 4, 8, 12] {
                // A well-conditioned correlation matrix between columns whose norms span the decades.
                let norm = |i: usize| 10f64.powf(decades as f64 * i as f64 / size as f64);
                let correlation = |i: usize, j: usize| if i == j { 1.0 } else { 0.3 / (1.0 + i.abs_diff(j) as f64) };
                let sign = |i: usize| if i % 3 == 1 { -1.0 } else { 1.0 };
                let entry = |i: usize, j: usize| sign(i) * sign(j) * norm(i) * norm(j) * correlation(i, j);
                let matrix: Vec<f64> = (0..size * size).map(|place| entry(place / size, place % size)).collect();
                check_decomposition(size, &matrix);
            }
        }
    }

    #[test]
    fn two_equal_rows_are_ordered() {
        check_decomposition(2, &[2.0, 0.5, 0.5, 2.0]);
        check_decomposition(2, &[2.0, -0.5, -0.5, 2.0]);
        check_decomposition(2, &[2.0, 0.0, 0.0, 2.0]);
    }
}

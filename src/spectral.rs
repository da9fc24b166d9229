//! Coefficients from the Gram matrix: `f(C) a`, or `V f(Λ)/Λ Vᵀ b`, by a symmetric eigendecomposition. k×k only; knows
//! no parameters.
//!
//! Gradients' norms may span many decades within a window. A tridiagonal QR eigensolver keeps the small directions if
//! the rows come in decreasing order of their diagonal (3e-4 against 4e-14 at 12 decades, k = 30), so that is the order
//! in which the matrix is decomposed.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, SelfAdjointEvdParams, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Auto, MatMut, MatRef, Par, Spec};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::memory::Buffer;

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

    fn f(&self, eigenvalue: f64, largest: f64) -> f64 {
        let power = |x: f64| if self.power == 0.5 { x.sqrt() } else { x.powf(self.power) };
        if self.eps_on_root {
            1.0 / (power(eigenvalue) + self.eps + self.eps_relative * power(largest))
        } else {
            1.0 / power(eigenvalue + self.shift(largest))
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

/// What the decomposition says besides the coefficients.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spectrum {
    /// ‖u‖².
    pub norm2: f64,
    /// Directions that are present and stand above the noise.
    pub rank: usize,
    /// Largest of their eigenvalues; 0 without any.
    pub largest: f64,
    /// Smallest of their eigenvalues; 0 without any.
    pub smallest: f64,
}

/// Room for decompositions up to a size, reserved once.
pub(crate) struct Workspace {
    matrix: Buffer<f64>,
    vectors: Buffer<f64>,
    values: Buffer<f64>,
    diagonal: Buffer<f64>,
    norms: Buffer<f64>,
    order: Buffer<usize>,
    scratch: MemBuffer,
    scratch_bytes: usize,
}

impl Workspace {
    /// For matrices of up to `size` rows.
    pub fn new(size: usize) -> Result<Self> {
        let what = "the k×k solver";
        let request = self_adjoint_evd_scratch::<f64>(size, ComputeEigenvectors::Yes, Par::Seq, parameters());
        let scratch_bytes = request.unaligned_bytes_required();
        let scratch =
            MemBuffer::try_new(request).map_err(|_| Error::OutOfMemory { what, bytes: scratch_bytes as u64 })?;
        Ok(Self {
            matrix: Buffer::zeroed(size * size, what)?,
            vectors: Buffer::zeroed(size * size, what)?,
            values: Buffer::zeroed(size, what)?,
            diagonal: Buffer::zeroed(size, what)?,
            norms: Buffer::zeroed(size, what)?,
            order: Buffer::zeroed(size, what)?,
            scratch,
            scratch_bytes,
        })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let buffers = [&self.matrix, &self.vectors, &self.values, &self.diagonal, &self.norms];
        buffers.iter().map(|buffer| buffer.bytes()).sum::<usize>() + self.order.bytes() + self.scratch_bytes
    }

    /// Writes the coefficients c of `u = M c` (plus, for a general v, `orthogonal_scale·v`) to `coefficients`.
    ///
    /// `entry(i, j)` is the matrix, `norm(i)` the norm of column i before centering; a direction below the rounding
    /// errors that those make possible is told from noise by them. The number of rows is that of `coefficients`.
    ///
    /// # Errors
    /// [`Error::NonFinite`] for a matrix that is not finite; [`Error::Internal`] should the eigensolver not converge.
    pub fn solve(
        &mut self,
        preconditioner: &Preconditioner,
        entry: impl Fn(usize, usize) -> f64,
        norm: impl Fn(usize) -> f64,
        vector: &Vector<'_>,
        coefficients: &mut [f64],
    ) -> Result<Spectrum> {
        let size = coefficients.len();
        let exponent = self.decompose(size, &entry, norm)?;
        let largest = (self.values[size - 1] * exponent).max(0.0);
        let shift = preconditioner.shift(largest);
        let leaves_span = matches!(vector, Vector::Products { .. });
        coefficients.fill(0.0);
        let mut spectrum = Spectrum::default();
        let mut spanned = 0.0;
        for i in 0..size {
            let direction = &self.vectors[i * size..(i + 1) * size];
            let eigenvalue = (self.values[i] * exponent).max(0.0);
            let noise = noise_floor(direction, &self.norms[..size]);
            let audible = eigenvalue > noise;
            let above = eigenvalue > preconditioner.rank_tol * largest;
            let absent = (!audible && (leaves_span || shift <= noise)) || (!above && (leaves_span || shift == 0.0));
            if absent {
                continue;
            }
            if audible {
                spectrum.smallest = if spectrum.rank == 0 { eigenvalue } else { spectrum.smallest };
                spectrum.largest = eigenvalue;
                spectrum.rank += 1;
            }
            let f = preconditioner.f(eigenvalue, largest);
            // `along` is the part of v along this direction of length σ; `weight` what it adds to the coefficients.
            let (along, weight, factor) = match *vector {
                Vector::Span(a) => {
                    let along = dot_permuted(direction, a, &self.order);
                    (along * eigenvalue.sqrt(), f * along, f)
                }
                Vector::Products { products, orthogonal_scale, .. } => {
                    let along = dot_permuted(direction, products, &self.order);
                    (along / eigenvalue.sqrt(), (f - orthogonal_scale) * along / eigenvalue, f)
                }
            };
            spanned += along * along;
            spectrum.norm2 += (factor * along) * (factor * along);
            for (part, &slot) in direction.iter().zip(self.order.iter()) {
                coefficients[slot] += weight * part;
            }
        }
        if let Vector::Products { norm2, orthogonal_scale, .. } = *vector {
            // Below its rounding the difference says nothing, and v lies in the span.
            let beyond = norm2 - spanned;
            let rounding = 4.0 * size as f64 * f64::EPSILON * norm2;
            if beyond > rounding {
                spectrum.norm2 += orthogonal_scale * orthogonal_scale * beyond;
            }
        }
        Ok(spectrum)
    }

    /// Eigenvalues, ascending, and vectors of the matrix divided by the returned power of two.
    fn decompose(
        &mut self,
        size: usize,
        entry: &impl Fn(usize, usize) -> f64,
        norm: impl Fn(usize) -> f64,
    ) -> Result<f64> {
        for i in 0..size {
            self.diagonal[i] = entry(i, i);
            self.order[i] = i;
        }
        let diagonal = &self.diagonal[..size];
        let order = &mut self.order[..size];
        order.sort_unstable_by(|&i, &j| diagonal[j].total_cmp(&diagonal[i]).then(i.cmp(&j)));
        let mut largest = 0.0;
        let mut finite = true;
        for (column, &j) in order.iter().enumerate() {
            self.norms[column] = norm(j);
            for (row, &i) in order.iter().enumerate().skip(column) {
                let value = entry(i, j);
                finite &= value.is_finite();
                largest = value.abs().max(largest);
                self.matrix[column * size + row] = value;
            }
        }
        if !finite {
            return Err(Error::NonFinite { what: "the Gram matrix of the gradients", count: 0 });
        }
        // With entries near 1 the solver neither over- nor underflows, whatever the gradients' scale.
        let scale = power_of_two(largest);
        self.matrix[..size * size].iter_mut().for_each(|value| *value /= scale);
        if size == 2 {
            decompose_pair(&self.matrix, &mut self.values, &mut self.vectors);
            return Ok(scale);
        }
        let matrix = MatRef::from_column_major_slice(&self.matrix[..size * size], size, size);
        let vectors = MatMut::from_column_major_slice_mut(&mut self.vectors[..size * size], size, size);
        let values = faer::diag::DiagMut::from_slice_mut(&mut self.values[..size]);
        let stack = MemStack::new(&mut self.scratch);
        self_adjoint_evd(matrix, values, Some(vectors), Par::Seq, stack, parameters())
            .map_err(|_| Error::Internal { reason: "the eigensolver did not converge" })?;
        Ok(scale)
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
    use super::*;

    /// The matrix from its decomposition, entry by entry, held against the norms that rounding is relative to.
    fn check_decomposition(size: usize, matrix: &[f64]) {
        let mut workspace = Workspace::new(size).unwrap();
        let entry = |i: usize, j: usize| matrix[i * size + j];
        let scale = workspace.decompose(size, &entry, |i| entry(i, i).sqrt()).unwrap();
        for (row, &i) in workspace.order[..size].iter().enumerate() {
            for (column, &j) in workspace.order[..size].iter().enumerate() {
                let part = |k: usize| {
                    workspace.vectors[k * size + row] * workspace.values[k] * workspace.vectors[k * size + column]
                };
                let sum = (0..size).map(part).sum::<f64>() * scale;
                let error = (sum - entry(i, j)).abs() / (entry(i, i) * entry(j, j)).sqrt();
                // A tenth of what is promised of f64 directions.
                assert!(error < 1e-11, "entry {i}, {j} of {size} rows: {error:e}");
            }
        }
        assert!(workspace.values[..size].is_sorted());
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

//! The general way: an eigendecomposition of C, direction by direction. By QR; where that loses a small row, by Jacobi's
//! method.

use super::jacobi;
use super::reduction::{BLOCK, Reduction, power_of_four};
use super::{Entries, NOT_FINITE, Preconditioner, Solution, Spectrum, Vector};
use crate::error::{Error, Result};
use crate::memory::Buffer;

/// Room for decompositions up to a size, and the last one made in it.
pub(super) struct Eigen {
    /// As [`crate::kernels::symmetric::SymmetricKernels::diagonalise`] leaves them.
    vectors: Buffer<f64>,
    /// Ascending.
    values: Buffer<f64>,
    /// The vector of each value.
    places: Buffer<usize>,
    norms: Buffer<f64>,
    /// Room for the matrix, where it is needed once more.
    matrix: Buffer<f64>,
}

/// What of a row's square a decomposition may lose: as much as is promised of f64 directions.
const LOST: f64 = 1e-10;

/// A direction that counts.
struct Direction {
    /// σ².
    eigenvalue: f64,
    /// Whether it stands above the noise.
    audible: bool,
}

impl Eigen {
    pub fn new(size: usize, what: &'static str) -> Result<Self> {
        Ok(Self {
            vectors: Buffer::zeroed(size * size.next_multiple_of(BLOCK), what)?,
            values: Buffer::zeroed(size, what)?,
            places: Buffer::zeroed(size, what)?,
            norms: Buffer::zeroed(size, what)?,
            matrix: Buffer::zeroed(size * size, what)?,
        })
    }

    pub fn bytes(&self) -> usize {
        let buffers = [&self.vectors, &self.values, &self.norms, &self.matrix];
        self.places.bytes() + buffers.iter().map(|buffer| buffer.bytes()).sum::<usize>()
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
                    let along = dot_permuted(direction.clone(), a, order);
                    (along * eigenvalue.sqrt(), f * along, f)
                }
                Vector::Products { products, orthogonal_scale, .. } => {
                    let along = dot_permuted(direction.clone(), products, order);
                    (along / eigenvalue.sqrt(), (f - orthogonal_scale) * along / eigenvalue, f)
                }
            };
            spanned += along * along;
            norm2 += (factor * along) * (factor * along);
            for (part, &slot) in direction.zip(order) {
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

    /// The parts of direction i, in the order of the rows.
    fn direction(&self, size: usize, i: usize) -> impl Iterator<Item = f64> + Clone {
        let (blocks, _) = self.vectors.as_chunks::<BLOCK>();
        blocks.iter().skip(self.places[i]).step_by(size).flatten().copied().take(size)
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

    /// Eigenvalues, ascending, and vectors of the matrix, which has been arranged.
    pub fn decompose(&mut self, reduction: &mut Reduction, entries: &impl Entries) -> Result<()> {
        let order = reduction.order();
        let size = order.len();
        let mut largest = 0.0f64;
        for (norm, &j) in self.norms.iter_mut().zip(order) {
            *norm = entries.norm(j);
            for &i in order {
                let entry = entries.at(i, j).abs();
                if !entry.is_finite() {
                    return Err(NOT_FINITE);
                }
                largest = largest.max(entry);
            }
        }
        // With entries near 1 nothing overflows, whatever the gradients' scale. Those of a crafted saved state may be
        // larger than the ones on the diagonal, and a row unlike its column.
        let scale = power_of_four(largest);
        let kernels = reduction.kernels;
        let (mut system, order) = reduction.reduce(entries, 1.0 / scale, |_| 0.0);
        let vectors = &mut self.vectors.as_chunks_mut().0[..size * size.div_ceil(BLOCK)];
        if !(kernels.diagonalise)(&mut system, vectors) {
            return Err(Error::Internal { reason: "the eigensolver did not converge" });
        }
        let values = &mut system.diagonal.as_flattened_mut()[..size];
        // Decreasing rows keep the small directions but where two large ones have next to nothing in common: then the
        // reduction puts a small row between them, and what is small there is lost to rounding.
        let row = |i: usize| (entries.at(order[i], order[i]) / scale, LOST / scale * self.norms[i] * self.norms[i]);
        if !rows_are_kept(values, vectors, row) {
            let matrix = &mut self.matrix[..size * size];
            for (column, &j) in matrix.chunks_exact_mut(size).zip(order) {
                for (entry, &i) in column.iter_mut().zip(order) {
                    *entry = entries.at(i, j) / scale;
                }
            }
            jacobi::diagonalise(size, matrix, vectors);
            for (i, value) in values.iter_mut().enumerate() {
                *value = matrix[i * size + i];
            }
        }
        let places = &mut self.places[..size];
        places.iter_mut().enumerate().for_each(|(i, place)| *place = i);
        places.sort_unstable_by(|&i, &j| values[i].total_cmp(&values[j]));
        for (value, &place) in self.values.iter_mut().zip(&*places) {
            *value = values[place] * scale;
        }
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

/// Whether eigenvalues and eigenvectors give each row its square back, `Σₖ λₖVᵢₖ²`. `row` knows it, and by how much it
/// may be missed.
fn rows_are_kept(values: &[f64], vectors: &[[f64; BLOCK]], row: impl Fn(usize) -> (f64, f64)) -> bool {
    vectors.chunks_exact(values.len()).enumerate().all(|(b, block)| {
        let mut squares = [0.0; BLOCK];
        for (value, parts) in values.iter().zip(block) {
            for (square, part) in squares.iter_mut().zip(parts) {
                *square += value * part * part;
            }
        }
        squares.iter().enumerate().take(values.len() - b * BLOCK).all(|(i, square)| {
            let (expected, room) = row(b * BLOCK + i);
            (square - expected).abs() <= room
        })
    })
}

/// The part of `σ²` that rounding errors in C can make up: `h·2⁻⁵²·(Σ |Vⱼᵢ|·‖Mⱼ‖)²`.
fn noise_floor(direction: impl Iterator<Item = f64>, norms: &[f64]) -> f64 {
    let reach: f64 = direction.zip(norms).map(|(part, norm)| part.abs() * norm).sum();
    norms.len() as f64 * f64::EPSILON * reach * reach
}

/// Inner product where `direction` lists its parts in the order of `order`.
fn dot_permuted(direction: impl Iterator<Item = f64>, x: &[f64], order: &[usize]) -> f64 {
    direction.zip(order).map(|(part, &slot)| part * x[slot]).sum()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Matrix, WINDOWS, Window};
    use super::*;
    use crate::kernels::symmetric::SymmetricKernels;

    /// Decomposes a matrix with each set of kernels, and hands over the result, the order of rows and the set's name.
    fn each_decomposition(matrix: &Matrix<'_>, mut check: impl FnMut(&Eigen, &[usize], &str)) {
        let mut eigen = Eigen::new(matrix.size, "a test").unwrap();
        let mut reduction = Reduction::new(matrix.size, "a test").unwrap();
        for kernels in SymmetricKernels::available() {
            reduction.kernels = kernels;
            reduction.arrange(matrix.size, matrix).unwrap();
            eigen.decompose(&mut reduction, matrix).unwrap();
            assert!(eigen.values.is_sorted());
            check(&eigen, reduction.order(), kernels.name);
        }
    }

    fn directions(eigen: &Eigen, size: usize) -> Vec<Vec<f64>> {
        (0..size).map(|k| eigen.direction(size, k).collect()).collect()
    }

    /// The matrix from its decomposition, entry by entry, held against the norms that rounding is relative to.
    fn check_entries(size: usize, entries: &[f64]) {
        let matrix = Matrix { size, entries };
        each_decomposition(&matrix, |eigen, order, name| {
            let vectors = directions(eigen, size);
            for (row, &i) in order.iter().enumerate() {
                for (column, &j) in order.iter().enumerate() {
                    let parts = vectors.iter().zip(&*eigen.values).map(|(v, value)| v[row] * value * v[column]);
                    let error = (parts.sum::<f64>() - matrix.at(i, j)).abs() / (matrix.norm(i) * matrix.norm(j));
                    // A tenth of what is promised of f64 directions.
                    assert!(error < 1e-11, "entry {i}, {j} of {size} rows, {name}: {error:e}");
                }
            }
        });
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
                check_entries(size, &matrix);
            }
        }
    }

    /// Large rows that have nothing in common but a small one: the reduction puts that between them.
    #[test]
    fn small_directions_survive_between_large_ones() {
        for size in 3..20 {
            for large in 2..size {
                for decades in [4, 8, 12] {
                    let norm = |i: usize| if i < large { 10f64.powi(decades) } else { 1.0 + i as f64 / size as f64 };
                    let correlation = |i: usize, j: usize| match (i == j, i < large && j < large) {
                        (true, _) => 1.0,
                        (_, true) => 0.0,
                        _ => 0.5 / size as f64,
                    };
                    let entry = |place: usize| {
                        let (i, j) = (place / size, place % size);
                        norm(i) * norm(j) * correlation(i, j)
                    };
                    check_entries(size, &(0..size * size).map(entry).collect::<Vec<f64>>());
                }
            }
        }
    }

    /// Of every kind of window. Where columns are graded, the tests above ask for more.
    #[test]
    fn directions_are_orthogonal_and_make_up_the_matrix() {
        for size in [1, 2, 3, 7, 8, 9, 16, 31, 33, 64, 100] {
            for (seed, window) in WINDOWS.into_iter().enumerate() {
                let entries = window.gram(size, seed as u64);
                let matrix = Matrix { size, entries: &entries };
                each_decomposition(&matrix, |eigen, order, name| {
                    check_directions(eigen, order, &matrix, &format!("{window:?}, {size} rows, {name}"));
                });
            }
        }
    }

    fn check_directions(eigen: &Eigen, order: &[usize], matrix: &Matrix<'_>, case: &str) {
        let size = matrix.size;
        let vectors = directions(eigen, size);
        let largest = matrix.at(order[0], order[0]);
        let allowed = 4.0 * size as f64 * f64::EPSILON;
        for (i, v) in vectors.iter().enumerate() {
            for (j, w) in vectors.iter().enumerate() {
                let product: f64 = v.iter().zip(w).map(|(v, w)| v * w).sum();
                let error = (product - f64::from(u8::from(i == j))).abs();
                assert!(error <= allowed, "{case}: directions {i} and {j} are off by {error:e}");
            }
            for (row, &slot) in order.iter().enumerate() {
                let image: f64 = order.iter().zip(v).map(|(&other, part)| matrix.at(slot, other) * part).sum();
                let error = (image - eigen.values[i] * v[row]).abs();
                assert!(error <= size as f64 * allowed * largest, "{case}: direction {i} is off by {error:e} in {row}");
            }
        }
    }

    #[test]
    fn matrices_of_all_sizes_converge() {
        for size in 1..=140 {
            let entries = Window::White.gram(size, size as u64);
            let matrix = Matrix { size, entries: &entries };
            each_decomposition(&matrix, |eigen, _, name| {
                let (sum, trace): (f64, f64) = (eigen.values.iter().sum(), (0..size).map(|i| matrix.at(i, i)).sum());
                assert!((sum - trace).abs() <= 1e-13 * size as f64 * trace, "{size} rows, {name}: {sum} for {trace}");
            });
        }
    }

    /// As a crafted saved state may have it: no Gram matrix, not even a symmetric one, but finite.
    #[test]
    fn any_finite_matrix_is_decomposed() {
        for size in 1..6 {
            for place in 0..size * size {
                for hostile in [f64::MAX, -f64::MAX, 1e200, -1.0, 0.0, f64::MIN_POSITIVE, 5e-324] {
                    for base in [1.0, 0.0, 1e-3, 5e-324, 1e-200] {
                        let ordinary = |at: usize| base / (1.0 + (at / size + at % size) as f64);
                        let mut entries: Vec<f64> = (0..size * size).map(ordinary).collect();
                        entries[place] = hostile;
                        each_decomposition(&Matrix { size, entries: &entries }, |eigen, _, name| {
                            let finite = eigen.values.iter().all(|value| !value.is_nan());
                            assert!(finite, "{hostile:e} at {place} of {size} rows of {base:e}, {name}");
                        });
                    }
                }
            }
        }
    }

    #[test]
    fn two_equal_rows_are_ordered() {
        check_entries(2, &[2.0, 0.5, 0.5, 2.0]);
        check_entries(2, &[2.0, -0.5, -0.5, 2.0]);
        check_entries(2, &[2.0, 0.0, 0.0, 2.0]);
    }
}

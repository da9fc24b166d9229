//! The general way: an eigendecomposition of C, direction by direction. faer makes it, or Jacobi's method if faer's
//! loses a small row to rounding.

use super::check::{Check, Decomposition};
use super::dense::Dense;
use super::jacobi;
use super::problem::{Entries, NOT_FINITE, Preconditioner, Solution, Spectrum, Vector};
use super::reduction::power_of_four;
use crate::error::Result;
use crate::memory::Buffer;

/// The last eigendecomposition, in memory for matrices up to a size.
pub(super) struct Eigen {
    /// The eigenvectors, one after the other.
    vectors: Buffer<f64>,
    /// Their eigenvalues.
    values: Buffer<f64>,
    /// The numbers of the eigenvectors, by ascending eigenvalue.
    ascending: Buffer<usize>,
    norms: Buffer<f64>,
    check: Check,
}

/// A direction that is present.
struct Direction {
    /// σ².
    eigenvalue: f64,
    /// Whether it is above the noise floor.
    above_noise: bool,
}

impl Eigen {
    /// For matrices of up to `size` rows.
    pub fn new(size: usize, what: &'static str) -> Result<Self> {
        let buffer = |len| Buffer::zeroed(len, what);
        Ok(Self {
            vectors: buffer(size * size)?,
            values: buffer(size)?,
            ascending: Buffer::zeroed(size, what)?,
            norms: buffer(size)?,
            check: Check::new(size, what)?,
        })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let buffers = [&self.vectors, &self.values, &self.norms];
        self.ascending.bytes() + self.check.bytes() + buffers.iter().map(|buffer| buffer.bytes()).sum::<usize>()
    }

    /// Computes the coefficients from the decomposition.
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
            // `along` is the component of v along this direction. `weight` times the direction is added to the
            // coefficients.
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
            // A difference below its rounding error means that v lies in the span.
            let beyond = whole - spanned;
            let rounding = 4.0 * size as f64 * f64::EPSILON * whole;
            if beyond > rounding {
                norm2 += orthogonal_scale * orthogonal_scale * beyond;
            }
        }
        Solution { norm2, spectrum: Some(spectrum) }
    }

    /// The directions that are present.
    pub fn spectrum(&self, preconditioner: &Preconditioner, size: usize, leaves_span: bool) -> Spectrum {
        let mut spectrum = Spectrum::default();
        let present = (0..size).filter_map(|i| self.present(preconditioner, size, i, leaves_span));
        present.for_each(|direction| spectrum.count(&direction));
        spectrum
    }

    /// The entries of direction i, in the order of the rows. Directions are numbered by ascending eigenvalue.
    fn direction(&self, size: usize, i: usize) -> &[f64] {
        &self.vectors[self.ascending[i] * size..][..size]
    }

    /// σ² of direction i.
    fn eigenvalue(&self, i: usize) -> f64 {
        self.values[self.ascending[i]].max(0.0)
    }

    /// σ²max.
    fn largest(&self, size: usize) -> f64 {
        self.eigenvalue(size - 1)
    }

    /// Direction i, unless it is absent.
    fn present(&self, preconditioner: &Preconditioner, size: usize, i: usize, leaves_span: bool) -> Option<Direction> {
        let largest = self.largest(size);
        let eigenvalue = self.eigenvalue(i);
        let noise = noise_floor(self.direction(size, i), &self.norms[..size]);
        let above_noise = eigenvalue > noise;
        let above = eigenvalue > preconditioner.rank_tol * largest;
        let absent = (!above_noise && (leaves_span || preconditioner.is_within(noise, largest)))
            || (!above && (leaves_span || preconditioner.shift(largest) == 0.0));
        (!absent).then_some(Direction { eigenvalue, above_noise })
    }

    /// Decomposes the matrix with its rows in this order, which is by decreasing norm.
    ///
    /// # Errors
    /// [`Error::NonFinite`](crate::Error::NonFinite) for a matrix that is not finite.
    pub fn decompose(&mut self, dense: &mut Dense, order: &[usize], entries: &impl Entries) -> Result<()> {
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
        // With entries near 1 nothing overflows, whatever the gradients' length. In a crafted saved state, entries may
        // be larger than those on the diagonal.
        let scale = power_of_four(largest);
        let (values, vectors) = (&mut self.values[..size], &mut self.vectors[..size * size]);
        entries.arranged(order, 1.0 / scale, dense.lower_mut(size));
        let is_found = dense.decompose(size, values, vectors) && {
            let found = Decomposition { order, scale, norms: &self.norms[..size], values, vectors };
            self.check.holds(entries, &found)
        };
        if !is_found {
            let matrix = dense.matrix_mut(size);
            for (column, &j) in matrix.chunks_exact_mut(size).zip(order) {
                for (entry, &i) in column.iter_mut().zip(order) {
                    *entry = entries.at(i, j) / scale;
                }
            }
            jacobi::diagonalise(size, matrix, vectors);
            values.iter_mut().zip(matrix.iter().step_by(size + 1)).for_each(|(value, entry)| *value = *entry);
        }
        values.iter_mut().for_each(|value| *value *= scale);
        let ascending = &mut self.ascending[..size];
        ascending.iter_mut().enumerate().for_each(|(i, number)| *number = i);
        ascending.sort_unstable_by(|&i, &j| values[i].total_cmp(&values[j]));
        Ok(())
    }
}

impl Spectrum {
    /// Counts a direction. Directions come in the order of ascending eigenvalues.
    fn count(&mut self, direction: &Direction) {
        if direction.above_noise {
            self.smallest = if self.rank == 0 { direction.eigenvalue } else { self.smallest };
            self.largest = direction.eigenvalue;
            self.rank += 1;
        }
    }
}

/// The noise floor of a direction, the eigenvalue that rounding errors in C alone can cause: `h·2⁻⁵²·(Σ |Vⱼᵢ|·‖Mⱼ‖)²`.
fn noise_floor(direction: &[f64], norms: &[f64]) -> f64 {
    let reach: f64 = direction.iter().zip(norms).map(|(part, norm)| part.abs() * norm).sum();
    norms.len() as f64 * f64::EPSILON * reach * reach
}

/// The inner product of a direction, whose parts are in the order `order`, and x.
fn dot_permuted(direction: &[f64], x: &[f64], order: &[usize]) -> f64 {
    direction.iter().zip(order).map(|(part, &slot)| part * x[slot]).sum()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Matrix, WINDOWS, Window};
    use super::*;
    use crate::spectral::reduction::Reduction;

    /// The decomposition of a matrix and the order of its rows in it.
    fn decomposition(matrix: &Matrix<'_>) -> (Eigen, Vec<usize>) {
        let mut eigen = Eigen::new(matrix.size, "a test").unwrap();
        let mut reduction = Reduction::new(matrix.size, "a test").unwrap();
        reduction.arrange(matrix.size, matrix).unwrap();
        eigen.decompose(&mut Dense::new(matrix.size, "a test").unwrap(), reduction.order(), matrix).unwrap();
        assert!((0..matrix.size).is_sorted_by_key(|i| eigen.eigenvalue(i)));
        (eigen, reduction.order().to_vec())
    }

    fn directions(eigen: &Eigen, size: usize) -> Vec<&[f64]> {
        (0..size).map(|k| eigen.direction(size, k)).collect()
    }

    /// The matrix from its decomposition, entry by entry, held against the norms that rounding is relative to.
    fn check_entries(size: usize, entries: &[f64]) {
        let matrix = Matrix { size, entries };
        let (eigen, order) = decomposition(&matrix);
        let vectors = directions(&eigen, size);
        for (row, &i) in order.iter().enumerate() {
            for (column, &j) in order.iter().enumerate() {
                let parts = vectors.iter().enumerate().map(|(k, v)| v[row] * eigen.eigenvalue(k) * v[column]);
                let error = (parts.sum::<f64>() - matrix.at(i, j)).abs() / (matrix.norm(i) * matrix.norm(j));
                // A fifth of what is promised of f64 directions.
                assert!(error < 2e-11, "entry {i}, {j} of {size} rows: {error:e}");
            }
        }
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
                let (eigen, order) = decomposition(&matrix);
                check_directions(&eigen, &order, &matrix, &format!("{window:?}, {size} rows"));
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
                let product: f64 = v.iter().zip(*w).map(|(v, w)| v * w).sum();
                let error = (product - f64::from(u8::from(i == j))).abs();
                assert!(error <= allowed, "{case}: directions {i} and {j} are off by {error:e}");
            }
            for (row, &slot) in order.iter().enumerate() {
                let image: f64 = order.iter().zip(*v).map(|(&other, part)| matrix.at(slot, other) * part).sum();
                let error = (image - eigen.eigenvalue(i) * v[row]).abs();
                assert!(error <= size as f64 * allowed * largest, "{case}: direction {i} is off by {error:e} in {row}");
            }
        }
    }

    #[test]
    fn matrices_of_all_sizes_converge() {
        for size in 1..=140 {
            let entries = Window::White.gram(size, size as u64);
            let matrix = Matrix { size, entries: &entries };
            let (eigen, _) = decomposition(&matrix);
            let (sum, trace): (f64, f64) = (eigen.values.iter().sum(), (0..size).map(|i| matrix.at(i, i)).sum());
            assert!((sum - trace).abs() <= 1e-13 * size as f64 * trace, "{size} rows: {sum} for {trace}");
        }
    }

    /// Jacobi's method is for what is rare.
    #[test]
    fn ordinary_windows_are_decomposed_at_once() {
        for size in [3, 10, 30, 100, 300] {
            for window in [Window::White, Window::Collinear(4), Window::Graded(4), Window::Cyclic, Window::Flat] {
                let entries = window.gram(size, 1);
                let matrix = Matrix { size, entries: &entries };
                let mut reduction = Reduction::new(size, "a test").unwrap();
                reduction.arrange(size, &matrix).unwrap();
                let order = reduction.order();
                let mut dense = Dense::new(size, "a test").unwrap();
                let (mut values, mut vectors) = (vec![0.0; size], vec![0.0; size * size]);
                let norms: Vec<f64> = order.iter().map(|&j| matrix.norm(j)).collect();
                matrix.arranged(order, 1.0, dense.lower_mut(size));
                assert!(dense.decompose(size, &mut values, &mut vectors), "{window:?}, {size} rows");
                let (values, vectors) = (&values, &vectors);
                let found = Decomposition { order, scale: 1.0, norms: &norms, values, vectors };
                let mut check = Check::new(size, "a test").unwrap();
                assert!(check.holds(&matrix, &found), "{window:?}, {size} rows");
            }
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
                        let (eigen, _) = decomposition(&Matrix { size, entries: &entries });
                        let finite = eigen.values.iter().all(|value| !value.is_nan());
                        assert!(finite, "{hostile:e} at {place} of {size} rows of {base:e}");
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

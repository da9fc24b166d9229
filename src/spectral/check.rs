//! Checks that an eigendecomposition kept every row of a matrix whose rows' norms are decades apart. Methods that are
//! accurate relative to the largest row may lose small rows to rounding, and small components of eigenvectors that long
//! gradients enlarge.

use super::problem::Entries;
use crate::error::Result;
use crate::memory::Buffer;

/// Largest relative error allowed: a tenth of the error that f64 directions may have.
const TOLERANCE: f64 = 1e-11;

/// A decomposition to be checked: of a matrix divided by `scale`, with its rows in this order.
pub(super) struct Decomposition<'a> {
    pub order: &'a [usize],
    pub scale: f64,
    /// Norms of the rows in this order, not divided.
    pub norms: &'a [f64],
    pub values: &'a [f64],
    /// The eigenvectors, one after the other.
    pub vectors: &'a [f64],
}

/// Memory for checks of matrices up to a size.
pub(super) struct Check {
    rows: Buffer<f64>,
    probe: Buffer<f64>,
}

impl Check {
    /// For matrices of up to `size` rows.
    pub fn new(size: usize, what: &'static str) -> Result<Self> {
        Ok(Self { rows: Buffer::zeroed(size, what)?, probe: Buffer::zeroed(size, what)? })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + self.probe.bytes()
    }

    /// Whether the decomposition satisfies two equations: `Σₖ λₖVᵢₖ² = Cᵢᵢ` for each row, relative to the row; and `xᵀC
    /// v = λ xᵀv` for each eigenvector v, relative to the rows that v consists of, with `xⱼ = 1/‖Mⱼ‖`, so that rows of
    /// every size count alike. O(k²).
    pub fn holds(&mut self, entries: &impl Entries, found: &Decomposition<'_>) -> bool {
        self.squares_are_kept(entries, found) && self.vectors_are_kept(entries, found)
    }

    fn squares_are_kept(&mut self, entries: &impl Entries, found: &Decomposition<'_>) -> bool {
        let Decomposition { order, scale, norms, values, vectors } = *found;
        let squares = &mut self.rows[..order.len()];
        squares.fill(0.0);
        for (value, vector) in values.iter().zip(vectors.chunks_exact(order.len())) {
            squares.iter_mut().zip(vector).for_each(|(square, part)| *square += value * part * part);
        }
        order
            .iter()
            .zip(&*squares)
            .zip(norms)
            .all(|((&j, square), norm)| (square - entries.at(j, j) / scale).abs() <= TOLERANCE / scale * norm * norm)
    }

    fn vectors_are_kept(&mut self, entries: &impl Entries, found: &Decomposition<'_>) -> bool {
        let Decomposition { order, scale, norms, values, vectors } = *found;
        let root = scale.sqrt();
        let (probe, image) = (&mut self.probe[..order.len()], &mut self.rows[..order.len()]);
        // Rows whose norm has no finite inverse are left out.
        let inverse = |norm: f64| Some(root / norm).filter(|inverse| inverse.is_finite()).unwrap_or(0.0);
        probe.iter_mut().zip(norms).for_each(|(x, &norm)| *x = inverse(norm));
        for (image, &i) in image.iter_mut().zip(order) {
            *image = order.iter().zip(&*probe).map(|(&j, x)| entries.at(i, j) / scale * x).sum();
        }
        values.iter().zip(vectors.chunks_exact(order.len())).all(|(value, vector)| {
            let (mut residual, mut size) = (0.0, 0.0);
            for (((part, x), image), norm) in vector.iter().zip(&*probe).zip(&*image).zip(norms) {
                residual += (image - value * x) * part;
                size += (image.abs() + norm / root) * part.abs();
            }
            residual.abs() <= TOLERANCE * size
        })
    }
}

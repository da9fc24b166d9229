//! Statistics of a step, of one block and over all blocks. Most steps do not compute their spectrum. It is computed
//! from the step's Gram matrix when it is asked for.

use super::block::BlockStats;
use super::ring::Ring;
use super::{Optimizer, Phase};
use crate::error::Result;
use crate::kernels::Element;
use crate::parallel::Order;
use crate::spectral::Spectrum;

/// Statistics of the last accepted step; between `solve` and `end`, of the step under way.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Number of accepted steps, the step under way included.
    pub steps: u64,
    /// Number of gradients in the window.
    pub history_len: u32,
    /// Number of directions that the preconditioner acts on; the sum over blocks.
    pub rank: u32,
    /// ‖g‖ of the gradient as given; the root-sum-square over blocks.
    pub grad_norm: f64,
    /// ‖u‖ before clipping and update momentum; the root-sum-square over blocks.
    pub update_norm: f64,
    /// s, the factor of clipping or grafting; the smallest over blocks.
    pub scale: f64,
    /// Largest eigenvalue of `MMᵀ` (M weighted, and centered if `centered`), without ε. 0 if `rank` is 0.
    pub eig_max: f64,
    /// Smallest eigenvalue of the directions that `rank` counts, without ε. 0 if `rank` is 0.
    pub eig_min: f64,
    /// Memory held, in bytes.
    pub state_bytes: u64,
    /// Learning rate of the next step.
    pub lr: f64,
    /// Number of steps refused as non-finite since creation or reset.
    pub refused: u64,
    /// Index of the first NaN or infinite element in the last refused gradient; `None` if no gradient was refused, or
    /// if the element at fault belongs to another process.
    pub non_finite_index: Option<u64>,
}

/// Refused gradients.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refused {
    /// Number of refused steps.
    pub count: u64,
    /// Index of the first non-finite element in the last refused gradient.
    pub element: Option<u64>,
    /// Whether the step under way was refused.
    pub this_step: bool,
}

impl<T: Element> Optimizer<T> {
    /// Returns the statistics of the last step, or of the step under way once it is solved. The first call after a step
    /// may compute an eigendecomposition for each block.
    ///
    /// # Errors
    /// [`Error::NonFinite`](crate::Error::NonFinite) if a Gram matrix is not finite. No accepted step leaves such a
    /// matrix.
    pub fn stats(&mut self) -> Result<Stats> {
        let under_way = matches!(self.phase, Phase::Solved | Phase::Applying);
        let steps = self.steps + u64::from(under_way);
        if steps > 0 {
            self.complete_spectra(steps, under_way);
        }
        let mut total = Total::default();
        for block in &mut self.blocks {
            total.add(block.reported_stats(under_way))?;
        }
        Ok(total.stats(self, steps))
    }

    /// Computes the spectra that are missing. `steps` counts the step under way.
    fn complete_spectra(&mut self, steps: u64, under_way: bool) {
        let ring = Ring::after(steps - 1, self.config.history_size as usize);
        let config = &self.config;
        let threads = self.pool.threads();
        self.pool.for_each(threads, Order::Forward, &mut self.blocks, &mut self.solvers, |_, block, solver| {
            if block.reported_stats(under_way).spectrum.is_none() {
                let gram = if under_way {
                    block.gram.with(ring.newest, &block.pending.row[..ring.held])
                } else {
                    block.gram.current(ring.newest, ring.held)
                };
                let spectrum = solver.spectrum(config, ring, gram);
                block.reported_stats(under_way).spectrum = Some(spectrum);
            }
        });
    }
}

/// Computes `√(x² + y²)`. The squares of large norms overflow, so only the ratio is squared. The standard library's
/// `hypot` calls the C library's, which would raise the version of glibc that this library needs.
fn length(x: f64, y: f64) -> f64 {
    let (small, large) = if x < y { (x, y) } else { (y, x) };
    if large == 0.0 || large.is_infinite() {
        return small + large;
    }
    let ratio = small / large;
    large * (1.0 + ratio * ratio).sqrt()
}

/// The statistics of several blocks, combined.
struct Total {
    grad_norm: f64,
    update_norm: f64,
    scale: f64,
    spectrum: Spectrum,
}

impl Default for Total {
    fn default() -> Self {
        let spectrum = Spectrum { smallest: f64::INFINITY, ..Spectrum::default() };
        Self { grad_norm: 0.0, update_norm: 0.0, scale: f64::INFINITY, spectrum }
    }
}

impl Total {
    fn add(&mut self, block: &BlockStats) -> Result<()> {
        self.grad_norm = length(self.grad_norm, block.grad_norm);
        self.update_norm = length(self.update_norm, block.update_norm);
        self.scale = self.scale.min(block.scale);
        let Spectrum { rank, largest, smallest } = block.spectrum.transpose()?.unwrap_or_default();
        self.spectrum.rank += rank;
        if rank > 0 {
            self.spectrum.largest = self.spectrum.largest.max(largest);
            self.spectrum.smallest = self.spectrum.smallest.min(smallest);
        }
        Ok(())
    }

    fn stats<T: Element>(self, optimizer: &Optimizer<T>, steps: u64) -> Stats {
        let Spectrum { rank, largest, smallest } = self.spectrum;
        Stats {
            steps,
            history_len: steps.min(optimizer.config.history_size.into()) as u32,
            rank: u32::try_from(rank).unwrap_or(u32::MAX),
            grad_norm: self.grad_norm,
            update_norm: self.update_norm,
            scale: self.scale,
            eig_max: largest,
            eig_min: if rank > 0 { smallest } else { 0.0 },
            state_bytes: optimizer.bytes() as u64,
            lr: optimizer.lr,
            refused: optimizer.refused.count,
            non_finite_index: optimizer.refused.element,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn lengths_are_those_of_the_c_library() {
        let sizes = [0.0, 5e-324, 1e-310, 1e-200, 3e-8, 0.7, 1.0, 4.0, 1e9, 1e160, f64::MAX / 2.0, f64::MAX];
        for x in sizes {
            for y in sizes {
                let (found, expected) = (length(x, y), x.hypot(y));
                assert!(
                    found == expected || (found / expected - 1.0).abs() < 5e-16,
                    "{x} {y}: {found}, not {expected}"
                );
            }
            assert_eq!(length(x, f64::INFINITY), f64::INFINITY);
            assert_eq!(length(f64::INFINITY, x), f64::INFINITY);
            assert!(length(x, f64::NAN).is_nan() && length(f64::NAN, x).is_nan());
        }
        assert_eq!(length(f64::INFINITY, f64::INFINITY), f64::INFINITY);
    }
}

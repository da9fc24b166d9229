//! What a step looked like, for a block and over all blocks. A step does not need its spectrum: it is computed when it
//! is asked for, from the Gram matrix that the step went by, unless the step came by it on its way.

use super::block::Block;
use super::ring::Ring;
use super::{Optimizer, Phase};
use crate::error::Result;
use crate::kernels::Element;
use crate::parallel::Order;
use crate::spectral::Spectrum;

/// What the last accepted step looked like; between solve and end, the step under way.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Steps accepted, the one under way included.
    pub steps: u64,
    /// Gradients in the window.
    pub history_len: u32,
    /// Directions that stand above rounding noise and that the preconditioner acts on; the sum over blocks.
    pub rank: u32,
    /// ‖g‖ as given; root-sum-square over blocks, as `update_norm`.
    pub grad_norm: f64,
    /// ‖u‖ before clipping and update momentum.
    pub update_norm: f64,
    /// s, the factor of clipping or grafting; the least over blocks.
    pub scale: f64,
    /// Largest eigenvalue of `MMᵀ` (weighted, centered where on), without ε; 0 where the rank is 0.
    pub eig_max: f64,
    /// Smallest eigenvalue of the directions that `rank` counts; 0 where it is 0.
    pub eig_min: f64,
    /// Memory held, in bytes.
    pub state_bytes: u64,
    /// Learning rate of the next step.
    pub lr: f64,
    /// Steps refused as non-finite since the optimizer was made or reset.
    pub refused: u64,
    /// The first element that was not finite in the last gradient that was refused, where it was one of this optimizer's.
    pub non_finite_index: Option<u64>,
}

/// What became of gradients that were refused.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refused {
    pub count: u64,
    /// The first element that was not finite in the last of them.
    pub element: Option<u64>,
    /// Whether the step under way is one of them.
    pub this_step: bool,
}

/// One block's part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockStats {
    pub grad_norm: f64,
    pub update_norm: f64,
    pub scale: f64,
    /// Its directions, once they are known.
    pub spectrum: Option<Result<Spectrum>>,
}

impl Default for BlockStats {
    /// Before the first step.
    fn default() -> Self {
        Self { grad_norm: 0.0, update_norm: 0.0, scale: 1.0, spectrum: None }
    }
}

impl<T: Element> Optimizer<T> {
    /// What the last step looked like, or the one under way once it is solved. The spectrum may take a decomposition of
    /// each block's Gram matrix; asked again it is known.
    ///
    /// # Errors
    /// [`Error::NonFinite`](crate::Error::NonFinite) where the Gram matrix is not finite; no accepted step leaves one.
    pub fn stats(&mut self) -> Result<Stats> {
        let under_way = matches!(self.phase, Phase::Solved | Phase::Applying);
        let steps = self.steps + u64::from(under_way);
        if steps > 0 {
            self.complete_spectra(steps, under_way);
        }
        let mut total = Total::default();
        for block in &mut self.blocks {
            total.add(block.shown(under_way))?;
        }
        Ok(total.stats(self, steps))
    }

    /// Computes the spectra that no one has asked for yet, after so many steps.
    fn complete_spectra(&mut self, steps: u64, under_way: bool) {
        let ring = Ring::after(steps - 1, self.config.history_size as usize);
        let config = &self.config;
        let threads = self.pool.threads();
        self.pool.for_each(threads, Order::Forward, &mut self.blocks, &mut self.solvers, |_, block, solver| {
            if block.shown(under_way).spectrum.is_none() {
                let gram = if under_way {
                    block.gram.with(ring.newest, &block.pending.row[..ring.held])
                } else {
                    block.gram.current(ring.newest, ring.held)
                };
                let spectrum = solver.spectrum(config, ring, gram);
                block.shown(under_way).spectrum = Some(spectrum);
            }
        });
    }
}

impl Block {
    /// Statistics of the last step, or of the one under way.
    fn shown(&mut self, under_way: bool) -> &mut BlockStats {
        if under_way { &mut self.pending.stats } else { &mut self.stats }
    }
}

/// `√(x² + y²)`. Norms may be as large as their type, so their squares may overflow: only the ratio is squared. The
/// standard library's `hypot` is the C library's, which would make the library ask for a newer one than it needs.
fn length(x: f64, y: f64) -> f64 {
    let (small, large) = if x < y { (x, y) } else { (y, x) };
    if large == 0.0 || large.is_infinite() {
        return small + large;
    }
    let ratio = small / large;
    large * (1.0 + ratio * ratio).sqrt()
}

/// Blocks' statistics put together.
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

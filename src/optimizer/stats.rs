//! What a step looked like, for a block and over all blocks.

/// What the last accepted step looked like; between solve and end, the step under way.
#[derive(Clone, Copy, Debug, PartialEq)]
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
}

/// One block's part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockStats {
    pub grad_norm: f64,
    pub update_norm: f64,
    pub scale: f64,
    pub eig_max: f64,
    pub eig_min: f64,
    pub rank: u64,
}

impl Default for BlockStats {
    /// Before the first step.
    fn default() -> Self {
        Self { grad_norm: 0.0, update_norm: 0.0, scale: 1.0, eig_max: 0.0, eig_min: 0.0, rank: 0 }
    }
}

impl Stats {
    pub(super) fn over(
        blocks: impl Iterator<Item = BlockStats>,
        steps: u64,
        history_size: usize,
        state_bytes: usize,
    ) -> Self {
        let mut total = BlockStats { scale: f64::INFINITY, eig_min: f64::INFINITY, ..BlockStats::default() };
        for block in blocks {
            // Norms may be as large as their type: their squares would overflow.
            total.grad_norm = total.grad_norm.hypot(block.grad_norm);
            total.update_norm = total.update_norm.hypot(block.update_norm);
            total.scale = total.scale.min(block.scale);
            total.rank += block.rank;
            if block.rank > 0 {
                total.eig_max = total.eig_max.max(block.eig_max);
                total.eig_min = total.eig_min.min(block.eig_min);
            }
        }
        Self {
            steps,
            history_len: steps.min(history_size as u64) as u32,
            rank: u32::try_from(total.rank).unwrap_or(u32::MAX),
            grad_norm: total.grad_norm,
            update_norm: total.update_norm,
            scale: total.scale,
            eig_max: total.eig_max,
            eig_min: if total.rank > 0 { total.eig_min } else { 0.0 },
            state_bytes: state_bytes as u64,
        }
    }
}

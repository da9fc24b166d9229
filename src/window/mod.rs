//! The ring of stored gradients, one file a format.
//!
//! A window belongs to one chunk of a block: it holds the k columns of `M` over the chunk's parameters. Slot `j` is a
//! column's place in the ring; which one is newest is the optimizer's business. Positions count from the start of the
//! chunk. No call crosses a tile: `position / TILE` is the same for its first and last element.

mod full;

use crate::config::Config;
use crate::error::Result;
use crate::kernels::Element;
use crate::memory::try_box;

/// Elements that a pass works on at a time: small enough for what it needs of them to stay in the first-level cache.
/// Sums over a tile are the unit of the fixed order of summation.
pub(crate) const TILE: usize = 1024;

/// Columns of stored gradients over one chunk of parameters.
pub(crate) trait Window<T>: Send + Sync {
    /// `sums[i] += x · column(slots.start + i)` over the elements from `position` on.
    fn dots(&self, slots: core::ops::Range<usize>, position: usize, x: &[f64], sums: &mut [f64]);

    /// `sum += Σ coefficients[i] · column(slots.start + i)` over the elements from `position` on.
    fn combine(&self, slots: core::ops::Range<usize>, position: usize, coefficients: &[f64], sum: &mut [f64]);

    /// Replaces the elements from `position` on of column `slot`.
    fn store(&mut self, slot: usize, position: usize, gradient: &[T]);

    /// The elements from `position` on of column `slot`, as stored.
    fn stored(&self, slot: usize, position: usize, len: usize) -> &[T];

    /// Empties every column.
    fn clear(&mut self);

    /// Bytes held.
    fn bytes(&self) -> usize;
}

/// A window of `config`'s format over `len` parameters.
pub(crate) fn new<T: Element>(config: &Config, len: usize) -> Result<Box<dyn Window<T>>> {
    // Other formats are refused by `Config::validate` until they exist.
    Ok(try_box(full::Full::new(config.history_size as usize, len)?)?)
}

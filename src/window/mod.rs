//! The ring of stored gradients, one file a format.
//!
//! A window belongs to one chunk of a block: it holds the k columns of `M` over the chunk's parameters. Slot `j` is a
//! column's place in the ring; which one is newest is the optimizer's business. Positions count from the start of the
//! chunk. No call crosses a tile: `position / TILE` is the same for its first and last element.

mod full;

use crate::config::Config;
use crate::error::Result;
use crate::kernels::Element;
use crate::memory::{Arena, try_box};

/// Elements of a column that lie together, and that a pass works on at a time. Memory likes long runs (with 1,024 a
/// pass over a large window took a fifth longer), the caches short ones. Sums over a tile are the unit of the fixed
/// order of summation.
pub(crate) const TILE: usize = 4096;

/// Columns of stored gradients over one chunk of parameters.
pub(crate) trait Window<T>: Send + Sync {
    /// `sums[j] += x · column j` over the elements from `position` on, for every column but `omitted`.
    fn dots(&self, omitted: usize, position: usize, x: &[T], sums: &mut [f64]);

    /// `sum = Σ coefficients[j] · column j` over the elements from `position` on, with `newest` in place of column
    /// `replaced`. `narrow` where the precision of `T` is enough for sums of a few products. `sum` is room for whole
    /// blocks.
    fn combine(
        &self,
        replaced: usize,
        newest: &[T],
        position: usize,
        coefficients: &[f64],
        narrow: bool,
        sum: &mut [f64],
    );

    /// Replaces the elements from `position` on of column `slot`. [`Window::settle`] ends a run of calls.
    fn store(&mut self, slot: usize, position: usize, gradient: &[T]);

    /// Makes what was stored visible to other threads.
    fn settle(&self);

    /// The elements from `position` on of column `slot`, as stored.
    fn stored(&self, slot: usize, position: usize, len: usize) -> &[T];

    /// Empties every column.
    fn clear(&mut self);

    /// Bytes held.
    fn bytes(&self) -> usize;
}

/// A window of `config`'s format over `len` parameters, in `arena`.
pub(crate) fn new<T: Element>(config: &Config, len: usize, arena: &mut Arena) -> Result<Box<dyn Window<T>>> {
    // Other formats are refused by `Config::validate` until they exist.
    Ok(try_box(full::Full::new(config.history_size as usize, len, arena))?)
}

/// Bytes that such a window takes of its arena.
pub(crate) fn room<T: Element>(config: &Config, len: usize) -> usize {
    full::Full::<T>::room(config.history_size as usize, len)
}

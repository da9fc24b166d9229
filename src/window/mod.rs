//! The ring of stored gradients, one file a format.
//!
//! A window belongs to one chunk of a block: it holds the k columns of `M` over the chunk's parameters. A slot is
//! a position in the ring; it holds one column. The optimizer knows which slot holds the newest gradient; the window
//! does not. Other positions count from the start of the chunk. No call crosses a tile: `position / TILE` is the same
//! for its first and last element.
//!
//! A format may store other numbers than it was given. Everything is then done with the gradient *as stored*: pass one
//! ([`Window::take`]) multiplies it with the columns, pass two ([`Window::store`]) stores and combines the same
//! numbers.
//!
//! `ahead` is memory that a pass will need next. A window may prefetch it while it works on other memory.

mod bf16;
mod f16;
mod format;
mod full;
mod int8;
mod quantized;
mod sparse;
mod tiled;

use crate::config::{Config, HistoryFormat};
use crate::error::Result;
use crate::kernels::{Bf16, Element, F16};
use crate::memory::{Arena, try_box};
use format::Format;
pub(crate) use format::{Factors, Saved, TILE, TileScratch, Window};

/// The result of making a window.
type Made<T> = Result<Box<dyn Window<T>>>;

/// A format, as a table of its functions.
pub(crate) struct FormatTable<T: Element> {
    /// [`Format::GRANULARITY`]
    pub granularity: usize,
    numbers: usize,
    arena_bytes: fn(&Config, usize) -> usize,
    saved: fn(&Config, usize) -> Saved,
    new: fn(&Config, usize, &mut Arena) -> Made<T>,
}

impl<T: Element> FormatTable<T> {
    fn of<F: Format<T>>() -> Self {
        Self {
            granularity: F::GRANULARITY,
            numbers: F::NUMBERS,
            arena_bytes: F::arena_bytes,
            saved: F::saved,
            new: |config, len, arena| Ok(try_box(F::new(config, len, arena))?),
        }
    }

    /// The format that a valid `config` asks for. This is the only list of formats.
    pub fn new(config: &Config) -> Self {
        match config.history_format {
            HistoryFormat::Full => Self::of::<full::Full<T>>(),
            HistoryFormat::Bf16 => Self::of::<quantized::Quantized<T, Bf16>>(),
            HistoryFormat::F16 => Self::of::<quantized::Quantized<T, F16>>(),
            HistoryFormat::Int8 => Self::of::<quantized::Quantized<T, i8>>(),
            HistoryFormat::Sparse => Self::of::<sparse::Sparse<T>>(),
        }
    }

    /// A window over `len` parameters, in `arena`.
    pub fn window(&self, config: &Config, len: usize, arena: &mut Arena) -> Made<T> {
        (self.new)(config, len, arena)
    }

    /// Bytes of its arena that a window over `len` parameters takes. Saturates, so the allocation fails.
    pub fn arena_bytes(&self, config: &Config, len: usize) -> usize {
        (self.arena_bytes)(config, len)
    }

    /// Bytes of a saved state that a window over `len` parameters takes.
    pub fn saved(&self, config: &Config, len: usize) -> Saved {
        (self.saved)(config, len)
    }

    /// A thread's scratch for a tile.
    pub fn tile_scratch(&self) -> Result<TileScratch<T>> {
        TileScratch::new(self.numbers)
    }
}

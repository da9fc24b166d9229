//! The ring of stored gradients, one file a format.
//!
//! A window belongs to one chunk of a block: it holds the k columns of `M` over the chunk's parameters. Slot `j` is a
//! column's place in the ring; which one is newest is the optimizer's business. Positions count from the start of the
//! chunk. No call crosses a tile: `position / TILE` is the same for its first and last element.
//!
//! What a pass will need next is `ahead`: a window may have it fetched while it has something to do with what is there.
//!
//! A format may store something else than was given. Everything is then done with the gradient *as stored*: pass one
//! ([`Window::take`]) multiplies that with the columns, pass two ([`Window::store`]) stores and combines the same numbers.

mod bf16;
mod f16;
mod full;
mod int8;
mod quantized;
mod sparse;
mod tiled;

use crate::checkpoint::{Reader, Writer};
use crate::config::{Config, HistoryFormat};
use crate::error::Result;
use crate::kernels::{Ahead, Bf16, Element, F16, Run};
use crate::memory::{Arena, Buffer, try_box};

pub(crate) use crate::kernels::TILE;

/// Columns of stored gradients over one chunk of parameters.
pub(crate) trait Window<T: Element>: Send + Sync {
    /// Pass one, for the gradient from `position` on, whole units of the format ([`Shape::unit`]): adds the products of
    /// what will be stored with every column to `sums`, with itself for column `replaced`. Changes nothing that another
    /// call can see but [`Window::store`]: what storing a part of a unit needs to know of the whole is kept until then.
    fn take<'a>(
        &mut self,
        replaced: usize,
        position: usize,
        given: &'a [T],
        ahead: Ahead,
        sums: &mut [f64],
        scratch: &'a mut TileScratch<T>,
    ) -> Taken<'a, T>;

    /// `sums[j] += x · column j` over the elements from `position` on, for every column but `omitted`. Whole units.
    fn dots(&self, omitted: usize, position: usize, x: &[T], sums: &mut [f64]);

    /// Pass two: replaces the elements from `position` on of column `slot` by what was taken; `given` are the same
    /// numbers again, in runs of any length. Returns what is stored, either `given` itself or made in `scratch`.
    /// [`Window::settle`] ends a run of calls.
    fn store<'a>(&mut self, slot: usize, position: usize, given: &'a [T], scratch: &'a mut TileScratch<T>) -> &'a [T];

    /// Called before the first [`Window::store`] of a step, which replaces the whole column in `slot`.
    fn begin(&mut self, _slot: usize) {}

    /// `sum = Σ factors[j] · column j` over the elements from `position` on, with `newest` in place of column `replaced`.
    /// `sum` holds whole blocks.
    fn combine(
        &self,
        replaced: usize,
        newest: &[T],
        position: usize,
        factors: Factors<'_>,
        ahead: Ahead,
        sum: &mut [f64],
    );

    /// Where all columns of the tile lie that `position` is in: what is to be fetched before they are needed.
    fn tile(&self, position: usize) -> Run;

    /// Makes what was stored visible to other threads.
    fn settle(&self);

    /// Empties every column.
    fn clear(&mut self);

    /// Bytes held.
    fn bytes(&self) -> usize;

    /// Appends column `slot` to a saved state. The order of its numbers does not depend on tiles and chunks.
    fn save(&self, slot: usize, writer: &mut Writer<'_>) -> Result<()>;

    /// Loads column `slot`, and checks that [`Window::save`] could have written it.
    fn load(&mut self, slot: usize, reader: &mut Reader<'_>) -> Result<()>;

    /// [`Window::save`], for what a window keeps besides its columns.
    fn save_rest(&self, _writer: &mut Writer<'_>) -> Result<()> {
        Ok(())
    }

    /// [`Window::load`], for what [`Window::save_rest`] wrote.
    fn load_rest(&mut self, _reader: &mut Reader<'_>) -> Result<()> {
        Ok(())
    }
}

/// What columns are multiplied with in pass two.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a> {
    /// By slot.
    pub coefficients: &'a [f64],
    /// Whether the precision of the elements is enough for sums of a few products.
    pub narrow: bool,
}

/// The gradient in pass one.
pub(crate) struct Taken<'a, T> {
    /// As it will be stored.
    pub stored: &'a [T],
    /// The squared norm of what was given.
    pub norm2: f64,
    /// That of what will be stored.
    pub stored_norm2: f64,
}

/// What is known of a format before a window of it is made.
pub(crate) trait Format<T: Element>: Window<T> + Sized + 'static {
    /// Elements, from the start of a block on, that are stored together: whether the format can store one of them
    /// depends on the others. A divisor of [`TILE`]; the last unit of a block may be shorter.
    const UNIT: usize;

    /// Numbers that it needs of [`TileScratch::numbers`].
    const NUMBERS: usize = 0;

    /// A window over `len` parameters, in `arena`.
    fn new(config: &Config, len: usize, arena: &mut Arena) -> Self;

    /// Bytes that such a window takes of its arena; so many that there are none where they overflow.
    fn room(config: &Config, len: usize) -> usize;

    /// Bytes that such a window takes of a saved state. Those of whole units are as many as they take by themselves,
    /// and lie one after the other.
    fn saved(config: &Config, len: usize) -> Saved;
}

/// Bytes of a saved state; so many that there are none where they overflow.
pub(crate) struct Saved {
    /// A column: what [`Window::save`] writes.
    pub column: usize,
    /// What [`Window::save_rest`] writes.
    pub rest: usize,
}

/// A new window, if there is memory for it.
type Made<T> = Result<Box<dyn Window<T>>>;

/// A format, as a table of what it can do.
pub(crate) struct Shape<T: Element> {
    /// [`Format::UNIT`]
    pub unit: usize,
    numbers: usize,
    room: fn(&Config, usize) -> usize,
    saved: fn(&Config, usize) -> Saved,
    new: fn(&Config, usize, &mut Arena) -> Made<T>,
}

impl<T: Element> Shape<T> {
    fn of<F: Format<T>>() -> Self {
        Self {
            unit: F::UNIT,
            numbers: F::NUMBERS,
            room: F::room,
            saved: F::saved,
            new: |config, len, arena| Ok(try_box(F::new(config, len, arena))?),
        }
    }

    /// The format that `config`, which is valid, asks for: the one list of formats.
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

    /// Bytes that such a window takes of its arena; so many that there are none where they overflow.
    pub fn room(&self, config: &Config, len: usize) -> usize {
        (self.room)(config, len)
    }

    /// Bytes that such a window takes of a saved state.
    pub fn saved(&self, config: &Config, len: usize) -> Saved {
        (self.saved)(config, len)
    }
}

/// A thread's scratch for a tile of the gradient as stored.
pub(crate) struct TileScratch<T: Element> {
    pub elements: Buffer<T>,
    /// For what a format has to find out about a tile.
    pub numbers: Buffer<u32>,
}

impl<T: Element> TileScratch<T> {
    pub fn new(shape: &Shape<T>) -> Result<Self> {
        let elements = Buffer::zeroed(TILE, "a thread's tile")?;
        Ok(Self { elements, numbers: Buffer::zeroed(shape.numbers, "a thread's tile")? })
    }

    pub fn bytes(&self) -> usize {
        self.elements.bytes() + self.numbers.bytes()
    }
}

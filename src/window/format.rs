//! The traits of a history format: [`Window`] for the columns over one chunk, [`Format`] for its properties and for
//! making windows.

use crate::checkpoint::{Reader, Writer};
use crate::config::Config;
use crate::error::Result;
use crate::kernels::{Ahead, Element, Run};
use crate::memory::{Arena, Buffer};

/// Elements of a column that lie together, and that a pass works on at a time. Long runs suit memory (a pass over a
/// large window took a fifth longer with 1,024), short ones suit the caches. The fixed order of summation is over
/// tiles.
pub(crate) const TILE: usize = 4096;

/// Columns of stored gradients over one chunk of parameters.
pub(crate) trait Window<T: Element>: Send + Sync {
    /// Pass one, for the gradient from `position` on, a multiple of [`Format::GRANULARITY`] elements: adds the products
    /// of the gradient as stored with every column to `sums`, and its squared norm for column `replaced`. Has no
    /// observable effect until [`Window::store`]; the window keeps what storing a part of a group needs to know of the
    /// whole group.
    fn take<'a>(
        &mut self,
        replaced: usize,
        position: usize,
        given: &'a [T],
        ahead: Ahead,
        sums: &mut [f64],
        scratch: &'a mut TileScratch<T>,
    ) -> Taken<'a, T>;

    /// `sums[j] += x · column j` over the elements from `position` on, for every column but `omitted`. A multiple of
    /// [`Format::GRANULARITY`] elements.
    fn dots(&self, omitted: usize, position: usize, x: &[T], sums: &mut [f64]);

    /// Pass two: replaces the elements from `position` on of column `slot` by the gradient that [`Window::take`] took.
    /// `given` are the same numbers again, in runs of any length. Returns the gradient as stored: `given` itself, or
    /// numbers in `scratch`. [`Window::fence`] ends a run of calls.
    fn store<'a>(&mut self, slot: usize, position: usize, given: &'a [T], scratch: &'a mut TileScratch<T>) -> &'a [T];

    /// Called before the first [`Window::store`] of a step, which replaces all of the column in `slot`.
    fn begin(&mut self, _slot: usize) {}

    /// `sum = Σ factors[j] · column j` over the elements from `position` on, with `newest` in place of column
    /// `replaced`. `sum` holds whole vectors ([`LANES`](crate::kernels::LANES)).
    fn combine(
        &self,
        replaced: usize,
        newest: &[T],
        position: usize,
        factors: Factors<'_>,
        ahead: Ahead,
        sum: &mut [f64],
    );

    /// The memory of all columns of the tile that contains `position`, to be prefetched.
    fn tile(&self, position: usize) -> Run;

    /// Makes what was stored visible to other threads.
    fn fence(&self);

    /// Empties every column.
    fn clear(&mut self);

    /// Bytes held.
    fn bytes(&self) -> usize;

    /// Appends column `slot` to a saved state. The order of its numbers does not depend on tiles and chunks.
    fn save(&self, slot: usize, writer: &mut Writer<'_>) -> Result<()>;

    /// Loads column `slot`, and checks that [`Window::save`] could have written it.
    fn load(&mut self, slot: usize, reader: &mut Reader<'_>) -> Result<()>;

    /// Appends the state of a window that is no column to a saved state.
    fn save_rest(&self, _writer: &mut Writer<'_>) -> Result<()> {
        Ok(())
    }

    /// Loads what [`Window::save_rest`] wrote.
    fn load_rest(&mut self, _reader: &mut Reader<'_>) -> Result<()> {
        Ok(())
    }
}

/// Factors on columns in pass two.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a> {
    /// By slot.
    pub coefficients: &'a [f64],
    /// Whether a few products may be summed in the precision of the elements: f32 sums for f32.
    pub native_sums: bool,
}

/// The gradient in pass one.
pub(crate) struct Taken<'a, T> {
    /// The gradient as stored.
    pub stored: &'a [T],
    /// The squared norm of the gradient as given.
    pub norm2: f64,
    /// The squared norm of the gradient as stored.
    pub stored_norm2: f64,
}

/// The properties of a format, and how its windows are made.
pub(crate) trait Format<T: Element>: Window<T> + Sized + 'static {
    /// Elements, from the start of a block on, that are stored together: how one of them is stored depends on the
    /// others. A divisor of [`TILE`]. The last elements of a block may be fewer.
    const GRANULARITY: usize;

    /// Numbers that the format needs of [`TileScratch::numbers`].
    const NUMBERS: usize = 0;

    /// A window over `len` parameters, in `arena`.
    fn new(config: &Config, len: usize, arena: &mut Arena) -> Self;

    /// Bytes of its arena that a window over `len` parameters takes. Saturates, so the allocation fails.
    fn arena_bytes(config: &Config, len: usize) -> usize;

    /// Bytes of a saved state that a window over `len` parameters takes. Pieces of [`Format::GRANULARITY`] elements
    /// take the same bytes wherever they lie, and lie one after the other.
    fn saved(config: &Config, len: usize) -> Saved;
}

/// Bytes of a saved state. Saturate, so the allocation fails.
pub(crate) struct Saved {
    /// Bytes that [`Window::save`] writes for a column.
    pub column: usize,
    /// Bytes that [`Window::save_rest`] writes.
    pub rest: usize,
}

/// A thread's scratch for a tile of the gradient as stored.
pub(crate) struct TileScratch<T: Element> {
    pub elements: Buffer<T>,
    /// Scratch of the format.
    pub numbers: Buffer<u32>,
}

impl<T: Element> TileScratch<T> {
    /// With `numbers` numbers of scratch of the format.
    pub(super) fn new(numbers: usize) -> Result<Self> {
        let elements = Buffer::zeroed(TILE, "a thread's tile")?;
        Ok(Self { elements, numbers: Buffer::zeroed(numbers, "a thread's tile")? })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.elements.bytes() + self.numbers.bytes()
    }
}

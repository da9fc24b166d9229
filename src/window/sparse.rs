//! The largest entries only, with error feedback. Of each tile, counted from the start of a block, the `⌈density·len⌉`
//! entries (at least one) of `a = e + g` that are largest in magnitude are stored, rounded to bfloat16. The rest of `a`
//! is the feedback e of the next step.
//!
//! Pass one chooses a column's entries. The step may still be refused or cancelled, so the entries go into a spare
//! column, which is no part of the state. Pass two copies them to their slot, and updates the feedback.
//!
//! Entries lie by tile: the indices of all columns, then the values of all columns, so that a pass goes through memory
//! from end to end. An entry takes 4 bytes, so k columns of density δ and the feedback take `4(δ(k + 1) + 1)` bytes a
//! parameter. A step moves `4(δ(2k + 1) + 7)` bytes a parameter: old entries twice, new entries three times, g twice, e
//! read twice and written, w read and written.

use core::ops::Range;

use super::format::{Factors, Format, Saved, TILE, Taken, TileScratch, Window};
use crate::checkpoint::{Reader, Writer};
use crate::config::Config;
use crate::error::Result;
use crate::kernels::sparse::{SelectionKernels, SparseColumns, SparseKernels, SparseRun, run_of, selection_scratch};
use crate::kernels::{Ahead, Element, Run};
use crate::memory::{Arena, Buffer, as_bytes};

pub(super) struct Sparse<T: Element> {
    kernels: &'static SparseKernels<T>,
    selection: &'static SelectionKernels<T>,
    entries: Entries,
    /// e
    feedback: Buffer<T>,
    /// By tile, the bound that the next selection begins with. It changes no result, so it is not saved.
    bounds: Buffer<u32>,
}

impl<T: Element> Format<T> for Sparse<T> {
    const GRANULARITY: usize = TILE;
    const NUMBERS: usize = selection_scratch(TILE);

    fn new(config: &Config, len: usize, arena: &mut Arena) -> Self {
        let layout = Layout::new(config, len);
        let (kernels, selection) = T::sparse().unwrap_or_else(|| unreachable!("refused by `Config::validate`"));
        Self {
            kernels,
            selection,
            entries: Entries { data: arena.buffer(layout.numbers()), layout },
            feedback: arena.buffer(len),
            bounds: arena.buffer(len.div_ceil(TILE)),
        }
    }

    fn arena_bytes(config: &Config, len: usize) -> usize {
        let entries = Arena::bytes_for::<u16>(Layout::new(config, len).numbers());
        let bounds = Arena::bytes_for::<u32>(len.div_ceil(TILE));
        entries.saturating_add(Arena::bytes_for::<T>(len)).saturating_add(bounds)
    }

    fn saved(config: &Config, len: usize) -> Saved {
        let (full_tiles, rest) = (len / TILE, len % TILE);
        let last = if rest > 0 { kept(config.density, rest) } else { 0 };
        let entries = full_tiles * kept(config.density, TILE) + last;
        Saved { column: entries.saturating_mul(2 * size_of::<u16>()), rest: len.saturating_mul(size_of::<T>()) }
    }
}

impl<T: Element> Window<T> for Sparse<T> {
    fn take<'a>(
        &mut self,
        replaced: usize,
        position: usize,
        given: &'a [T],
        _ahead: Ahead,
        sums: &mut [f64],
        scratch: &'a mut TileScratch<T>,
    ) -> Taken<'a, T> {
        let spare = self.entries.layout.spare();
        let (indices, values) = self.entries.column_mut(spare, position / TILE);
        let (feedback, bound) = (&self.feedback[position..][..given.len()], &mut self.bounds[position / TILE]);
        let norm2 = (self.selection.select)(given, feedback, bound, &mut scratch.numbers, indices, values);
        let stored = &mut scratch.elements[..given.len()];
        (self.kernels.spread)(SparseRun { indices, values, first: 0 }, stored);
        let stored_norm2 = (self.kernels.dot)(stored, indices, values);
        let places = self.entries.column(spare, position / TILE).0;
        (self.kernels.meet)(stored, places, self.columns(replaced, position, Ahead::default()), sums);
        sums[replaced] += stored_norm2;
        Taken { stored, norm2, stored_norm2 }
    }

    fn dots(&self, omitted: usize, position: usize, x: &[T], sums: &mut [f64]) {
        (self.kernels.dots)(x, self.columns(omitted, position, Ahead::default()), sums);
    }

    fn store<'a>(&mut self, slot: usize, position: usize, given: &'a [T], scratch: &'a mut TileScratch<T>) -> &'a [T] {
        self.entries.copy(self.entries.layout.spare(), slot, position / TILE);
        let run = self.entries.run(slot, position, given.len());
        (self.kernels.feed_back)(given, run, &mut self.feedback[position..][..given.len()]);
        let stored = &mut scratch.elements[..given.len()];
        (self.kernels.spread)(run, stored);
        stored
    }

    fn combine(
        &self,
        replaced: usize,
        newest: &[T],
        position: usize,
        factors: Factors<'_>,
        ahead: Ahead,
        sum: &mut [f64],
    ) {
        let columns = self.columns(replaced, position, ahead);
        (self.kernels.combine)(columns, newest, position % TILE, factors.coefficients, sum);
    }

    fn tile(&self, position: usize) -> Run {
        let entries = self.entries.columns(0, position / TILE);
        let start = entries.indices.as_ptr().addr();
        (start, size_of_val(entries.indices) + size_of_val(entries.values))
    }

    fn fence(&self) {}

    fn clear(&mut self) {
        self.entries.data.clear();
        self.feedback.clear();
        self.bounds.clear();
    }

    fn bytes(&self) -> usize {
        self.entries.data.bytes() + self.feedback.bytes() + self.bounds.bytes()
    }

    fn save(&self, slot: usize, writer: &mut Writer<'_>) -> Result<()> {
        for tile in self.entries.layout.tiles() {
            let (indices, values) = self.entries.column(slot, tile);
            writer.put_all(indices)?;
            writer.put_all(values)?;
        }
        Ok(())
    }

    /// Accepts indices that ascend and lie inside their tile with finite values, or zeros only: a column that is not
    /// yet stored.
    fn load(&mut self, slot: usize, reader: &mut Reader<'_>) -> Result<()> {
        for tile in self.entries.layout.tiles() {
            let len = self.entries.layout.tile_len(tile);
            let (indices, values) = self.entries.column_mut(slot, tile);
            let (mut next, mut ascend, mut empty) = (0, true, true);
            reader.load_all(indices, |index: u16| {
                let index = usize::from(index);
                ascend &= (next..len).contains(&index);
                empty &= index == 0;
                next = index + 1;
                ascend || empty
            })?;
            let finite = |value: u16| value & 0x7f80 != 0x7f80;
            reader.load_all(values, |value: u16| if ascend { finite(value) } else { value == 0 })?;
        }
        Ok(())
    }

    fn save_rest(&self, writer: &mut Writer<'_>) -> Result<()> {
        writer.put_all(&self.feedback)
    }

    fn load_rest(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        reader.load_all(&mut self.feedback, |x: T| x.to_f64().is_finite())
    }
}

impl<T: Element> Sparse<T> {
    /// All columns of the tile at `position`. A kernel prefetches `ahead`, and what the next tile needs, meanwhile.
    fn columns(&self, omitted: usize, position: usize, ahead: Ahead) -> SparseColumns<'_> {
        let tile = position / TILE;
        let data = &self.entries.data;
        let next = self.entries.layout.start(tile + 1).min(data.len());
        let end = self.entries.layout.start(tile + 2).min(data.len());
        let next_tile = ((tile + 1) * TILE).min(self.feedback.len());
        let feedback = &self.feedback[next_tile..(next_tile + TILE).min(self.feedback.len())];
        let run = |bytes: &[u8]| (bytes.as_ptr().addr(), bytes.len());
        let ahead = [run(as_bytes(&data[next..end])), run(as_bytes(feedback)), ahead.runs[0], ahead.runs[1]];
        SparseColumns { ahead, ..self.entries.columns(omitted, tile) }
    }
}

/// The layout of the entries of columns and tiles.
#[derive(Clone, Copy)]
struct Layout {
    /// k, and the spare column.
    columns: usize,
    len: usize,
    density: f64,
}

impl Layout {
    fn new(config: &Config, len: usize) -> Self {
        Self { columns: config.history_size as usize + 1, len, density: config.density }
    }

    /// The column after those of the window.
    fn spare(&self) -> usize {
        self.columns - 1
    }

    fn tiles(&self) -> Range<usize> {
        0..self.len.div_ceil(TILE)
    }

    fn tile_len(&self, tile: usize) -> usize {
        (self.len - tile * TILE).min(TILE)
    }

    /// Entries of a column in a tile.
    fn kept(&self, tile: usize) -> usize {
        kept(self.density, self.tile_len(tile))
    }

    /// The place of the first number of a tile.
    fn start(&self, tile: usize) -> usize {
        (tile * 2 * kept(self.density, TILE)).saturating_mul(self.columns)
    }

    /// Numbers of all tiles. Saturates, so the allocation fails.
    fn numbers(&self) -> usize {
        let (full_tiles, rest) = (self.len / TILE, self.len % TILE);
        let last = if rest > 0 { 2 * self.columns * kept(self.density, rest) } else { 0 };
        self.start(full_tiles).saturating_add(last)
    }
}

/// Entries that are kept of `len` elements.
fn kept(density: f64, len: usize) -> usize {
    ((density * len as f64).ceil() as usize).clamp(1, len)
}

/// The entries of all columns over one chunk of parameters.
struct Entries {
    data: Buffer<u16>,
    layout: Layout,
}

impl Entries {
    /// The places of the indices and of the values of column `slot` in a tile.
    fn place(&self, slot: usize, tile: usize) -> [Range<usize>; 2] {
        let (start, kept, columns) = (self.layout.start(tile), self.layout.kept(tile), self.layout.columns);
        assert!(slot < columns, "no column {slot}");
        [slot, columns + slot].map(|column| start + column * kept..start + (column + 1) * kept)
    }

    /// Indices and values of a column in a tile.
    fn column(&self, slot: usize, tile: usize) -> (&[u16], &[u16]) {
        let [indices, values] = self.place(slot, tile);
        (&self.data[indices], &self.data[values])
    }

    /// The same, to be written.
    fn column_mut(&mut self, slot: usize, tile: usize) -> (&mut [u16], &mut [u16]) {
        let [indices, values] = self.place(slot, tile);
        let (before, from) = self.data.split_at_mut(values.start);
        (&mut before[indices], &mut from[..values.end - values.start])
    }

    /// A column's entries in the run of `len` elements from `position` on, which lies inside a tile.
    fn run(&self, slot: usize, position: usize, len: usize) -> SparseRun<'_> {
        let (indices, values) = self.column(slot, position / TILE);
        let first = position % TILE;
        let (start, end) = run_of(indices, first, len);
        SparseRun { indices: &indices[start..end], values: &values[start..end], first }
    }

    /// Copies a tile of a column to another.
    fn copy(&mut self, from: usize, to: usize, tile: usize) {
        for (from, to) in self.place(from, tile).into_iter().zip(self.place(to, tile)) {
            self.data.copy_within(from, to.start);
        }
    }

    /// All columns of a tile.
    fn columns(&self, omitted: usize, tile: usize) -> SparseColumns<'_> {
        let (start, kept) = (self.layout.start(tile), self.layout.kept(tile));
        let (indices, values) =
            self.data[start..][..2 * self.layout.columns * kept].split_at(self.layout.columns * kept);
        SparseColumns { indices, values, kept, omitted, ahead: [(0, 0); 4] }
    }
}

#[cfg(test)]
mod tests;

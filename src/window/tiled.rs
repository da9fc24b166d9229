//! How columns of one number an element lie: interleaved by tile, all k columns of the first tile, then all k of the
//! second. A pass goes through memory from end to end, in runs of a tile whatever k is, and no length makes columns
//! collide in the caches.

use core::ops::Range;

use super::TILE;
use crate::kernels::{Ahead, BLOCK, Columns, Run};
use crate::memory::{Arena, Buffer, Pod};

/// Elements to which a short last tile is rounded up: whole blocks, and no column begins in the middle of one.
const LINE: usize = 16;

/// Columns over one chunk of parameters.
pub(super) struct Tiled<S: Pod> {
    pub data: Buffer<S>,
    pub history_size: usize,
    pub len: usize,
}

impl<S: Pod> Tiled<S> {
    pub fn new(history_size: usize, len: usize, arena: &mut Arena) -> Self {
        Self { data: arena.buffer(elements(history_size, len)), history_size, len }
    }

    /// Bytes that it takes of its arena.
    pub fn room(history_size: usize, len: usize) -> usize {
        Arena::room::<S>(elements(history_size, len))
    }

    /// Where the `len` elements from `position` on of column `slot` lie.
    fn place(&self, slot: usize, position: usize, len: usize) -> Range<usize> {
        let (tile, within) = (position / TILE, position % TILE);
        assert!(within + len <= TILE && position + len <= self.len, "a call that crosses its tile");
        let (start, stride) = self.tile(tile);
        let first = start + slot * stride + within;
        first..first + len
    }

    /// Where a tile begins, and how far it is from column to column.
    fn tile(&self, tile: usize) -> (usize, usize) {
        let size = (self.len - tile * TILE).min(TILE);
        let stride = if size == TILE { TILE } else { size.next_multiple_of(LINE) };
        (tile * TILE * self.history_size, stride)
    }

    /// The `len` elements from `position` on of column `slot`.
    pub fn column(&self, slot: usize, position: usize, len: usize) -> &[S] {
        &self.data[self.place(slot, position, len)]
    }

    /// The same, to be written.
    pub fn column_mut(&mut self, slot: usize, position: usize, len: usize) -> &mut [S] {
        let place = self.place(slot, position, len);
        &mut self.data[place]
    }

    /// All columns over the elements from `position` on. `ahead` is fetched while they are gone through.
    pub fn columns(&self, omitted: usize, position: usize, ahead: Ahead) -> Columns<'_, S> {
        let (start, stride) = self.tile(position / TILE);
        Columns { ahead, ..Columns::new(&self.data[start + position % TILE..], stride, omitted) }
    }

    /// Where all columns of the tile lie that `position` is in.
    pub fn run(&self, position: usize) -> Run {
        let (start, stride) = self.tile(position / TILE);
        let columns = &self.data[start..start + stride * self.history_size];
        (columns.as_ptr().addr(), size_of_val(columns))
    }

    /// The runs that a column consists of, each inside a tile: position and length.
    pub fn runs(&self) -> impl Iterator<Item = (usize, usize)> + use<S> {
        let len = self.len;
        (0..len).step_by(TILE).map(move |position| (position, (len - position).min(TILE)))
    }
}

/// Elements of a window; so many that there are none where they overflow. A vector whose last block begins at the last
/// element may reach beyond it.
fn elements(history_size: usize, len: usize) -> usize {
    let padded = len / TILE * TILE + (len % TILE).next_multiple_of(LINE);
    padded.saturating_mul(history_size).saturating_add(BLOCK)
}

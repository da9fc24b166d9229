//! The layout of columns that have a number for each element: interleaved by tile, all k columns of the first tile,
//! then all k columns of the second. A pass goes through memory from end to end, in runs of a tile for every k, and no
//! length makes columns collide in the caches.

use core::ops::Range;

use super::format::TILE;
use crate::kernels::{Ahead, Columns, LANES, Run};
use crate::memory::{Arena, Buffer, Pod};

/// The columns of a short last tile begin at multiples of this many elements: a multiple of [`LANES`].
const COLUMN_ALIGNMENT: usize = 16;

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

    /// Bytes that the columns take of their arena. Saturates, so the allocation fails.
    pub fn arena_bytes(history_size: usize, len: usize) -> usize {
        Arena::bytes_for::<S>(elements(history_size, len))
    }

    /// The place of the `len` elements from `position` on of column `slot`.
    fn place(&self, slot: usize, position: usize, len: usize) -> Range<usize> {
        let (tile, within) = (position / TILE, position % TILE);
        assert!(within + len <= TILE && position + len <= self.len, "a call that crosses its tile");
        let (start, stride) = self.tile(tile);
        let first = start + slot * stride + within;
        first..first + len
    }

    /// The start of a tile, and the distance from a column to the next.
    fn tile(&self, tile: usize) -> (usize, usize) {
        let size = (self.len - tile * TILE).min(TILE);
        let stride = if size == TILE { TILE } else { size.next_multiple_of(COLUMN_ALIGNMENT) };
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

    /// All columns over the elements from `position` on. `ahead` is prefetched while a kernel works on them.
    pub fn columns(&self, omitted: usize, position: usize, ahead: Ahead) -> Columns<'_, S> {
        let (start, stride) = self.tile(position / TILE);
        Columns { ahead, ..Columns::new(&self.data[start + position % TILE..], stride, omitted) }
    }

    /// The memory of all columns of the tile that contains `position`.
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

/// Elements of a window. Saturates, so the allocation fails. Includes [`LANES`] elements at the end, since the last
/// vector of a column may begin at the last element.
fn elements(history_size: usize, len: usize) -> usize {
    let padded = len / TILE * TILE + (len % TILE).next_multiple_of(COLUMN_ALIGNMENT);
    padded.saturating_mul(history_size).saturating_add(LANES)
}

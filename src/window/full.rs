//! Gradients as given, in the element type of the optimizer.
//!
//! The columns are interleaved by tile: all k columns of the first tile, then all k of the second. A pass goes through
//! memory from end to end, in runs of a tile whatever k is, and no length makes columns collide in the caches.

use super::{TILE, Window};
use crate::kernels::{BLOCK, Columns, Element, Kernels};
use crate::memory::{Arena, Buffer};

/// Elements in a cache line of the narrowest element, to which a short last tile is rounded up.
const LINE: usize = 16;

/// Elements of a column that are copied at a time.
const PIECE: usize = 256;

pub(super) struct Full<T: Element> {
    kernels: &'static Kernels<T>,
    data: Buffer<T>,
    history_size: usize,
    len: usize,
    /// Whether what is stored is better kept out of the caches: where it will have left them before it is read, and is
    /// long enough for settling to be cheap.
    streams: bool,
}

impl<T: Element> Full<T> {
    pub fn new(history_size: usize, len: usize, arena: &mut Arena) -> Self {
        let streams = !arena.may_stay_cached() && len >= TILE;
        let data = arena.buffer(elements(history_size, len));
        Self { kernels: T::kernels(), data, history_size, len, streams }
    }

    /// Bytes that it takes of its arena.
    pub fn room(history_size: usize, len: usize) -> usize {
        Arena::room::<T>(elements(history_size, len))
    }

    /// Where the element at `position` of column `slot` lies, and how far it is to that of the next column.
    fn place(&self, slot: usize, position: usize, len: usize) -> (usize, usize) {
        let (tile, within) = (position / TILE, position % TILE);
        assert!(within + len <= TILE && position + len <= self.len, "a call that crosses its tile");
        let (start, stride) = self.tile(tile);
        (start + slot * stride + within, stride)
    }

    /// Where a tile begins, and how far it is from column to column.
    fn tile(&self, tile: usize) -> (usize, usize) {
        let size = (self.len - tile * TILE).min(TILE);
        let stride = if size == TILE { TILE } else { size.next_multiple_of(LINE) };
        (tile * TILE * self.history_size, stride)
    }

    /// All columns over the elements from `position` on.
    fn columns(&self, omitted: usize, position: usize) -> Columns<'_, T> {
        let (start, stride) = self.tile(position / TILE);
        Columns { data: &self.data[start + position % TILE..], stride, omitted }
    }
}

/// Elements of a window; so many that there are none where they overflow. A vector whose last block begins at the last
/// element may reach beyond it.
fn elements(history_size: usize, len: usize) -> usize {
    let padded = len / TILE * TILE + (len % TILE).next_multiple_of(LINE);
    padded.saturating_mul(history_size).saturating_add(BLOCK)
}

impl<T: Element> Window<T> for Full<T> {
    fn dots(&self, omitted: usize, position: usize, x: &[T], sums: &mut [f64]) {
        (self.kernels.dots)(x, self.columns(omitted, position), sums);
    }

    fn combine(
        &self,
        replaced: usize,
        newest: &[T],
        position: usize,
        coefficients: &[f64],
        narrow: bool,
        sum: &mut [f64],
    ) {
        let combine = if narrow { self.kernels.combine_narrow } else { self.kernels.combine };
        combine(self.columns(replaced, position), newest, coefficients, sum);
    }

    fn store(&mut self, slot: usize, position: usize, gradient: &[T]) {
        let (start, _) = self.place(slot, position, gradient.len());
        let column = &mut self.data[start..start + gradient.len()];
        if self.streams {
            (self.kernels.stream)(gradient, column);
        } else {
            // Pieces that every C library copies with vector instructions: so instruction counts do not depend on it.
            for (to, from) in column.chunks_mut(PIECE).zip(gradient.chunks(PIECE)) {
                to.copy_from_slice(from);
            }
        }
    }

    fn settle(&self) {
        if self.streams {
            (self.kernels.settle)();
        }
    }

    fn stored(&self, slot: usize, position: usize, len: usize) -> &[T] {
        let (start, _) = self.place(slot, position, len);
        &self.data[start..start + len]
    }

    fn clear(&mut self) {
        self.data.clear();
    }

    fn bytes(&self) -> usize {
        self.data.bytes()
    }
}

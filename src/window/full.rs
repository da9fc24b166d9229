//! Gradients as given, in the element type of the optimizer.
//!
//! The columns are interleaved by tile: all k columns of the first tile, then all k of the second. A pass reads one
//! stream from end to end whatever k is, and no length makes columns collide in the caches.

use core::ops::Range;

use super::{TILE, Window};
use crate::error::Result;
use crate::kernels::{Element, Kernels};
use crate::memory::Buffer;

/// Elements in a cache line of the narrowest element, to which a short last tile is rounded up.
const LINE: usize = 16;

pub(super) struct Full<T: Element> {
    kernels: &'static Kernels<T>,
    data: Buffer<T>,
    history_size: usize,
    len: usize,
}

impl<T: Element> Full<T> {
    pub fn new(history_size: usize, len: usize) -> Result<Self> {
        let padded = len / TILE * TILE + (len % TILE).next_multiple_of(LINE);
        // An overflow asks for more than there is.
        let elements = padded.saturating_mul(history_size);
        let data = Buffer::zeroed(elements, "the window of gradients")?;
        Ok(Self { kernels: T::kernels(), data, history_size, len })
    }

    /// Where the element at `position` of column `slot` lies, and how far it is to that of the next column.
    fn place(&self, slot: usize, position: usize, len: usize) -> (usize, usize) {
        let (tile, within) = (position / TILE, position % TILE);
        assert!(within + len <= TILE && position + len <= self.len, "a call that crosses its tile");
        let size = (self.len - tile * TILE).min(TILE);
        let stride = if size == TILE { TILE } else { size.next_multiple_of(LINE) };
        (tile * TILE * self.history_size + slot * stride + within, stride)
    }
}

impl<T: Element> Window<T> for Full<T> {
    fn dots(&self, slots: Range<usize>, position: usize, x: &[f64], sums: &mut [f64]) {
        if !slots.is_empty() {
            let (start, stride) = self.place(slots.start, position, x.len());
            (self.kernels.dots)(x, &self.data[start..], stride, &mut sums[..slots.len()]);
        }
    }

    fn combine(&self, slots: Range<usize>, position: usize, coefficients: &[f64], sum: &mut [f64]) {
        if !slots.is_empty() {
            let (start, stride) = self.place(slots.start, position, sum.len());
            (self.kernels.combine)(&self.data[start..], stride, &coefficients[..slots.len()], sum);
        }
    }

    fn store(&mut self, slot: usize, position: usize, gradient: &[T]) {
        let (start, _) = self.place(slot, position, gradient.len());
        self.data[start..start + gradient.len()].copy_from_slice(gradient);
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

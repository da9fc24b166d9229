//! Gradients as given, in the element type of the optimizer.

use super::format::{Factors, Format, Saved, TILE, Taken, TileScratch, Window};
use super::tiled::Tiled;
use crate::checkpoint::{Reader, Writer};
use crate::config::Config;
use crate::error::Result;
use crate::kernels::{Ahead, ColumnKernels, Element, Kernels, Run};
use crate::memory::Arena;

/// Elements of a column that are copied at a time.
const PIECE: usize = 256;

pub(super) struct Full<T: Element> {
    kernels: &'static Kernels<T>,
    column_kernels: &'static ColumnKernels<T, T>,
    columns: Tiled<T>,
    /// Whether gradients are stored by non-temporal stores: where they would leave the caches before they are read
    /// again, and are long enough to pay for a fence.
    non_temporal: bool,
}

impl<T: Element> Format<T> for Full<T> {
    const GRANULARITY: usize = 1;

    fn new(config: &Config, len: usize, arena: &mut Arena) -> Self {
        let non_temporal = !arena.may_stay_cached() && len >= TILE;
        let columns = Tiled::new(config.history_size as usize, len, arena);
        Self { kernels: T::kernels(), column_kernels: T::column_kernels(), columns, non_temporal }
    }

    fn arena_bytes(config: &Config, len: usize) -> usize {
        Tiled::<T>::arena_bytes(config.history_size as usize, len)
    }

    fn saved(_config: &Config, len: usize) -> Saved {
        Saved { column: len.saturating_mul(size_of::<T>()), rest: 0 }
    }
}

impl<T: Element> Window<T> for Full<T> {
    fn take<'a>(
        &mut self,
        replaced: usize,
        position: usize,
        given: &'a [T],
        _ahead: Ahead,
        sums: &mut [f64],
        _scratch: &'a mut TileScratch<T>,
    ) -> Taken<'a, T> {
        let norm2 = (self.kernels.dot)(given, given);
        self.dots(replaced, position, given, sums);
        sums[replaced] += norm2;
        Taken { stored: given, norm2, stored_norm2: norm2 }
    }

    fn dots(&self, omitted: usize, position: usize, x: &[T], sums: &mut [f64]) {
        (self.column_kernels.dots)(x, self.columns.columns(omitted, position, Ahead::default()), sums);
    }

    fn store<'a>(&mut self, slot: usize, position: usize, given: &'a [T], _scratch: &'a mut TileScratch<T>) -> &'a [T] {
        let column = self.columns.column_mut(slot, position, given.len());
        if self.non_temporal {
            (self.kernels.copy_non_temporal)(given, column);
        } else {
            // Every C library copies short pieces with vector instructions, so instruction counts do not depend on it.
            for (to, from) in column.chunks_mut(PIECE).zip(given.chunks(PIECE)) {
                to.copy_from_slice(from);
            }
        }
        given
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
        let kernels = self.column_kernels;
        let combine = if factors.native_sums { kernels.combine_native } else { kernels.combine };
        combine(self.columns.columns(replaced, position, ahead), newest, factors.coefficients, sum);
    }

    fn tile(&self, position: usize) -> Run {
        self.columns.run(position)
    }

    fn fence(&self) {
        if self.non_temporal {
            (self.kernels.fence)();
        }
    }

    fn clear(&mut self) {
        self.columns.data.clear();
    }

    fn bytes(&self) -> usize {
        self.columns.data.bytes()
    }

    fn save(&self, slot: usize, writer: &mut Writer<'_>) -> Result<()> {
        self.columns.runs().try_for_each(|(position, len)| writer.put_all(self.columns.column(slot, position, len)))
    }

    fn load(&mut self, slot: usize, reader: &mut Reader<'_>) -> Result<()> {
        for (position, len) in self.columns.runs() {
            reader.load_all(self.columns.column_mut(slot, position, len), |x: T| x.to_f64().is_finite())?;
        }
        Ok(())
    }
}

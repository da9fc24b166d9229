//! Quantized windows: every element of a gradient in fewer bits. A format is a number type ([`Code`]): how a number is
//! rounded and, if numbers are relative to a scale, how the scale is chosen.

use core::ops::Range;

use super::tiled::Tiled;
use super::{Factors, Format, Saved, TILE, Taken, TileScratch, Window};
use crate::checkpoint::{Reader, Writer};
use crate::config::Config;
use crate::error::Result;
use crate::kernels::{
    Ahead, BLOCK, CodeDots, Columns, Compressed, Element, Run, SCALED_UNIT, Scales, Stored, StoredKernels,
};
use crate::memory::{Arena, Buffer, Pod, recast, recast_mut};

/// A number that a window stores.
pub(super) trait Code: Stored {
    /// Its loops.
    fn kernels<T>(compressed: &'static Compressed<T>) -> &'static StoredKernels<T, Self>;

    /// What the numbers of a unit are stored relative to, where the largest of their magnitudes is `largest`; 0 where
    /// that is. Its product with any of the numbers is exact in 32 bits.
    fn scale(largest: f64) -> f64;

    /// The loop for the products of columns with a vector stored like them.
    fn dots<T>(compressed: &'static Compressed<T>) -> CodeDots<Self>;

    /// The number that it stands for, divided by its scale.
    fn value(self) -> f64;

    /// Whether a state may hold this number at this scale.
    fn is_valid(self, scale: f64) -> bool;
}

/// Only at this scale or above can a stored number times its scale overflow 32 bits.
const LARGE_SCALE: f64 = (1_u128 << 110) as f64;

/// The least power of two, from 2⁻¹²⁶ on, that is above `x`.
fn power_above(x: f64) -> f64 {
    const EXPONENT: u64 = 0x7ff << 52;
    f64::from_bits((2.0 * x).to_bits() & EXPONENT).max(f32::MIN_POSITIVE.into())
}

/// Elements that are converted at a time, and that have a scale in common if any have.
const UNIT: usize = SCALED_UNIT;

pub(super) struct Quantized<T: Element, S: Code> {
    compressed: &'static Compressed<T>,
    kernels: &'static StoredKernels<T, S>,
    columns: Tiled<S>,
    /// A scale for each quantization group: by tile, in it by slot. In formats without scales, a number for each slot: the
    /// power of two above the largest magnitude in the column.
    scales: Buffer<f64>,
    /// The scales of the gradient that pass one took, by unit.
    taken: Buffer<f64>,
    /// Whether what is stored is better kept out of the caches, as in [`super::full`].
    streams: bool,
}

/// A thread's scratch for the first `len` codes of a tile.
fn codes_of<S: Pod>(numbers: &mut [u32], len: usize) -> &mut [S] {
    &mut recast_mut(numbers)[..len]
}

impl<T: Element, S: Code> Quantized<T, S> {
    const SCALED: bool = S::UNIT.is_some();

    /// Numbers of scales of the window and of a column.
    fn scales(history_size: usize, len: usize) -> (usize, usize) {
        let of_column = if Self::SCALED { len.div_ceil(UNIT) } else { 0 };
        (of_column.max(1).saturating_mul(history_size), of_column)
    }

    /// The scale at which the elements at `position` of what was taken are to be stored.
    fn taken_scale(&self, position: usize) -> f64 {
        if Self::SCALED { self.taken[position / UNIT] } else { 1.0 }
    }

    /// Where the first scale of a tile lies, and how far it is from column to column.
    fn tile_scales(&self, tile: usize) -> (usize, usize) {
        let units = (self.columns.len - tile * TILE).min(TILE).div_ceil(UNIT);
        (tile * (TILE / UNIT) * self.columns.history_size, units)
    }

    /// Where the scale of the elements at `position` of column `slot` lies.
    fn scale_place(&self, slot: usize, position: usize) -> usize {
        let (start, stride) = self.tile_scales(position / TILE);
        start + slot * stride + position % TILE / UNIT
    }

    fn scale(&self, slot: usize, position: usize) -> f64 {
        if Self::SCALED { self.scales[self.scale_place(slot, position)] } else { 1.0 }
    }

    /// All columns over the elements from `position` on: from the start of a unit, or inside one.
    fn columns(&self, omitted: usize, position: usize, ahead: Ahead) -> Columns<'_, S> {
        let columns = self.columns.columns(omitted, position, ahead);
        if !Self::SCALED {
            return Columns { scales: Scales { data: &self.scales, stride: 1 }, ..columns };
        }
        let (_, stride) = self.tile_scales(position / TILE);
        Columns { scales: Scales { data: &self.scales[self.scale_place(0, position)..], stride }, ..columns }
    }
}

/// The runs that the `len` elements from `position` on are cut into by units: where they begin, and their place among
/// the elements.
fn units(position: usize, len: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mut next = 0;
    core::iter::from_fn(move || {
        let run = next..(next + UNIT - (position + next) % UNIT).min(len);
        next = run.end;
        (!run.is_empty()).then_some((position + run.start, run))
    })
}

impl<T: Element, S: Code> Format<T> for Quantized<T, S> {
    const UNIT: usize = if Self::SCALED { UNIT } else { 1 };

    const NUMBERS: usize = TILE * size_of::<S>() / size_of::<u32>();

    fn new(config: &Config, len: usize, arena: &mut Arena) -> Self {
        let Some(compressed) = T::compressed().next() else {
            unreachable!("refused by `Config::validate`");
        };
        let size = config.history_size as usize;
        let (scales, taken) = Self::scales(size, len);
        let streams = !arena.may_stay_cached() && len >= TILE;
        Self {
            streams,
            compressed,
            kernels: S::kernels(compressed),
            columns: Tiled::new(size, len, arena),
            scales: arena.buffer(scales),
            taken: arena.buffer(taken),
        }
    }

    fn room(config: &Config, len: usize) -> usize {
        let size = config.history_size as usize;
        let (scales, taken) = Self::scales(size, len);
        let rooms = [Tiled::<S>::room(size, len), Arena::room::<f64>(scales), Arena::room::<f64>(taken)];
        rooms.into_iter().fold(0, usize::saturating_add)
    }

    fn saved(_config: &Config, len: usize) -> Saved {
        let scales = if Self::SCALED { len.div_ceil(UNIT) } else { 0 };
        let bytes = len.saturating_mul(size_of::<S>()).saturating_add(scales.saturating_mul(size_of::<f64>()));
        Saved { column: bytes, rest: 0 }
    }
}

impl<T: Element, S: Code> Window<T> for Quantized<T, S> {
    fn take<'a>(
        &mut self,
        replaced: usize,
        position: usize,
        given: &'a [T],
        ahead: Ahead,
        sums: &mut [f64],
        scratch: &'a mut TileScratch<T>,
    ) -> Taken<'a, T> {
        let len = given.len();
        let stored = &mut scratch.elements[..len];
        let all = codes_of::<S>(&mut scratch.numbers, len.next_multiple_of(BLOCK));
        all[len..].fill(S::default());
        let codes = &mut all[..len];
        let (mut norm2, mut overflows) = (0.0, false);
        for (start, run) in units(position, len) {
            let given = &given[run.clone()];
            if Self::SCALED {
                self.taken[start / UNIT] = S::scale((self.compressed.largest)(given));
            }
            let scale = self.taken_scale(start);
            norm2 += (self.kernels.measure)(given, scale, &mut codes[run.clone()], &mut stored[run.clone()]);
            // The largest number of a group may be rounded up to a number that is too large.
            overflows |= scale >= LARGE_SCALE && !stored[run].iter().all(|x| x.to_f64().is_finite());
        }
        let norm = [power_above(norm2.sqrt())];
        let scales = if Self::SCALED { &self.taken[position / UNIT..][..len.div_ceil(UNIT)] } else { &norm };
        let dots = S::dots(self.compressed);
        dots(&all[..len], scales, self.columns(replaced, position, ahead), sums);
        // The squared norm comes from the same loop, so equal columns have equal products.
        let largest = [power_above(if Self::SCALED { 0.0 } else { (self.compressed.largest)(stored) })];
        let own_scales = if Self::SCALED { scales } else { &largest };
        let own_scales = Scales { data: own_scales, stride: own_scales.len() };
        let itself = Columns { scales: own_scales, ..Columns::new(all, all.len(), 1) };
        let mut own = [0.0; 2];
        dots(&all[..len], scales, itself, &mut own);
        sums[replaced] += own[0];
        Taken { stored, norm2, stored_norm2: if overflows { f64::INFINITY } else { own[0] } }
    }

    fn dots(&self, omitted: usize, position: usize, x: &[T], sums: &mut [f64]) {
        assert!(!Self::SCALED || position.is_multiple_of(UNIT), "part of a unit");
        (self.kernels.dots)(x, self.columns(omitted, position, Ahead::default()), sums);
    }

    fn store<'a>(&mut self, slot: usize, position: usize, given: &'a [T], scratch: &'a mut TileScratch<T>) -> &'a [T] {
        let len = given.len();
        let stored = &mut scratch.elements[..len];
        for (start, run) in units(position, len) {
            let scale = self.taken_scale(start);
            if Self::SCALED {
                let place = self.scale_place(slot, start);
                self.scales[place] = scale;
            }
            let column = self.columns.column_mut(slot, start, run.len());
            if self.streams && run.len() == UNIT {
                let codes = codes_of(&mut scratch.numbers, UNIT);
                (self.kernels.encode)(&given[run.clone()], scale, codes, &mut stored[run]);
                (T::kernels().stream)(recast(codes), recast_mut(column));
            } else {
                (self.kernels.encode)(&given[run.clone()], scale, column, &mut stored[run]);
            }
        }
        if !Self::SCALED {
            let power = power_above((self.compressed.largest)(stored));
            self.scales[slot] = self.scales[slot].max(power);
        }
        stored
    }

    fn begin(&mut self, slot: usize) {
        if !Self::SCALED {
            self.scales[slot] = 0.0;
        }
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
        let combine = if factors.narrow { self.kernels.combine_narrow } else { self.kernels.combine };
        let part = if Self::SCALED { position.next_multiple_of(UNIT) - position } else { 0 };
        let (first, rest) = newest.split_at(part.min(newest.len()));
        if !first.is_empty() {
            combine(self.columns(replaced, position, Ahead::default()), first, factors.coefficients, sum);
        }
        if !rest.is_empty() {
            let start = position + first.len();
            combine(self.columns(replaced, start, ahead), rest, factors.coefficients, &mut sum[first.len()..]);
        }
    }

    fn tile(&self, position: usize) -> Run {
        self.columns.run(position)
    }

    fn settle(&self) {
        if self.streams {
            (T::kernels().settle)();
        }
    }

    fn clear(&mut self) {
        self.columns.data.clear();
        self.scales.clear();
    }

    fn bytes(&self) -> usize {
        self.columns.data.bytes() + self.scales.bytes() + self.taken.bytes()
    }

    fn save(&self, slot: usize, writer: &mut Writer<'_>) -> Result<()> {
        for (start, run) in units(0, self.columns.len) {
            if Self::SCALED {
                writer.put(self.scale(slot, start))?;
            }
            writer.put_all(self.columns.column(slot, start, run.len()))?;
        }
        Ok(())
    }

    fn load(&mut self, slot: usize, reader: &mut Reader<'_>) -> Result<()> {
        let mut largest = 0.0;
        for (start, run) in units(0, self.columns.len) {
            let scale = if Self::SCALED {
                let place = self.scale_place(slot, start);
                reader.load(&mut self.scales[place], |scale| (0.0..f64::INFINITY).contains(&scale))?
            } else {
                1.0
            };
            let column = self.columns.column_mut(slot, start, run.len());
            reader.load_all(column, |code: S| code.is_valid(scale))?;
            largest = column.iter().map(|code| code.value().abs()).fold(largest, f64::max);
        }
        if !Self::SCALED {
            self.scales[slot] = power_above(largest);
        }
        Ok(())
    }
}

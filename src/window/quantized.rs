//! Quantized windows: every element of a gradient in fewer bits. A format is a number type ([`QuantizedNumber`]): how a
//! number is rounded, and how the scale of a group is chosen if there are scales.

use core::ops::Range;

use super::format::{Factors, Format, Saved, TILE, Taken, TileScratch, Window};
use super::tiled::Tiled;
use crate::checkpoint::{Reader, Writer};
use crate::config::Config;
use crate::error::Result;
use crate::kernels::{
    Ahead, Columns, Element, GROUP, Kernels, LANES, QuantizedFormats, QuantizedKernels, Run, Scales, Stored,
};
use crate::memory::{Arena, Buffer, Pod, recast, recast_mut};

/// A number that a quantized window stores.
pub(super) trait QuantizedNumber: Stored {
    /// The kernels for it.
    fn kernels<T: Element>(formats: &QuantizedFormats<T>) -> QuantizedKernels<T, Self>;

    /// The scale of a group whose largest magnitude is `largest`; 0 for 0. The product of the scale and any stored
    /// number is exact in `f32`.
    fn scale(largest: f64) -> f64;

    /// The value of the stored number, divided by its scale.
    fn value(self) -> f64;

    /// Whether a saved state may hold this number at this scale.
    fn is_valid(self, scale: f64) -> bool;
}

/// Only at this scale or above can a stored number times its scale overflow `f32`.
const LARGE_SCALE: f64 = (1_u128 << 110) as f64;

/// The least power of two above `x`, and at least 2⁻¹²⁶.
fn power_above(x: f64) -> f64 {
    const EXPONENT: u64 = 0x7ff << 52;
    f64::from_bits((2.0 * x).to_bits() & EXPONENT).max(f32::MIN_POSITIVE.into())
}

pub(super) struct Quantized<T: Element, S: QuantizedNumber> {
    elements: &'static Kernels<T>,
    kernels: QuantizedKernels<T, S>,
    columns: Tiled<S>,
    /// A scale for each quantization group: by tile, in a tile by slot. In formats without scales, a number for each
    /// slot: the power of two above the largest magnitude in the column.
    scales: Buffer<f64>,
    /// The scales of the gradient that pass one took, by group.
    taken: Buffer<f64>,
    /// As in [`super::full`].
    non_temporal: bool,
}

/// A thread's scratch for the first `len` codes of a tile.
fn codes_of<S: Pod>(numbers: &mut [u32], len: usize) -> &mut [S] {
    &mut recast_mut(numbers)[..len]
}

impl<T: Element, S: QuantizedNumber> Quantized<T, S> {
    /// Whether numbers have scales.
    const SCALED: bool = S::GROUP.is_some();

    /// Number of scales of the window, and of a column.
    fn scales(history_size: usize, len: usize) -> (usize, usize) {
        let of_column = if Self::SCALED { len.div_ceil(GROUP) } else { 0 };
        (of_column.max(1).saturating_mul(history_size), of_column)
    }

    /// The scale of the element at `position` of the gradient that was taken.
    fn taken_scale(&self, position: usize) -> f64 {
        if Self::SCALED { self.taken[position / GROUP] } else { 1.0 }
    }

    /// The place of the first scale of a tile, and the distance from a column to the next.
    fn tile_scales(&self, tile: usize) -> (usize, usize) {
        let groups = (self.columns.len - tile * TILE).min(TILE).div_ceil(GROUP);
        (tile * (TILE / GROUP) * self.columns.history_size, groups)
    }

    /// The place of the scale of the element at `position` of column `slot`.
    fn scale_place(&self, slot: usize, position: usize) -> usize {
        let (start, stride) = self.tile_scales(position / TILE);
        start + slot * stride + position % TILE / GROUP
    }

    fn scale(&self, slot: usize, position: usize) -> f64 {
        if Self::SCALED { self.scales[self.scale_place(slot, position)] } else { 1.0 }
    }

    /// All columns over the elements from `position` on, up to the end of the group if `position` lies inside a group.
    fn columns(&self, omitted: usize, position: usize, ahead: Ahead) -> Columns<'_, S> {
        let columns = self.columns.columns(omitted, position, ahead);
        if !Self::SCALED {
            return Columns { scales: Scales { data: &self.scales, stride: 1 }, ..columns };
        }
        let (_, stride) = self.tile_scales(position / TILE);
        Columns { scales: Scales { data: &self.scales[self.scale_place(0, position)..], stride }, ..columns }
    }
}

/// The runs that group boundaries cut the `len` elements from `position` on into: the position of each run, and its
/// place among the elements.
fn groups(position: usize, len: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mut next = 0;
    core::iter::from_fn(move || {
        let run = next..(next + GROUP - (position + next) % GROUP).min(len);
        next = run.end;
        (!run.is_empty()).then_some((position + run.start, run))
    })
}

impl<T: Element, S: QuantizedNumber> Format<T> for Quantized<T, S> {
    const GRANULARITY: usize = if Self::SCALED { GROUP } else { 1 };

    const NUMBERS: usize = TILE * size_of::<S>() / size_of::<u32>();

    fn new(config: &Config, len: usize, arena: &mut Arena) -> Self {
        let Some(formats) = T::quantized() else {
            unreachable!("refused by `Config::validate`");
        };
        let size = config.history_size as usize;
        let (scales, taken) = Self::scales(size, len);
        let non_temporal = !arena.may_stay_cached() && len >= TILE;
        Self {
            elements: T::kernels(),
            kernels: S::kernels(&formats),
            columns: Tiled::new(size, len, arena),
            scales: arena.buffer(scales),
            taken: arena.buffer(taken),
            non_temporal,
        }
    }

    fn arena_bytes(config: &Config, len: usize) -> usize {
        let size = config.history_size as usize;
        let (scales, taken) = Self::scales(size, len);
        let parts =
            [Tiled::<S>::arena_bytes(size, len), Arena::bytes_for::<f64>(scales), Arena::bytes_for::<f64>(taken)];
        parts.into_iter().fold(0, usize::saturating_add)
    }

    fn saved(_config: &Config, len: usize) -> Saved {
        let scales = if Self::SCALED { len.div_ceil(GROUP) } else { 0 };
        let bytes = len.saturating_mul(size_of::<S>()).saturating_add(scales.saturating_mul(size_of::<f64>()));
        Saved { column: bytes, rest: 0 }
    }
}

impl<T: Element, S: QuantizedNumber> Window<T> for Quantized<T, S> {
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
        let all = codes_of::<S>(&mut scratch.numbers, len.next_multiple_of(LANES));
        all[len..].fill(S::default());
        let codes = &mut all[..len];
        let (mut norm2, mut overflows) = (0.0, false);
        for (start, run) in groups(position, len) {
            let given = &given[run.clone()];
            if Self::SCALED {
                self.taken[start / GROUP] = S::scale((self.elements.largest)(given));
            }
            let scale = self.taken_scale(start);
            norm2 += (self.kernels.encode.measure)(given, scale, &mut codes[run.clone()], &mut stored[run.clone()]);
            // The largest number of a group may be rounded up beyond the largest `f32`.
            overflows |= scale >= LARGE_SCALE && !stored[run].iter().all(|x| x.to_f64().is_finite());
        }
        let norm = [power_above(norm2.sqrt())];
        let scales = if Self::SCALED { &self.taken[position / GROUP..][..len.div_ceil(GROUP)] } else { &norm };
        let dots = self.kernels.products.quantized_dots;
        dots(&all[..len], scales, self.columns(replaced, position, ahead), sums);
        // The squared norm comes from the same kernel, so equal columns have equal products.
        let largest = [power_above(if Self::SCALED { 0.0 } else { (self.elements.largest)(stored) })];
        let own_scales = if Self::SCALED { scales } else { &largest };
        let own_scales = Scales { data: own_scales, stride: own_scales.len() };
        let itself = Columns { scales: own_scales, ..Columns::new(all, all.len(), 1) };
        let mut own = [0.0; 2];
        dots(&all[..len], scales, itself, &mut own);
        sums[replaced] += own[0];
        Taken { stored, norm2, stored_norm2: if overflows { f64::INFINITY } else { own[0] } }
    }

    fn dots(&self, omitted: usize, position: usize, x: &[T], sums: &mut [f64]) {
        assert!(!Self::SCALED || position.is_multiple_of(GROUP), "part of a group");
        (self.kernels.columns.dots)(x, self.columns(omitted, position, Ahead::default()), sums);
    }

    fn store<'a>(&mut self, slot: usize, position: usize, given: &'a [T], scratch: &'a mut TileScratch<T>) -> &'a [T] {
        let len = given.len();
        let stored = &mut scratch.elements[..len];
        for (start, run) in groups(position, len) {
            let scale = self.taken_scale(start);
            if Self::SCALED {
                let place = self.scale_place(slot, start);
                self.scales[place] = scale;
            }
            let column = self.columns.column_mut(slot, start, run.len());
            if self.non_temporal && run.len() == GROUP {
                let codes = codes_of(&mut scratch.numbers, GROUP);
                (self.kernels.encode.encode)(&given[run.clone()], scale, codes, &mut stored[run]);
                (self.elements.copy_non_temporal)(recast(codes), recast_mut(column));
            } else {
                (self.kernels.encode.encode)(&given[run.clone()], scale, column, &mut stored[run]);
            }
        }
        if !Self::SCALED {
            let power = power_above((self.elements.largest)(stored));
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
        let kernels = self.kernels.columns;
        let combine = if factors.native_sums { kernels.combine_native } else { kernels.combine };
        let part = if Self::SCALED { position.next_multiple_of(GROUP) - position } else { 0 };
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

    fn fence(&self) {
        if self.non_temporal {
            (self.elements.fence)();
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
        for (start, run) in groups(0, self.columns.len) {
            if Self::SCALED {
                writer.put(self.scale(slot, start))?;
            }
            writer.put_all(self.columns.column(slot, start, run.len()))?;
        }
        Ok(())
    }

    fn load(&mut self, slot: usize, reader: &mut Reader<'_>) -> Result<()> {
        let mut largest = 0.0;
        for (start, run) in groups(0, self.columns.len) {
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

//! The two passes over all arrays of the model's length, for one chunk. A chunk is a range of a block's parameters with
//! all state of these parameters. Threads take whole chunks. The sums of the chunks are added up in the order of the
//! chunks, so the result does not depend on the number of threads.

use core::ops::Range;

use super::gradient::Gradient;
use super::output::{Averaging, Output};
use super::partials::{Layout, Scalar};
use super::ring::Ring;
use crate::config::{Config, Momentum};
use crate::error::Result;
use crate::fault;
use crate::kernels::{Ahead, Diagonal, Element, Kernels, LANES, Run, Scaled, Smoothing};
use crate::memory::{Arena, Buffer};
use crate::window::{Factors, FormatTable, TILE, TileScratch, Window};

/// Largest number of chunks of a block. A block of up to 256 tiles has one tile in each chunk.
const MOST_CHUNKS: usize = 256;

/// Returns the number of parameters in each chunk of a block but the last. It depends only on the length of the block.
pub(super) fn chunk_len(block_len: usize) -> usize {
    block_len.div_ceil(TILE).div_ceil(MOST_CHUNKS).max(1) * TILE
}

pub(crate) struct Chunk<T: Element> {
    /// Index of the chunk's block.
    pub block: usize,
    /// The chunk's parameters, as indices among the optimizer's.
    pub range: Range<usize>,
    pub window: Box<dyn Window<T>>,
    /// m or b of the momentum. Empty if the configuration keeps neither.
    pub momentum: Buffer<T>,
    /// ē, the average of updates. Empty without a clip by EMA vectors.
    pub average: Buffer<T>,
    /// √q of diagonal preconditioning. Empty without it.
    pub root: Buffer<T>,
    /// p̄, the average of the parameters. Empty without `average_beta`.
    pub params: Buffer<T>,
    /// The chunk's part of the block's partials.
    pub sums: Buffer<f64>,
    /// Index of the first non-finite element of the gradient in this step, among the optimizer's parameters;
    /// `usize::MAX` if there is none.
    pub first_bad: usize,
}

/// A thread's scratch: one tile of each array.
pub(super) struct Scratch<T: Element> {
    pub gradient: Buffer<f64>,
    momentum: Buffer<f64>,
    pub average: Buffer<f64>,
    pub update: Buffer<f64>,
    /// The gradient, if it has to be copied together or converted.
    pub staging: Buffer<T>,
    /// S of diagonal preconditioning. This buffer and the next two are empty without it.
    pub scale: Buffer<T>,
    /// The gradient times S.
    pub scaled: Buffer<T>,
    /// m times S.
    scaled_momentum: Buffer<T>,
    /// The gradient times `grad_scale`, for formats with error feedback; otherwise empty.
    factored: Buffer<T>,
    tile: TileScratch<T>,
}

impl<T: Element> Scratch<T> {
    pub fn new(config: &Config, format: &FormatTable<T>) -> Result<Self> {
        let tile = |needed: bool| Buffer::zeroed(if needed { TILE } else { 0 }, "a thread's tile");
        let diagonal = config.is_diagonal();
        // One vector longer than a tile, so that a run which begins anywhere in a tile can be processed as whole
        // vectors.
        let buffer = || Buffer::zeroed(TILE + LANES, "a thread's tile");
        Ok(Self {
            gradient: buffer()?,
            momentum: buffer()?,
            average: buffer()?,
            update: buffer()?,
            staging: tile(true)?,
            scale: tile(diagonal)?,
            scaled: tile(diagonal)?,
            scaled_momentum: tile(diagonal && config.momentum_kind.averages_gradients())?,
            factored: tile(config.has_feedback())?,
            tile: format.tile_scratch()?,
        })
    }

    pub fn bytes(&self) -> usize {
        let in_f64 = [&self.gradient, &self.momentum, &self.average, &self.update];
        let in_elements = [&self.staging, &self.scale, &self.scaled, &self.scaled_momentum, &self.factored];
        in_f64.iter().map(|buffer| buffer.bytes()).sum::<usize>()
            + in_elements.iter().map(|buffer| buffer.bytes()).sum::<usize>()
            + self.tile.bytes()
    }
}

/// The inputs of pass one.
pub(super) struct Feed<'a, T: Element> {
    pub kernels: &'static Kernels<T>,
    pub layout: Layout,
    pub ring: Ring,
    pub momentum_kind: Momentum,
    pub diagonal: Option<Diagonal>,
    /// Factor on a gradient before it is stored; 1 if the factor is a weight of the column instead.
    pub factor: f64,
    pub gradients: Gradient<'a, T>,
    pub range: Range<usize>,
}

/// The inputs of pass two that all blocks share.
pub(super) struct Apply<'a, T: Element> {
    pub kernels: &'static Kernels<T>,
    pub ring: Ring,
    pub momentum_kind: Momentum,
    pub momentum: f64,
    pub diagonal: Option<Diagonal>,
    pub clip_beta: f64,
    /// The bias correction of update momentum: the divisor.
    pub correction: f64,
    /// Factor on a gradient before it is stored; 1 if the factor is a weight of the column instead.
    pub factor: f64,
    /// Weight of the newest column.
    pub weight: f64,
    pub gradients: Gradient<'a, T>,
    pub output: Output<'a, T>,
    pub range: Range<usize>,
}

/// The inputs of pass two for a block: `u = M·coefficients + vector·m`, then times `scale`.
pub(super) struct Combination<'a> {
    pub coefficients: &'a [f64],
    pub vector: f64,
    pub scale: f64,
    /// Whether the products of a few columns may be summed in the element type before they are added up in f64.
    pub element_sums: bool,
}

/// A buffer to load from a saved state, and the check of each number.
type Loaded<'a, T> = (&'a mut Buffer<T>, fn(T) -> bool);

/// Number of the averages of a chunk: momentum, average of updates, root of the average of squares, average of the
/// parameters.
pub(super) const AVERAGES: usize = 4;

/// Returns the lengths of the averages for `len` parameters: `len`, or 0 if the configuration does not keep the
/// average.
pub(super) fn averages(config: &Config, len: usize) -> [usize; AVERAGES] {
    let kept = [config.keeps_momentum(), config.clips_by_vector(), config.is_diagonal(), config.averages_params()];
    kept.map(|kept| if kept { len } else { 0 })
}

/// The address and bytes of the next tile of an array, for prefetching.
fn after<T>(array: &[T], tile: &Range<usize>) -> Run {
    let after = &array[tile.end..array.len().min(tile.end + tile.len())];
    (after.as_ptr().addr(), size_of_val(after))
}

/// Returns `factor·x`, computed in `product`; x itself if the factor is 1.
fn times<'a, T: Element>(
    kernels: &Kernels<T>,
    factor: f64,
    x: &'a [T],
    widened: &mut [f64],
    product: &'a mut [T],
) -> &'a [T] {
    if factor == 1.0 {
        return x;
    }
    (kernels.widen)(x, widened);
    (kernels.round)(widened, factor, product);
    product
}

impl<T: Element> Chunk<T> {
    /// Creates a chunk. `arena` has at least [`Chunk::arena_bytes`] bytes left.
    pub fn new(
        config: &Config,
        format: &FormatTable<T>,
        layout: Layout,
        block: usize,
        range: Range<usize>,
        arena: &mut Arena,
    ) -> Result<Self> {
        let [momentum, average, root, params] = averages(config, range.len());
        Ok(Self {
            block,
            window: format.window(config, range.len(), arena)?,
            momentum: arena.buffer(momentum),
            average: arena.buffer(average),
            root: arena.buffer(root),
            params: arena.buffer(params),
            sums: arena.buffer(layout.len()),
            first_bad: usize::MAX,
            range,
        })
    }

    /// Returns the bytes of the arena that a chunk of `len` parameters takes; saturates.
    pub fn arena_bytes(config: &Config, format: &FormatTable<T>, layout: Layout, len: usize) -> usize {
        let averages = averages(config, len).map(Arena::bytes_for::<T>);
        let others = averages.into_iter().chain([Arena::bytes_for::<f64>(layout.len())]);
        others.fold(format.arena_bytes(config, len), usize::saturating_add)
    }

    pub fn bytes(&self) -> usize {
        let averages: usize = self.averages().iter().map(|buffer| buffer.bytes()).sum();
        self.window.bytes() + averages + self.sums.bytes()
    }

    /// Returns the averages, in the order of a saved state. Those that the configuration does not keep are empty.
    pub fn averages(&self) -> [&Buffer<T>; AVERAGES] {
        [&self.momentum, &self.average, &self.root, &self.params]
    }

    /// Returns [`Chunk::averages`] for loading, each with the check of its numbers.
    pub fn averages_mut(&mut self) -> [Loaded<'_, T>; AVERAGES] {
        let is_finite = |x: T| x.to_f64().is_finite();
        let is_root = |x: T| x.to_f64().is_finite() && x.to_f64() >= 0.0;
        let Self { momentum, average, root, params, .. } = self;
        // Steps do not check parameters, so their average may have a NaN or an infinity.
        [(momentum, is_finite), (average, is_finite), (root, is_root), (params, |_| true)]
    }

    pub fn clear(&mut self) {
        self.window.clear();
        fault::point();
        self.momentum.clear();
        self.average.clear();
        self.root.clear();
        self.params.clear();
    }

    /// Clears the sums of the last step.
    pub fn open(&mut self) {
        self.sums.fill(0.0);
        self.first_bad = usize::MAX;
    }

    /// Iterates over the tiles of the chunk's part of `range`, as positions in the chunk.
    pub fn tiles(&self, range: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<T> {
        let start = range.start.max(self.range.start) - self.range.start;
        let end = range.end.min(self.range.end) - self.range.start;
        let mut next = start;
        core::iter::from_fn(move || {
            let tile = next..((next / TILE + 1) * TILE).min(end);
            next = tile.end;
            (!tile.is_empty()).then_some(tile)
        })
    }

    /// Counts the numbers that are not finite, and keeps the place of the first. `place` is the index of `numbers[0]`.
    pub fn count_bad(&mut self, place: usize, numbers: &[T]) -> usize {
        let is_bad = |x: &T| !x.to_f64().is_finite();
        if let Some(first) = numbers.iter().position(is_bad) {
            self.first_bad = self.first_bad.min(place + first);
        }
        numbers.iter().filter(|x| is_bad(x)).count()
    }

    /// Runs pass one: adds the inner products of the gradient to the sums. Nothing else changes.
    pub fn feed(&mut self, feed: &Feed<'_, T>, scratch: &mut Scratch<T>) {
        let Feed { kernels, layout, ring, .. } = feed;
        let end = self.range.end.min(feed.range.end);
        for tile in self.tiles(&feed.range) {
            let (position, len) = (tile.start, tile.len());
            let place = self.range.start + position;
            let given = feed.gradients.read(place, len, &mut scratch.staging);
            let ahead = Ahead { runs: [feed.gradients.ahead(place + len, end), (0, 0)] };
            let scale = &mut scratch.scale[..if feed.diagonal.is_some() { len } else { 0 }];
            let (sums_of_given, taken_in) = if let Some(diagonal) = &feed.diagonal {
                let scaled = &mut scratch.scaled[..len];
                let ahead = Ahead { runs: [self.window.tile(position), after(&self.root, &tile)] };
                let target = Scaled { scale, scaled };
                let sums = (kernels.diagonal_scales)(&self.root[tile.clone()], given, diagonal, ahead, target);
                self.sums[layout.scalar(Scalar::Roots)] += sums.roots;
                (Some(sums), &*scaled)
            } else {
                (None, given)
            };
            let factored = &mut scratch.factored[..if feed.factor == 1.0 { 0 } else { len }];
            let taken_in = times(kernels, feed.factor, taken_in, &mut scratch.gradient, factored);
            let products = &mut self.sums[layout.gradient()][..ring.held];
            let taken = self.window.take(ring.newest, position, taken_in, ahead, products, &mut scratch.tile);
            fault::point();
            let newest = taken.stored;
            let norm2 = match sums_of_given {
                Some(sums) => sums.norm2,
                None if feed.factor != 1.0 => (kernels.dot)(given, given),
                None => taken.norm2,
            };
            self.sums[layout.scalar(Scalar::GradNorm2)] += norm2;
            if !(norm2.is_finite() && taken.norm2.is_finite() && taken.stored_norm2.is_finite()) {
                // If no number is bad, a sum overflowed. `check_partials` finds that.
                let mut bad = self.count_bad(place, if norm2.is_finite() { newest } else { given });
                if bad == 0 && norm2.is_finite() && sums_of_given.is_some() {
                    // S times the gradient overflowed; the format may have stored it as a finite number.
                    bad = 1;
                }
                self.sums[layout.scalar(Scalar::NonFinite)] += bad as f64;
            }
            if feed.momentum_kind.averages_gradients() {
                let mut m = &self.momentum[tile.clone()];
                if feed.diagonal.is_some() {
                    let scaled = &mut scratch.scaled_momentum[..len];
                    (kernels.multiply)(scale, m, scaled);
                    m = scaled;
                }
                self.sums[layout.scalar(Scalar::MomentumNorm2)] += (kernels.dot)(m, m);
                let products = &mut self.sums[layout.momentum()];
                self.window.dots(ring.newest, position, m, &mut products[..ring.held]);
                products[ring.newest] += (kernels.dot)(newest, m);
            }
            if !self.average.is_empty() {
                let e = &self.average[tile.clone()];
                let with_gradient = (kernels.dot)(newest, e);
                let products = &mut self.sums[layout.average()];
                self.window.dots(ring.newest, position, e, &mut products[..ring.held]);
                products[ring.newest] += with_gradient;
                self.sums[layout.scalar(Scalar::GradAverage)] += with_gradient;
                self.sums[layout.scalar(Scalar::AverageNorm2)] += (kernels.dot)(e, e);
                if feed.momentum_kind.averages_gradients() {
                    self.sums[layout.scalar(Scalar::MomentumAverage)] += (kernels.dot)(&self.momentum[tile], e);
                }
            }
        }
    }

    /// Runs pass two: stores the gradient, computes the update, updates the averages and moves the parameters.
    pub fn apply(&mut self, apply: &Apply<'_, T>, combination: &Combination<'_>, scratch: &mut Scratch<T>) {
        let Apply { kernels, ring, .. } = apply;
        let Combination { coefficients, vector, scale, element_sums } = *combination;
        let end = self.range.end.min(apply.range.end);
        for tile in self.tiles(&apply.range) {
            let (position, len) = (tile.start, tile.len());
            let place = self.range.start + position;
            let given = apply.gradients.read(place, len, &mut scratch.staging);
            let u = &mut scratch.update;
            let scale_of = &mut scratch.scale[..if apply.diagonal.is_some() { len } else { 0 }];
            let taken_in = if let Some(diagonal) = &apply.diagonal {
                let scaled = &mut scratch.scaled[..len];
                let ahead = Ahead { runs: [self.window.tile(position), after(&self.root, &tile)] };
                (kernels.advance_root)(
                    &mut self.root[tile.clone()],
                    given,
                    diagonal,
                    ahead,
                    Scaled { scale: scale_of, scaled },
                );
                scaled
            } else {
                given
            };
            let factored = &mut scratch.factored[..if apply.factor == 1.0 { 0 } else { len }];
            let taken_in = times(kernels, apply.factor, taken_in, &mut scratch.gradient, factored);
            fault::point();
            let newest = self.window.store(ring.newest, position, taken_in, &mut scratch.tile);
            fault::point();
            let ahead =
                Ahead { runs: [apply.gradients.ahead(place + len, end), apply.output.ahead(place, place + len)] };
            let factors = Factors { coefficients: &coefficients[..ring.held], native_sums: element_sums };
            self.window.combine(ring.newest, newest, position, factors, ahead, u);
            if apply.momentum_kind.averages_gradients() {
                let (g, m) = (&mut scratch.gradient, &mut scratch.momentum);
                (kernels.widen)(newest, g);
                let weigh = |g: &mut [f64]| {
                    if apply.weight != 1.0 {
                        (kernels.multiply_by)(apply.weight, &mut g[..len]);
                    }
                };
                weigh(g);
                if apply.diagonal.is_some() {
                    // v is made of the old m, scaled by the S of this step; m itself is not scaled.
                    let scaled = &mut scratch.scaled_momentum[..len];
                    (kernels.multiply)(scale_of, &self.momentum[tile.clone()], scaled);
                    (kernels.average)(scaled, apply.momentum, g, m);
                    (kernels.divide)(newest, scale_of, g);
                    weigh(g);
                    (kernels.average)(&mut self.momentum[tile.clone()], apply.momentum, g, &mut scratch.average);
                } else {
                    (kernels.average)(&mut self.momentum[tile.clone()], apply.momentum, g, m);
                }
                if vector != 0.0 {
                    (kernels.axpy)(vector, m, u);
                }
            }
            if !self.average.is_empty() {
                (kernels.average)(&mut self.average[tile.clone()], apply.clip_beta, u, &mut scratch.average);
            }
            // The factors are applied before the learning rate: their product can overflow when the step does not.
            let direction = if apply.momentum_kind.averages_updates() {
                let smoothing = Smoothing { beta: apply.momentum, before: scale, after: 1.0 / apply.correction };
                let (buffer, b) = (&mut self.momentum[tile], &mut scratch.momentum);
                if apply.diagonal.is_some() {
                    (kernels.smooth_rescaled)(buffer, &smoothing, scale_of, u, b);
                } else {
                    (kernels.smooth)(buffer, &smoothing, u, b);
                }
                b
            } else {
                if apply.diagonal.is_some() {
                    (kernels.rescale)(scale_of, scale, u);
                } else if scale != 1.0 {
                    (kernels.multiply_by)(scale, &mut u[..len]);
                }
                u
            };
            fault::point();
            let averaged = if self.params.is_empty() { 0..0 } else { position..position + len };
            let averaging = Averaging {
                average: &mut self.params[averaged],
                widened: &mut scratch.gradient,
                new: &mut scratch.average,
            };
            // SAFETY: chunks and pieces are disjoint, so that no other thread or call is at these positions.
            unsafe { apply.output.write(kernels, place, len, direction, averaging) };
        }
        self.window.fence();
    }
}

//! The two passes over everything of the model's length, for one chunk: a run of a block's parameters with all the
//! state that has their length. Chunks are the units of work of the threads, and their sums are added up in their
//! order, so that the number of threads does not show in the result.

use core::ops::Range;

use super::partials::{Layout, Tail};
use super::ring::Ring;
use crate::config::{Config, Momentum};
use crate::error::Result;
use crate::fault;
use crate::kernels::{Ahead, BLOCK, Diagonal, Element, Kernels, Run, Scaled, Smoothing};
use crate::memory::{Arena, Buffer};
use crate::tensors::{Tensors, TensorsMut};
use crate::window::{Factors, Room, Shape, TILE, Window};

/// Chunks that a block is cut into when it is large. A smaller one has a tile a chunk.
const MOST_CHUNKS: usize = 256;

/// Parameters in each chunk of a block but the last: a function of the block's length alone.
pub(super) fn chunk_len(block_len: usize) -> usize {
    block_len.div_ceil(TILE).div_ceil(MOST_CHUNKS).max(1) * TILE
}

pub(crate) struct Chunk<T: Element> {
    /// Index of its block.
    pub block: usize,
    /// Its place among the optimizer's parameters.
    pub range: Range<usize>,
    pub window: Box<dyn Window<T>>,
    /// m or b, or nothing.
    pub momentum: Buffer<T>,
    /// ē, or nothing.
    pub average: Buffer<T>,
    /// The root of q, or nothing.
    pub root: Buffer<T>,
    /// Its part of the block's partials.
    pub sums: Buffer<f64>,
}

/// A thread's room for a tile of what it works on.
pub(super) struct Scratch<T: Element> {
    gradient: Buffer<f64>,
    momentum: Buffer<f64>,
    average: Buffer<f64>,
    update: Buffer<f64>,
    staging: Buffer<T>,
    /// The scales of diagonal coordinates, the gradient in them, m in them; nothing without.
    scale: Buffer<T>,
    scaled: Buffer<T>,
    scaled_momentum: Buffer<T>,
    room: Room<T>,
}

impl<T: Element> Scratch<T> {
    pub fn new(config: &Config, shape: &Shape<T>) -> Result<Self> {
        let tile = |needed: bool| Buffer::zeroed(if needed { TILE } else { 0 }, "a thread's tile");
        let diagonal = config.is_diagonal();
        // One block more, so that a run which begins anywhere in a tile can be seen as whole blocks.
        let buffer = || Buffer::zeroed(TILE + BLOCK, "a thread's tile");
        Ok(Self {
            gradient: buffer()?,
            momentum: buffer()?,
            average: buffer()?,
            update: buffer()?,
            staging: tile(true)?,
            scale: tile(diagonal)?,
            scaled: tile(diagonal)?,
            scaled_momentum: tile(diagonal && config.momentum_kind == Momentum::Gradient)?,
            room: Room::new(shape)?,
        })
    }

    pub fn bytes(&self) -> usize {
        let wide = [&self.gradient, &self.momentum, &self.average, &self.update];
        let narrow = [&self.staging, &self.scale, &self.scaled, &self.scaled_momentum];
        wide.iter().map(|buffer| buffer.bytes()).sum::<usize>()
            + narrow.iter().map(|buffer| buffer.bytes()).sum::<usize>()
            + self.room.bytes()
    }
}

/// What pass one needs to know.
pub(super) struct Feed<'a, T: Element> {
    pub kernels: &'static Kernels<T>,
    pub layout: Layout,
    pub ring: Ring,
    pub momentum_kind: Momentum,
    pub diagonal: Option<Diagonal>,
    pub gradients: Tensors<'a, T>,
    pub range: Range<usize>,
}

/// What pass two does with the direction.
pub(super) enum Output<'a, T> {
    /// `w ← keep·w − lr·direction`.
    Move { params: TensorsMut<'a, T>, keep: f64, lr: f64 },
    /// Written as it is.
    Write(TensorsMut<'a, T>),
}

/// What pass two needs to know of the whole step.
pub(super) struct Apply<'a, T: Element> {
    pub kernels: &'static Kernels<T>,
    pub ring: Ring,
    pub momentum_kind: Momentum,
    pub momentum: f64,
    pub diagonal: Option<Diagonal>,
    pub clip_beta: f64,
    /// What the update momentum is divided by.
    pub correction: f64,
    pub gradients: Tensors<'a, T>,
    pub output: Output<'a, T>,
    pub range: Range<usize>,
}

/// What pass two needs to know of the block: `u = M·coefficients + vector·m`, then times `scale`.
pub(super) struct Combination<'a> {
    pub coefficients: &'a [f64],
    pub vector: f64,
    pub scale: f64,
    /// Whether a few products may be summed in the precision of the elements.
    pub narrow: bool,
}

/// Buffers of a chunk beside its window: momentum, average of updates, root of the average of squares.
pub(super) const AVERAGES: usize = 3;

/// Their lengths over `len` parameters.
pub(super) fn averages(config: &Config, len: usize) -> [usize; AVERAGES] {
    [config.keeps_momentum(), config.clips_by_vector(), config.is_diagonal()].map(|kept| if kept { len } else { 0 })
}

/// What comes after a tile, as much as that has.
fn after<T>(array: &[T], tile: &Range<usize>) -> Run {
    let after = &array[tile.end..array.len().min(tile.end + tile.len())];
    (after.as_ptr().addr(), size_of_val(after))
}

impl<T: Element> Chunk<T> {
    /// `arena` has [`Chunk::room`] left.
    pub fn new(
        config: &Config,
        shape: &Shape<T>,
        layout: Layout,
        block: usize,
        range: Range<usize>,
        arena: &mut Arena,
    ) -> Result<Self> {
        let [momentum, average, root] = averages(config, range.len());
        Ok(Self {
            block,
            window: shape.window(config, range.len(), arena)?,
            momentum: arena.buffer(momentum),
            average: arena.buffer(average),
            root: arena.buffer(root),
            sums: arena.buffer(layout.len()),
            range,
        })
    }

    /// Bytes that a chunk of `len` parameters takes of its arena; so many that there are none where they overflow.
    pub fn room(config: &Config, shape: &Shape<T>, layout: Layout, len: usize) -> usize {
        let averages = averages(config, len).map(Arena::room::<T>);
        let others = averages.into_iter().chain([Arena::room::<f64>(layout.len())]);
        others.fold(shape.room(config, len), usize::saturating_add)
    }

    pub fn bytes(&self) -> usize {
        let averages = [&self.momentum, &self.average, &self.root];
        self.window.bytes() + averages.iter().map(|buffer| buffer.bytes()).sum::<usize>() + self.sums.bytes()
    }

    /// What it keeps of each parameter beside the window, in the order in which a saved state has it. Empty where the
    /// configuration does not keep it.
    pub fn averages(&self) -> [&Buffer<T>; AVERAGES] {
        [&self.momentum, &self.average, &self.root]
    }

    /// [`Chunk::averages`], to be loaded, and whether each is good that may be in them.
    pub fn averages_mut(&mut self) -> [(&mut Buffer<T>, fn(T) -> bool); AVERAGES] {
        let is_finite = |x: T| x.to_f64().is_finite();
        let is_root = |x: T| x.to_f64().is_finite() && x.to_f64() >= 0.0;
        [(&mut self.momentum, is_finite), (&mut self.average, is_finite), (&mut self.root, is_root)]
    }

    pub fn clear(&mut self) {
        self.window.clear();
        fault::point();
        self.momentum.clear();
        self.average.clear();
        self.root.clear();
    }

    /// The tiles of the part of the chunk that lies in `range`: positions in the chunk.
    fn tiles(&self, range: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<T> {
        let start = range.start.max(self.range.start) - self.range.start;
        let end = range.end.min(self.range.end) - self.range.start;
        let mut next = start;
        core::iter::from_fn(move || {
            let tile = next..((next / TILE + 1) * TILE).min(end);
            next = tile.end;
            (!tile.is_empty()).then_some(tile)
        })
    }

    /// Pass one: adds up the inner products of the gradient. Changes nothing but the sums.
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
                let sums = (kernels.coordinates)(&self.root[tile.clone()], given, diagonal, ahead, target);
                self.sums[layout.tail(Tail::Roots)] += sums.roots;
                (Some(sums), &*scaled)
            } else {
                (None, given)
            };
            let products = &mut self.sums[layout.gradient()][..ring.held];
            let taken = self.window.take(ring.newest, position, taken_in, ahead, products, &mut scratch.room);
            fault::point();
            let newest = taken.stored;
            let norm2 = sums_of_given.map_or(taken.norm2, |sums| sums.norm2);
            self.sums[layout.tail(Tail::GradNorm2)] += norm2;
            if !(norm2.is_finite() && taken.norm2.is_finite() && taken.stored_norm2.is_finite()) {
                // Or a sum overflowed, which the Gram matrix will tell.
                let count = |x: &[T]| x.iter().filter(|x| !x.to_f64().is_finite()).count();
                let bad = if norm2.is_finite() { count(newest) } else { count(given) };
                self.sums[layout.tail(Tail::NonFinite)] += bad as f64;
            }
            if feed.momentum_kind == Momentum::Gradient {
                let mut m = &self.momentum[tile.clone()];
                if feed.diagonal.is_some() {
                    let scaled = &mut scratch.scaled_momentum[..len];
                    (kernels.multiply)(scale, m, scaled);
                    m = scaled;
                }
                self.sums[layout.tail(Tail::MomentumNorm2)] += (kernels.dot)(m, m);
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
                self.sums[layout.tail(Tail::GradAverage)] += with_gradient;
                self.sums[layout.tail(Tail::AverageNorm2)] += (kernels.dot)(e, e);
                if feed.momentum_kind == Momentum::Gradient {
                    self.sums[layout.tail(Tail::MomentumAverage)] += (kernels.dot)(&self.momentum[tile], e);
                }
            }
        }
    }

    /// Pass two: forms the update, takes the gradient and the averages in, and moves the parameters.
    pub fn apply(&mut self, apply: &Apply<'_, T>, combination: &Combination<'_>, scratch: &mut Scratch<T>) {
        let Apply { kernels, ring, .. } = apply;
        let Combination { coefficients, vector, scale, narrow } = *combination;
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
                (kernels.advance)(
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
            fault::point();
            let newest = self.window.store(ring.newest, position, taken_in, &mut scratch.room);
            fault::point();
            let ahead =
                Ahead { runs: [apply.gradients.ahead(place + len, end), apply.output.ahead(place, place + len)] };
            let factors = Factors { coefficients: &coefficients[..ring.held], narrow };
            self.window.combine(ring.newest, newest, position, factors, ahead, u);
            if apply.momentum_kind == Momentum::Gradient {
                let (g, m) = (&mut scratch.gradient, &mut scratch.momentum);
                (kernels.widen)(newest, g);
                if apply.diagonal.is_some() {
                    // v is of the old m as it is in today's coordinates; m itself is in none.
                    let scaled = &mut scratch.scaled_momentum[..len];
                    (kernels.multiply)(scale_of, &self.momentum[tile.clone()], scaled);
                    (kernels.average)(scaled, apply.momentum, g, m);
                    (kernels.divide)(newest, scale_of, g);
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
            // The factors not with the learning rate, since the two may overflow where the step does not.
            let direction = if apply.momentum_kind == Momentum::Update {
                let smoothing = Smoothing { beta: apply.momentum, before: scale, after: 1.0 / apply.correction };
                let (buffer, b) = (&mut self.momentum[tile], &mut scratch.momentum);
                if apply.diagonal.is_some() {
                    (kernels.smooth_magnified)(buffer, &smoothing, scale_of, u, b);
                } else {
                    (kernels.smooth)(buffer, &smoothing, u, b);
                }
                b
            } else {
                if apply.diagonal.is_some() {
                    (kernels.magnify)(scale_of, scale, u);
                } else if scale != 1.0 {
                    (kernels.scale)(scale, &mut u[..len]);
                }
                u
            };
            fault::point();
            // SAFETY: chunks and pieces are disjoint, so that no other thread or call is at these positions.
            unsafe { apply.output.write(kernels, place, len, direction) };
        }
        self.window.settle();
    }
}

impl<T: Element> Output<'_, T> {
    /// Where that lies, of the parameters from `place` to `end`, which will be moved.
    fn ahead(&self, place: usize, end: usize) -> (usize, usize) {
        match self {
            Self::Move { params, .. } => params.ahead(place, end),
            Self::Write(_) => (0, 0),
        }
    }

    /// Moves the `len` parameters from `place` on against `direction`, or writes it there.
    ///
    /// # Safety
    /// As [`Tensors::write`].
    unsafe fn write(&self, kernels: &Kernels<T>, place: usize, len: usize, direction: &[f64]) {
        match self {
            Self::Move { params, keep, lr } => {
                // SAFETY: the caller's promise is passed on.
                unsafe {
                    params.write(place, len, |first, target| {
                        (kernels.descend)(target, *keep, *lr, &direction[first..]);
                    });
                }
            }
            Self::Write(target) => {
                // SAFETY: as above.
                unsafe {
                    target.write(place, len, |first, target| {
                        (kernels.narrow)(&direction[first..], 1.0, target);
                    });
                }
            }
        }
    }
}

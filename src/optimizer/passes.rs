//! The parts of a step over all chunks and blocks, with as many threads as are worth waking.

use core::ops::Range;

use super::block::Pending;
use super::chunk::{Apply, Combination, Feed, Output};
use super::lent::Lent;
use super::partials::{Hash, Tail};
use super::solve::{Step, bias, check_partials};
use super::{Optimizer, Phase};
use crate::config::{Config, Momentum};
use crate::error::Result;
use crate::fault;
use crate::kernels::{Diagonal, Element};
use crate::parallel::Order;
use crate::tensors::{One, Tensors};

/// Below this many multiply-adds a pass is done before a second thread would have woken up.
pub(super) const WORTH_A_THREAD: usize = 1 << 16;
/// Below this many rows in all blocks' matrices together, cubed each, likewise for the solver.
pub(super) const WORTH_A_SOLVING_THREAD: usize = 1 << 13;

impl<T: Element> Optimizer<T> {
    pub(super) fn open(&mut self) {
        self.fed.clear();
        self.parts.clear();
        self.applied.clear();
        fault::point();
        self.chunks.iter_mut().for_each(|chunk| chunk.sums.fill(0.0));
        self.phase = Phase::Open;
    }

    /// What scales of the step under way depend on, where there are any.
    fn diagonal(&self) -> Option<Diagonal> {
        let Config { diagonal_beta: beta, diagonal_eps: eps, .. } = self.config;
        self.config.is_diagonal().then(|| Diagonal { beta, correction: 1.0 / bias(beta, self.steps + 1), eps })
    }

    /// The chunks that have a part in `range`.
    fn chunks_in(&self, range: &Range<usize>) -> Range<usize> {
        let first = self.chunks.partition_point(|chunk| chunk.range.end <= range.start);
        let end = self.chunks.partition_point(|chunk| chunk.range.start < range.end);
        first..end.max(first)
    }

    /// Threads worth waking for a pass over `len` parameters.
    fn threads_for(&self, len: usize) -> usize {
        if len.saturating_mul(self.ring().held) < WORTH_A_THREAD { 1 } else { self.pool.threads() }
    }

    pub(super) fn feed_range(&mut self, gradients: Tensors<'_, T>, range: Range<usize>) {
        let touched = self.chunks_in(&range);
        let threads = self.threads_for(range.len());
        let feed = Feed {
            kernels: T::kernels(),
            layout: self.layout,
            ring: self.ring(),
            momentum_kind: self.config.momentum_kind,
            diagonal: self.diagonal(),
            gradients,
            range,
        };
        self.pool.for_each(
            threads,
            Order::Forward,
            &mut self.chunks[touched],
            &mut self.scratch,
            |_, chunk, scratch| {
                chunk.feed(&feed, scratch);
            },
        );
    }

    /// Takes in a piece of the gradient: at once what of it are whole units of the history format, and the one or two
    /// that it cuts when their last parts come.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where it cuts a unit that there is no room for; nothing is taken in then.
    pub(super) fn feed_piece(&mut self, offset: usize, gradient: &[T], range: Range<usize>) -> Result<()> {
        let (first, last) = (self.unit_at(range.start), self.unit_at(range.end - 1));
        let cuts_first = first.start != range.start;
        let cuts_last = last.end != range.end && !(cuts_first && first == last);
        let start = if cuts_first { first.end.min(range.end) } else { range.start };
        let end = if cuts_last { last.start } else { range.end };
        let cut = [cuts_first.then_some(&first), cuts_last.then_some(&last)];
        self.parts.reserve(cut.into_iter().flatten())?;
        if start < end {
            self.feed_range(Tensors::new(&One::new(gradient), &[], offset), start..end);
        }
        if cuts_first {
            self.feed_part(first, offset, gradient, range.start..start);
        }
        if cuts_last {
            self.feed_part(last, offset, gradient, end..range.end);
        }
        Ok(())
    }

    fn feed_part(&mut self, unit: Range<usize>, offset: usize, gradient: &[T], part: Range<usize>) {
        let elements = &gradient[part.start - offset..part.end - offset];
        if self.parts.enter(&unit, part.start, elements) {
            let lent = Lent::new(self, |optimizer| &mut optimizer.parts);
            let whole = One::new(lent.field.elements(&unit));
            lent.owner.feed_range(Tensors::new(&whole, &[], unit.start), unit.clone());
            drop(lent);
            self.parts.remove(&unit);
        }
    }

    /// The unit of the history format that a parameter belongs to. Units count from the starts of blocks, and chunks
    /// hold whole ones.
    fn unit_at(&self, position: usize) -> Range<usize> {
        let chunk = &self.chunks[self.chunks_in(&(position..position + 1)).start].range;
        let start = position - (position - chunk.start) % self.parts.unit();
        start..chunk.end.min(start + self.parts.unit())
    }

    /// Adds up the chunks' sums in their order.
    pub(super) fn sum(&mut self) {
        let number = self.steps + 1;
        let hash = Hash::new(&self.config(), env!("CARGO_PKG_VERSION"), number);
        let layout = self.layout;
        for (block, partials) in self.blocks.iter().zip(self.partials.chunks_exact_mut(layout.len())) {
            let mut chunks = self.chunks[block.chunks.clone()].iter();
            match chunks.next() {
                Some(first) => partials.copy_from_slice(&first.sums),
                None => partials.fill(0.0),
            }
            fault::point();
            for chunk in chunks {
                for (total, part) in partials.iter_mut().zip(chunk.sums.iter()) {
                    *total += part;
                }
            }
            hash.write(layout, partials);
            partials[layout.tail(Tail::Processes)] = 1.0;
            partials[layout.tail(Tail::Step)] = number as f64;
        }
        self.phase = Phase::Summed;
    }

    pub(super) fn solve_blocks(&mut self) -> Result<()> {
        let step = Step {
            config: &self.config,
            layout: self.layout,
            ring: self.ring(),
            number: self.steps + 1,
            lr: self.lr,
            largest: T::LARGEST,
            unit: T::ROUNDOFF,
        };
        check_partials(&step, &self.partials)?;
        let work = self.blocks.len() * step.ring.held.pow(3);
        let threads = if work < WORTH_A_SOLVING_THREAD { 1 } else { self.pool.threads() };
        let (partials, layout) = (&self.partials, self.layout);
        self.pool.for_each(threads, Order::Forward, &mut self.blocks, &mut self.solvers, |index, block, solver| {
            let sums = &partials[index * layout.len()..][..layout.len()];
            fault::point();
            block.pending.result = solver.solve(&step, block, sums);
            fault::point();
        });
        // The first in order, whichever thread came first.
        self.blocks.iter().try_for_each(|block| block.pending.result)
    }

    pub(super) fn apply_range(&mut self, gradients: Tensors<'_, T>, output: Output<'_, T>, range: Range<usize>) {
        let touched = self.chunks_in(&range);
        let threads = self.threads_for(range.len());
        let config = &self.config;
        let corrected = config.momentum_kind == Momentum::Update && config.bias_correction;
        let apply = Apply {
            kernels: T::kernels(),
            ring: self.ring(),
            momentum_kind: config.momentum_kind,
            momentum: config.momentum,
            diagonal: self.diagonal(),
            clip_beta: config.clip_beta,
            correction: if corrected { bias(config.momentum, self.steps + 1) } else { 1.0 },
            gradients,
            output,
            range,
        };
        let blocks = &self.blocks;
        // Backwards: the chunks at the end were read last, and may still be in a cache.
        self.pool.for_each(
            threads,
            Order::Backward,
            &mut self.chunks[touched],
            &mut self.scratch,
            |_, chunk, scratch| {
                let pending = &blocks[chunk.block].pending;
                let Pending { vector, scale, narrow, .. } = *pending;
                let combination = Combination { coefficients: &pending.coefficients, vector, scale, narrow };
                chunk.apply(&apply, &combination, scratch);
            },
        );
    }

    /// Makes the solved and applied step the state.
    pub(super) fn accept(&mut self) {
        let ring = self.ring();
        for (block, partials) in self.blocks.iter_mut().zip(self.partials.chunks_exact(self.layout.len())) {
            block.accept(ring.newest, &partials[self.layout.gradient()][..ring.held]);
            fault::point();
        }
        self.steps += 1;
    }
}

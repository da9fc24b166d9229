//! The phases of a step over all chunks and blocks, on as many threads as are worth waking.

use core::ops::Range;

use super::block::Pending;
use super::chunk::{Apply, Chunk, Combination, Feed};
use super::gradient::{Gradient, GradientList, GradientSource};
use super::groups;
use super::output::{Move, Output, Target};
use super::partials::{Hash, HashedOptions, Scalar, check_partials};
use super::step::{Step, bias};
use super::taken_field::TakenField;
use super::weights;
use super::{Optimizer, Phase};
use crate::config::Config;
use crate::error::{Error, Place, Result};
use crate::fault;
use crate::kernels::{Diagonal, Element};
use crate::parallel::Order;
use crate::tensors::{One, Tensors, TensorsMut};

/// Number of multiply-adds of a pass from which on a second thread pays: fewer are done before it has woken up.
pub(super) const WORTH_A_THREAD: usize = 1 << 16;
/// The same limit for solving: the sum over blocks of the number of rows cubed.
pub(super) const WORTH_A_SOLVING_THREAD: usize = 1 << 13;

impl<T: Element> Optimizer<T> {
    pub(super) fn open(&mut self) {
        self.fed.clear();
        self.cut_groups.clear();
        self.applied.clear();
        fault::point();
        self.chunks.iter_mut().for_each(Chunk::open);
        self.refused.this_step = false;
        self.phase = Phase::Open;
    }

    /// Returns the constants of diagonal preconditioning for the step under way; `None` without it.
    fn diagonal(&self) -> Option<Diagonal> {
        let Config { diagonal_beta: beta, diagonal_eps: eps, grad_scale: factor, .. } = self.config;
        self.config.is_diagonal().then(|| Diagonal { beta, correction: 1.0 / bias(beta, self.steps + 1), eps, factor })
    }

    /// Returns the indices of the chunks that overlap `range`.
    pub(super) fn chunks_in(&self, range: &Range<usize>) -> Range<usize> {
        let first = self.chunks.partition_point(|chunk| chunk.range.end <= range.start);
        let end = self.chunks.partition_point(|chunk| chunk.range.start < range.end);
        first..end.max(first)
    }

    /// Returns the number of threads worth waking for a pass over `len` parameters.
    pub(super) fn threads_for(&self, len: usize) -> usize {
        if len.saturating_mul(self.ring().held) < WORTH_A_THREAD { 1 } else { self.pool.threads() }
    }

    pub(super) fn feed_range(&mut self, source: GradientSource<'_, T>, range: Range<usize>) {
        let touched = self.chunks_in(&range);
        let threads = self.threads_for(range.len());
        let feed = Feed {
            kernels: T::kernels(),
            layout: self.layout,
            ring: self.ring(),
            momentum_kind: self.config.momentum_kind,
            diagonal: self.diagonal(),
            factor: weights::factor(&self.config),
            gradients: Gradient { source, frozen: self.frozen.runs() },
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

    /// Runs pass one over a piece of the gradient. Whole groups of the history format are processed at once. A group
    /// that the piece cuts is processed when its last part is fed.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] if there is no memory for a cut group; nothing is fed then.
    pub(super) fn feed_piece(&mut self, source: GradientSource<'_, T>, range: Range<usize>) -> Result<()> {
        let (first, last) = (self.group_at(range.start), self.group_at(range.end - 1));
        let cuts_first = first.start != range.start;
        let cuts_last = last.end != range.end && !(cuts_first && first == last);
        let start = if cuts_first { first.end.min(range.end) } else { range.start };
        let end = if cuts_last { last.start } else { range.end };
        let cut = [cuts_first.then_some(&first), cuts_last.then_some(&last)];
        self.cut_groups.reserve(cut.into_iter().flatten())?;
        if start < end {
            self.feed_range(source, start..end);
        }
        if cuts_first {
            self.feed_part(first, source, range.start..start);
        }
        if cuts_last {
            self.feed_part(last, source, end..range.end);
        }
        Ok(())
    }

    fn feed_part(&mut self, group: Range<usize>, source: GradientSource<'_, T>, part: Range<usize>) {
        let is_whole = self.cut_groups.enter(&group, &part, |elements| source.copy(part.start, elements));
        if is_whole {
            let taken = TakenField::new(self, |optimizer| &mut optimizer.cut_groups);
            let whole = One::new(taken.field.elements(&group));
            taken.owner.feed_range(GradientSource::Same(Tensors::new(&whole, &[], group.start)), group.clone());
            drop(taken);
            self.cut_groups.remove(&group);
        }
    }

    /// Returns the group of the history format that a parameter belongs to. Groups are counted from the start of their
    /// block, and a chunk holds whole groups.
    fn group_at(&self, position: usize) -> Range<usize> {
        let chunk = &self.chunks[self.chunks_in(&(position..position + 1)).start].range;
        let start = position - (position - chunk.start) % self.cut_groups.group_len();
        start..chunk.end.min(start + self.cut_groups.group_len())
    }

    /// Adds up the sums of the chunks, and adds the partials that identify the step.
    pub(super) fn sum(&mut self) {
        self.add_up();
        let number = self.steps + 1;
        let config = self.config();
        if !self.hashed.are_of(&config) {
            self.hashed = HashedOptions::new(&config, env!("CARGO_PKG_VERSION"));
        }
        let hash = Hash::of_step(&self.hashed, number);
        let excess = groups::excess(&self.groups);
        let layout = self.layout;
        for partials in self.partials.chunks_exact_mut(layout.len()) {
            hash.write(layout, partials);
            partials[layout.scalar(Scalar::Excess)] = excess;
            partials[layout.scalar(Scalar::Processes)] = 1.0;
            partials[layout.scalar(Scalar::StepNumber)] = number as f64;
        }
        self.phase = Phase::Summed;
    }

    /// Adds up the sums of the chunks, in the order of the chunks.
    pub(super) fn add_up(&mut self) {
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
        }
    }

    /// Computes the step of every block. Counts a step refused as non-finite, once.
    ///
    /// # Errors
    /// As [`check_partials`] and [`super::solve::Solver::solve`].
    pub(super) fn solve_blocks(&mut self) -> Result<()> {
        let result = self.try_solve_blocks();
        let Err(Error::NonFinite { what, count, .. }) = result else {
            return result;
        };
        let bad = self.chunks.iter().map(|chunk| chunk.first_bad).min().filter(|&bad| bad != usize::MAX);
        let element = bad.map(|bad| bad as u64);
        if !self.refused.this_step {
            self.refused.count += 1;
        }
        (self.refused.this_step, self.refused.element) = (true, element);
        Err(Error::NonFinite { what, count, first: element.map(|index| Place { index, tensor: None }) })
    }

    fn try_solve_blocks(&mut self) -> Result<()> {
        let ring = self.ring();
        check_partials(self.layout, self.steps + 1, &self.partials)?;
        self.pending_weights.copy_from_slice(&self.weights);
        self.pending_weights[ring.newest] = weights::newest(&self.config, self.layout, ring, &self.partials);
        let weights = &self.pending_weights[..ring.held];
        let number = self.steps + 1;
        let step = Step::new::<T>(&self.config, self.layout, ring, number, self.lr, weights);
        weights::check(&step, &self.partials)?;
        let work = self.blocks.len() * ring.held.pow(3);
        let threads = if work < WORTH_A_SOLVING_THREAD { 1 } else { self.pool.threads() };
        let (partials, layout) = (&self.partials, self.layout);
        self.pool.for_each(threads, Order::Forward, &mut self.blocks, &mut self.solvers, |index, block, solver| {
            let sums = &partials[index * layout.len()..][..layout.len()];
            fault::point();
            block.pending.result = solver.solve(&step, block, sums);
            fault::point();
        });
        // The error of the first block in order, on any number of threads.
        self.blocks.iter().try_for_each(|block| block.pending.result)
    }

    /// Runs pass two over the parameters at `range`. `grads` and `target` start at parameter `origin`; `starts[i]` is
    /// the sum of the lengths before their tensor i.
    pub(super) fn apply_range(
        &mut self,
        grads: GradientList<'_, T>,
        target: Target<'_, T>,
        (starts, origin): (&[usize], usize),
        range: Range<usize>,
    ) {
        let touched = self.chunks_in(&range);
        let threads = self.threads_for(range.len());
        let config = &self.config;
        let corrected = config.momentum_kind.averages_updates() && config.bias_correction;
        let frozen = self.frozen.runs();
        let output = match target {
            Target::Params { params, copy } => Output::Move(Move {
                params: TensorsMut::new(params, starts, origin),
                copy: copy.map(|copy| TensorsMut::new(copy, starts, origin)),
                lr: self.lr,
                weight_decay: config.weight_decay,
                groups: &self.groups,
                frozen,
                average_beta: config.average_beta,
            }),
            Target::Direction(direction) => Output::Write(TensorsMut::new(direction, starts, origin)),
            Target::None => Output::Nowhere,
        };
        let ring = self.ring();
        if self.phase != Phase::Applying {
            self.chunks.iter_mut().for_each(|chunk| chunk.window.begin(ring.newest));
            self.phase = Phase::Applying;
        }
        let apply = Apply {
            kernels: T::kernels(),
            ring,
            momentum_kind: config.momentum_kind,
            momentum: config.momentum,
            diagonal: self.diagonal(),
            clip_beta: config.clip_beta,
            correction: if corrected { bias(config.momentum, self.steps + 1) } else { 1.0 },
            factor: weights::factor(config),
            weight: self.pending_weights[ring.newest],
            gradients: Gradient { source: grads.place(starts, origin), frozen },
            output,
            range,
        };
        let blocks = &self.blocks;
        // Backwards: pass one read the last chunks last, so they may still be in a cache.
        self.pool.for_each(
            threads,
            Order::Backward,
            &mut self.chunks[touched],
            &mut self.scratch,
            |_, chunk, scratch| {
                let pending = &blocks[chunk.block].pending;
                let Pending { vector, scale, element_sums, .. } = *pending;
                let combination = Combination { coefficients: &pending.coefficients, vector, scale, element_sums };
                chunk.apply(&apply, &combination, scratch);
            },
        );
    }

    /// Commits the applied step to the state. `moved`: whether parameters moved.
    pub(super) fn accept(&mut self, moved: bool) {
        let ring = self.ring();
        for block in &mut self.blocks {
            block.accept(ring.newest, ring.held);
            fault::point();
        }
        self.weights[ring.newest] = self.pending_weights[ring.newest];
        self.averaged += u64::from(moved && self.config.average_beta > 0.0);
        self.steps += 1;
    }
}

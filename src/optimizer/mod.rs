//! The optimizer: a step as phases. This is the only module that owns state.
//!
//! Every step is `begin`, `feed`, `solve`, `apply`, `end`, in one call or in pieces. Pass one ([`chunk`]) computes
//! sums, [`solve`] works on k×k matrices, and pass two writes the state and the parameters. Nothing can fail in pass
//! two.

mod averages;
mod bf16;
mod block;
mod chunk;
mod columns;
mod coverage;
mod create;
mod cut_groups;
mod gradient;
mod groups;
mod norms;
mod options;
mod output;
mod overflow;
mod partials;
mod passes;
mod precondition;
mod ring;
mod solve;
mod state;
mod state_head;
mod state_shares;
mod stats;
mod step;
mod taken_field;
mod weights;

use crate::config::Config;
use crate::error::{Argument, Error, Place, Result, Value};
use crate::fault;
use crate::kernels::Element;
use crate::memory::Buffer;
use crate::parallel::Pool;
use crate::tensors::{Many, ManyMut, One, OneMut, Optional, TensorList, TensorListMut};
use block::Block;
use chunk::{Chunk, Scratch};
use coverage::Coverage;
use cut_groups::CutGroups;
use gradient::{Frozen, GradientList};
pub use groups::Group;
use output::Target;
use partials::{HashedOptions, Layout};
use ring::Ring;
use solve::Solver;
pub(crate) use state::{BUFFER_LENGTH, SAME_OPTION};
pub(crate) use state_head::Incoming;
pub(crate) use state_shares::STATES;
use stats::Refused;
pub use stats::Stats;
use taken_field::TakenField;

/// The name of the length of a tensor list, in errors.
pub(crate) const SUM_OF_LENGTHS: &str = "the sum of the lengths of grads";

/// Length of a tensor list for which memory is reserved at create.
pub(crate) const USUAL_TENSORS: usize = 64;

/// Limited-memory full-matrix Adagrad over parameters of type `T`.
///
/// A call that returns an error changes nothing. The bits of a result do not depend on the number of threads, on the
/// division of the parameters into tensors, or on a save and load between steps.
///
/// A step is one call, [`step`](Self::step), or several phases. In phases the gradient may come in pieces, and the
/// parameters may be split over processes:
///
/// ```
/// # use lmada::{Config, Optimizer};
/// # fn main() -> lmada::Result<()> {
/// let (mut w, gradient) = (vec![1.0_f32; 10], vec![0.5; 10]);
/// let mut optimizer = Optimizer::new(&Config::recommended(), &[6, 4])?; // two layers
/// optimizer.begin()?;
/// for layer in [6..10, 0..6] {
///     optimizer.feed(layer.start, &gradient[layer])?; // as the backward pass comes by
/// }
/// optimizer.solve()?; // before it, the `partials` would be summed over processes
/// optimizer.apply(0, &mut w, &gradient)?;
/// optimizer.end()?;
/// assert_eq!(optimizer.stats()?.steps, 1);
///
/// let mut state = vec![0; optimizer.state_size()];
/// optimizer.state_save(&mut state)?;
/// # Ok(())
/// # }
/// ```
pub struct Optimizer<T: Element> {
    config: Config,
    lr: f64,
    dim: usize,
    steps: u64,
    /// Number of steps that entered the average of the parameters.
    averaged: u64,
    refused: Refused,
    hashed: HashedOptions,
    groups: Vec<Group>,
    /// Frozen parameters of the step under way.
    frozen: Frozen,
    /// γ of each column, by slot.
    weights: Buffer<f64>,
    /// `weights`, with γ of the step under way.
    pending_weights: Buffer<f64>,
    blocks: Vec<Block>,
    chunks: Vec<Chunk<T>>,
    partials: Buffer<f64>,
    layout: Layout,
    phase: Phase,
    fed: Coverage,
    cut_groups: CutGroups<T>,
    applied: Coverage,
    pool: Pool,
    scratch: Vec<Scratch<T>>,
    solvers: Vec<Solver>,
    /// Starts of the tensors of a list. Grows to the longest list seen.
    starts: Vec<usize>,
}

/// The progress of the step under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No step is open.
    Idle,
    /// The gradient is being fed.
    Open,
    /// The gradient is complete, and the partials are added up.
    Summed,
    /// The step is computed. Nothing is applied.
    Solved,
    /// Part of the step is applied.
    Applying,
}

impl Phase {
    fn reason(self) -> &'static str {
        match self {
            Self::Idle => "no step is open",
            Self::Open => "a step is open and not solved",
            Self::Summed => "the sums of the step are taken and the step is not solved",
            Self::Solved => "the step is solved",
            Self::Applying => "part of the step is applied already",
        }
    }
}

impl<T: Element> Optimizer<T> {
    /// Number of parameters.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Takes a step: adds the gradient to the window and moves the parameters against the preconditioned direction.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`], [`Error::NonFinite`], [`Error::WrongPhase`].
    pub fn step(&mut self, params: &mut [T], grads: &[T]) -> Result<()> {
        self.check_len("the length of params", params.len())?;
        self.check_len("the length of grads", grads.len())?;
        self.step_list(&OneMut::new(params), &One::new(grads))
    }

    /// Takes a step as [`Optimizer::step`] does, for a model in several tensors. The tensors in their order are the
    /// parameters.
    ///
    /// # Errors
    /// As [`Optimizer::step`]; [`Error::OutOfMemory`] if the list is longer than 64 tensors and than every list before,
    /// and there is no memory for it.
    pub fn step_tensors(&mut self, params: &mut [&mut [T]], grads: &[&[T]]) -> Result<()> {
        check_lens(params, grads.iter().map(|grad| grad.len()))?;
        self.step_list(&ManyMut::new(params), &Many(grads))
    }

    /// Takes a step as [`Optimizer::step_tensors`] does; tensors may have no gradient (`None`). A missing gradient
    /// counts as zeros, and the parameters of its tensor keep their bits.
    ///
    /// # Errors
    /// As [`Optimizer::step_tensors`].
    pub fn step_some_tensors(&mut self, params: &mut [&mut [T]], grads: &[Option<&[T]>]) -> Result<()> {
        let lens = grads.iter().zip(&*params).map(|(grad, param)| grad.map_or(param.len(), <[T]>::len));
        check_lens(params, lens)?;
        let params = ManyMut::new(params);
        self.step_list(&params, &Optional { given: grads, like: &params })
    }

    /// Takes a step that writes its direction instead of moving parameters. The direction is the vector that
    /// [`Optimizer::step`] would multiply by the learning rate and subtract; weight decay is not part of it.
    ///
    /// # Errors
    /// As [`Optimizer::step`]; [`Error::InvalidArgument`] with `average_beta`, since the call does not see the
    /// parameters.
    pub fn direction(&mut self, direction: &mut [T], grads: &[T]) -> Result<()> {
        self.check_len("the length of direction", direction.len())?;
        self.check_len("the length of grads", grads.len())?;
        self.check_idle("direction")?;
        self.check_no_average()?;
        self.all_phases("direction", GradientList::Same(&One::new(grads)), Target::Direction(&OneMut::new(direction)))
    }

    /// Takes a step without parameters: the gradient enters the window, and all averages change as in
    /// [`Optimizer::step`]. Use it with [`precondition`](Self::precondition) to build an update rule of your own.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn observe(&mut self, grads: &[T]) -> Result<()> {
        self.check_len("the length of grads", grads.len())?;
        self.all_phases("observe", GradientList::Same(&One::new(grads)), Target::None)
    }

    /// Takes a step over two lists of tensors of the same lengths. Gradients that are NULL count as zeros.
    pub(crate) fn step_list(&mut self, params: &dyn TensorListMut<T>, grads: &dyn TensorList<T>) -> Result<()> {
        self.all_phases("step", GradientList::Same(grads), Target::Params { params, copy: None })
    }

    /// Runs all phases of a step over tensor lists. `call` names the method in errors.
    fn all_phases(&mut self, call: &'static str, grads: GradientList<'_, T>, target: Target<'_, T>) -> Result<()> {
        self.check_idle(call)?;
        self.list_starts(grads)?;
        let Self { frozen, groups, starts, .. } = self;
        frozen.set(groups, grads, starts)?;
        let mut taken = TakenField::new(self, |optimizer| &mut optimizer.starts);
        let TakenField { owner: optimizer, field: starts, .. } = &mut taken;
        optimizer.open();
        optimizer.feed_range(grads.place(starts, 0), 0..optimizer.dim);
        optimizer.sum();
        let result = optimizer.solve_blocks();
        if result.is_ok() {
            optimizer.apply_range(grads, target, (starts, 0), 0..optimizer.dim);
            optimizer.accept(matches!(target, Target::Params { .. }));
        }
        optimizer.phase = Phase::Idle;
        result.map_err(|error| in_tensor(error, starts))
    }

    /// Opens a step in phases. The phases are: [`feed`](Self::feed) for every piece of the gradient, in any order;
    /// [`solve`](Self::solve); [`apply`](Self::apply) for every piece; [`end`](Self::end). Until `end` or
    /// [`cancel`](Self::cancel) no other step is possible.
    ///
    /// # Errors
    /// [`Error::WrongPhase`] if a step is open already.
    pub fn begin(&mut self) -> Result<()> {
        self.check_idle("begin")?;
        let Self { frozen, groups, .. } = self;
        frozen.set_groups(groups)?;
        self.open();
        Ok(())
    }

    /// Takes in a piece of the gradient, for the parameters from `offset` on. Together the pieces have to cover every
    /// parameter once. `feed` accepts a NaN; [`solve`](Self::solve) refuses it.
    ///
    /// # Errors
    /// [`Error::WrongPhase`]; [`Error::InvalidArgument`] if the piece overlaps another or is out of range;
    /// [`Error::OutOfMemory`] if the pieces form more than 256 separate runs, or leave more than 16 groups of the
    /// history format incomplete, and there is no memory for more.
    pub fn feed(&mut self, offset: usize, grads: &[T]) -> Result<()> {
        self.feed_list(offset, grads.len(), GradientList::Same(&One::new(grads)))
    }

    /// Runs pass one over a piece of `len` parameters.
    fn feed_list(&mut self, offset: usize, len: usize, grads: GradientList<'_, T>) -> Result<()> {
        if self.phase != Phase::Open {
            return Err(self.wrong("feed"));
        }
        if let Some(piece) = self.fed.admit(offset, len)? {
            self.feed_piece(grads.place(&[], offset), piece.range.clone())?;
            fault::point();
            self.fed.enter(piece);
        }
        Ok(())
    }

    /// Returns the sums of this process. Replace them, in place, by their sums over all processes, then call
    /// [`solve`](Self::solve). No piece can be fed after this call.
    ///
    /// The sums also tell whether the processes agree in the library's version, the number of the step, the learning
    /// rate and all options but `threads`. If they do not, `solve` refuses the step on every process.
    ///
    /// # Errors
    /// [`Error::WrongPhase`] if a piece is missing or the step is solved.
    pub fn partials(&mut self) -> Result<&mut [f64]> {
        self.complete_gradient("partials")?;
        Ok(&mut self.partials)
    }

    /// Computes the step from the sums. State and parameters do not change.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::WrongPhase`] if a piece is missing or the step is solved already;
    /// [`Error::InvalidArgument`] if the partials are not sums over processes at the same step, with the same options,
    /// learning rate and library version.
    pub fn solve(&mut self) -> Result<()> {
        self.complete_gradient("solve")?;
        self.solve_blocks()?;
        self.phase = Phase::Solved;
        Ok(())
    }

    /// Moves a piece of the parameters. `grads` is the gradient that was fed for these parameters.
    ///
    /// # Errors
    /// As [`Optimizer::feed`]; [`Error::DimensionMismatch`] if the lengths differ.
    pub fn apply(&mut self, offset: usize, params: &mut [T], grads: &[T]) -> Result<()> {
        check_piece(params.len(), grads.len())?;
        let target = Target::Params { params: &OneMut::new(params), copy: None };
        self.apply_list("apply", offset, grads.len(), GradientList::Same(&One::new(grads)), target)
    }

    /// Writes the direction for a piece of the parameters instead of moving them. Otherwise as [`Optimizer::apply`].
    ///
    /// # Errors
    /// As [`Optimizer::apply`] and [`Optimizer::direction`].
    pub fn apply_direction(&mut self, offset: usize, direction: &mut [T], grads: &[T]) -> Result<()> {
        check_piece(direction.len(), grads.len())?;
        if matches!(self.phase, Phase::Solved | Phase::Applying) {
            self.check_no_average()?;
        }
        let target = Target::Direction(&OneMut::new(direction));
        self.apply_list("apply_direction", offset, grads.len(), GradientList::Same(&One::new(grads)), target)
    }

    /// Runs pass two over a piece of `len` parameters.
    fn apply_list(
        &mut self,
        call: &'static str,
        offset: usize,
        len: usize,
        grads: GradientList<'_, T>,
        target: Target<'_, T>,
    ) -> Result<()> {
        if !matches!(self.phase, Phase::Solved | Phase::Applying) {
            return Err(self.wrong(call));
        }
        if let Some(piece) = self.applied.admit(offset, len)? {
            self.apply_range(grads, target, (&[], offset), piece.range.clone());
            self.applied.enter(piece);
        }
        Ok(())
    }

    /// Ends a step in phases. The step then counts as accepted.
    ///
    /// # Errors
    /// [`Error::WrongPhase`] if a piece is missing or no step is solved.
    pub fn end(&mut self) -> Result<()> {
        if !matches!(self.phase, Phase::Solved | Phase::Applying) {
            return Err(self.wrong("end"));
        }
        if !self.applied.is_complete() {
            return Err(Error::WrongPhase { call: "end", reason: "not every parameter is applied" });
        }
        self.accept(true);
        fault::point();
        self.phase = Phase::Idle;
        Ok(())
    }

    /// Drops the open step. The state is then as before [`begin`](Self::begin). Possible until the first
    /// [`apply`](Self::apply).
    ///
    /// # Errors
    /// [`Error::WrongPhase`] if no step is open or part of it is applied.
    pub fn cancel(&mut self) -> Result<()> {
        if matches!(self.phase, Phase::Idle | Phase::Applying) {
            return Err(self.wrong("cancel"));
        }
        self.phase = Phase::Idle;
        Ok(())
    }

    /// Makes the optimizer as new: removes every gradient and average, and ends a step in phases, in any phase.
    /// Options, parameter groups and the learning rate stay.
    pub fn reset(&mut self) {
        self.steps = 0;
        self.averaged = 0;
        self.refused = Refused::default();
        self.weights.clear();
        self.phase = Phase::Idle;
        fault::point();
        self.blocks.iter_mut().for_each(Block::clear);
        self.chunks.iter_mut().for_each(Chunk::clear);
    }

    fn check_len(&self, name: &'static str, len: usize) -> Result<()> {
        if len != self.dim {
            return Err(Error::mismatch(name, len as u64, self.dim as u64));
        }
        Ok(())
    }

    fn check_idle(&self, call: &'static str) -> Result<()> {
        if self.phase != Phase::Idle { Err(self.wrong(call)) } else { Ok(()) }
    }

    fn wrong(&self, call: &'static str) -> Error {
        Error::WrongPhase { call, reason: self.phase.reason() }
    }

    /// Refuses to write directions with `average_beta`: the average would miss these steps.
    fn check_no_average(&self) -> Result<()> {
        if self.config.averages_params() {
            let value = Value::Real(self.config.average_beta);
            let expected = "0 for directions: the average needs the parameters";
            return Err(Error::invalid("config.average_beta", value, expected));
        }
        Ok(())
    }

    fn ring(&self) -> Ring {
        Ring::after(self.steps, self.config.history_size as usize)
    }

    /// Computes the starts of the tensors of a list. Fails if the lengths do not add up to the number of parameters.
    fn list_starts(&mut self, list: GradientList<'_, T>) -> Result<()> {
        let count = list.count();
        self.starts.clear();
        self.starts.try_reserve(count).map_err(|_| Error::OutOfMemory {
            what: "the starts of the tensors",
            bytes: (count as u64).saturating_mul(size_of::<usize>() as u64),
        })?;
        let mut total = 0usize;
        for index in 0..count {
            self.starts.push(total);
            total = total.saturating_add(list.len(index));
        }
        self.check_len(SUM_OF_LENGTHS, total)
    }

    /// Adds up the sums if every piece was fed, and sets the phase to `Summed`.
    fn complete_gradient(&mut self, call: &'static str) -> Result<()> {
        match self.phase {
            Phase::Summed => Ok(()),
            Phase::Open if self.fed.is_complete() => {
                self.sum();
                Ok(())
            }
            Phase::Open => Err(Error::WrongPhase { call, reason: "part of the gradient is missing" }),
            _ => Err(self.wrong(call)),
        }
    }
}

/// Refuses a piece whose gradient has another length than its parameters.
fn check_piece(len: usize, grads: usize) -> Result<()> {
    if len == grads {
        return Ok(());
    }
    Err(Error::mismatch("the length of grads", grads as u64, len as u64))
}

/// Refuses gradients that do not have the lengths of their parameters.
fn check_lens<T>(params: &[&mut [T]], lens: impl ExactSizeIterator<Item = usize>) -> Result<()> {
    if params.len() != lens.len() {
        return Err(Error::mismatch("the number of grads", lens.len() as u64, params.len() as u64));
    }
    for (index, (param, len)) in params.iter().zip(lens).enumerate() {
        if param.len() != len {
            let argument = Argument::element("the length of grads", index);
            return Err(Error::mismatch(argument, len as u64, param.len() as u64));
        }
    }
    Ok(())
}

/// Adds the tensor of the element at fault to an error. `starts` are the starts of the tensors.
fn in_tensor(error: Error, starts: &[usize]) -> Error {
    match error {
        Error::NonFinite { what, count, first: Some(Place { index, .. }) } if starts.len() > 1 => {
            let tensor = starts.partition_point(|&start| start as u64 <= index) - 1;
            let place = Place { index, tensor: Some((tensor, index - starts[tensor] as u64)) };
            Error::NonFinite { what, count, first: Some(place) }
        }
        other => other,
    }
}

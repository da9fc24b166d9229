//! A step as phases: the only room that owns state.
//!
//! `begin`, `feed`, `solve`, `apply`, `end` is the one way a step goes, whether the caller takes it in one call or in
//! pieces. Pass one ([`chunk`]) only adds up sums, [`solve`] works on k×k matrices only, and pass two is the first that
//! writes: by then nothing can fail.

mod block;
mod chunk;
mod coverage;
mod create;
mod lent;
mod norms;
mod overflow;
mod partials;
mod parts;
mod passes;
mod ring;
mod saved;
mod shares;
mod solve;
mod stats;

use crate::config::Config;
use crate::error::{Argument, Error, Result, Value};
use crate::fault;
use crate::kernels::Element;
use crate::memory::Buffer;
use crate::parallel::Pool;
use crate::tensors::{Many, ManyMut, One, OneMut, TensorList, TensorListMut, Tensors, TensorsMut};
use block::Block;
use chunk::{Chunk, Output, Scratch};
use coverage::Coverage;
use lent::Lent;
use partials::Layout;
use parts::Parts;
use ring::Ring;
pub(crate) use saved::{BUFFER_LENGTH, SAME_OPTION};
pub(crate) use shares::STATES;
use solve::Solver;
pub use stats::Stats;

/// How errors name the length of a list of tensors.
pub(crate) const SUM_OF_LENGTHS: &str = "the sum of the lengths of grads";

/// Tensors in a list that needs no more room than is reserved.
pub(crate) const USUAL_TENSORS: usize = 64;

/// Limited-memory full-matrix Adagrad over parameters of type `T`.
///
/// A call that returns an error changed nothing. The bits of a result do not depend on the number of threads, on how
/// the parameters are cut into tensors, or on a save and load in between.
///
/// A step is one call, [`step`](Self::step), or goes in phases, so that the gradient may come in pieces and parameters
/// may be split over processes:
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
    blocks: Vec<Block>,
    chunks: Vec<Chunk<T>>,
    partials: Buffer<f64>,
    layout: Layout,
    phase: Phase,
    fed: Coverage,
    parts: Parts<T>,
    applied: Coverage,
    pool: Pool,
    scratch: Vec<Scratch<T>>,
    solvers: Vec<Solver>,
    /// Where the tensors of a list start; grows to the longest list seen.
    starts: Vec<usize>,
}

/// How far the step under way has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No step is open.
    Idle,
    /// Taking in the gradient.
    Open,
    /// The gradient is complete and the partials are added up.
    Summed,
    /// The step is known; nothing is applied.
    Solved,
    /// Some of it is applied.
    Applying,
}

impl Phase {
    fn reason(self) -> &'static str {
        match self {
            Self::Idle => "no step is open",
            Self::Open => "a step is open and not solved",
            Self::Summed => "the step's sums are taken and it is not solved",
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

    /// The options it was made with; the learning rate as it is now.
    pub fn config(&self) -> Config {
        Config { lr: self.lr, ..self.config }
    }

    /// Takes in the gradient and moves the parameters.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`], [`Error::NonFinite`], [`Error::WrongPhase`].
    pub fn step(&mut self, params: &mut [T], grads: &[T]) -> Result<()> {
        self.check_len("the length of params", params.len())?;
        self.check_len("the length of grads", grads.len())?;
        self.step_list(&OneMut::new(params), &One::new(grads))
    }

    /// As [`Optimizer::step`], for parameters in several tensors that, one after the other, make up the model.
    ///
    /// # Errors
    /// As [`Optimizer::step`]; [`Error::OutOfMemory`] where a list longer than any before needs room.
    pub fn step_tensors(&mut self, params: &mut [&mut [T]], grads: &[&[T]]) -> Result<()> {
        if params.len() != grads.len() {
            return Err(Error::mismatch("the number of grads", grads.len() as u64, params.len() as u64));
        }
        for (index, (param, grad)) in params.iter().zip(grads).enumerate() {
            if param.len() != grad.len() {
                let argument = Argument::element("the length of grads", index);
                return Err(Error::mismatch(argument, grad.len() as u64, param.len() as u64));
            }
        }
        self.step_list(&ManyMut::new(params), &Many(grads))
    }

    /// Takes in the gradient and writes the direction that a step would move the parameters against, without learning
    /// rate and weight decay.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn direction(&mut self, direction: &mut [T], grads: &[T]) -> Result<()> {
        self.check_len("the length of direction", direction.len())?;
        self.check_len("the length of grads", grads.len())?;
        self.whole("direction", &One::new(grads), &OneMut::new(direction), |target| Output::Write(target))
    }

    /// A step over two lists of tensors of the same lengths.
    pub(crate) fn step_list(&mut self, params: &dyn TensorListMut<T>, grads: &dyn TensorList<T>) -> Result<()> {
        let (keep, lr) = (self.keep(), self.lr);
        self.whole("step", grads, params, |params| Output::Move { params, keep, lr })
    }

    /// All phases at once over tensor lists.
    fn whole<'l>(
        &mut self,
        call: &'static str,
        grads: &'l dyn TensorList<T>,
        target: &'l dyn TensorListMut<T>,
        output: impl for<'a> FnOnce(TensorsMut<'a, T>) -> Output<'a, T>,
    ) -> Result<()> {
        self.check_idle(call)?;
        self.list_starts(grads)?;
        let mut lent = Lent::new(self, |optimizer| &mut optimizer.starts);
        let Lent { owner: optimizer, field: starts, .. } = &mut lent;
        optimizer.open();
        optimizer.feed_range(Tensors::new(grads, starts, 0), 0..optimizer.dim);
        optimizer.sum();
        let result = optimizer.solve_blocks();
        if result.is_ok() {
            let output = output(TensorsMut::new(target, starts, 0));
            optimizer.apply_range(Tensors::new(grads, starts, 0), output, 0..optimizer.dim);
            optimizer.accept();
        }
        optimizer.phase = Phase::Idle;
        result
    }

    /// Opens a step in phases: [`feed`](Self::feed) for every piece of the gradient, in any order, then
    /// [`solve`](Self::solve), [`apply`](Self::apply) for every piece and [`end`](Self::end). Until then, or until
    /// [`cancel`](Self::cancel), no other step can be made.
    ///
    /// # Errors
    /// [`Error::WrongPhase`] where one is open already.
    pub fn begin(&mut self) -> Result<()> {
        self.check_idle("begin")?;
        self.open();
        Ok(())
    }

    /// Takes in the piece of the gradient that belongs to the parameters from `offset` on. Together the pieces cover
    /// every parameter once. A NaN is refused in [`solve`](Self::solve).
    ///
    /// # Errors
    /// [`Error::WrongPhase`], [`Error::InvalidArgument`] where it overlaps another or is out of range,
    /// [`Error::OutOfMemory`] where the pieces lie in very many separate runs, or cut very many units of the format.
    pub fn feed(&mut self, offset: usize, grads: &[T]) -> Result<()> {
        if self.phase != Phase::Open {
            return Err(self.wrong("feed"));
        }
        if let Some(piece) = self.fed.admit(offset, grads.len())? {
            self.feed_piece(offset, grads, piece.range.clone())?;
            fault::point();
            self.fed.enter(piece);
        }
        Ok(())
    }

    /// The sums that are to be added up over processes, in place. Once they are taken the gradient is complete.
    ///
    /// They also say whether the processes agree in the library's version, the step's number, the learning rate and all
    /// options but `threads`: where they do not, [`solve`](Self::solve) refuses the step on every process.
    ///
    /// # Errors
    /// [`Error::WrongPhase`] where a piece is missing or the step is solved.
    pub fn partials(&mut self) -> Result<&mut [f64]> {
        self.complete_gradient("partials")?;
        Ok(&mut self.partials)
    }

    /// Computes the step from the sums. Changes neither state nor parameters.
    ///
    /// # Errors
    /// [`Error::NonFinite`], [`Error::WrongPhase`] where a piece is missing or the step is solved already,
    /// [`Error::InvalidArgument`] for partials that are no sum over processes at the same step and with the same
    /// options, learning rate and library version.
    pub fn solve(&mut self) -> Result<()> {
        self.complete_gradient("solve")?;
        self.solve_blocks()?;
        self.phase = Phase::Solved;
        Ok(())
    }

    /// Moves a piece of the parameters. `grads` are those that were fed for it.
    ///
    /// # Errors
    /// As [`Optimizer::feed`]; [`Error::DimensionMismatch`] where the lengths differ.
    pub fn apply(&mut self, offset: usize, params: &mut [T], grads: &[T]) -> Result<()> {
        let (keep, lr) = (self.keep(), self.lr);
        self.apply_piece("apply", offset, params, grads, |params| Output::Move { params, keep, lr })
    }

    /// As [`Optimizer::apply`], but writes the direction instead of moving parameters, without learning rate and weight
    /// decay.
    ///
    /// # Errors
    /// As [`Optimizer::apply`].
    pub fn apply_direction(&mut self, offset: usize, direction: &mut [T], grads: &[T]) -> Result<()> {
        self.apply_piece("apply_direction", offset, direction, grads, |direction| Output::Write(direction))
    }

    fn apply_piece(
        &mut self,
        call: &'static str,
        offset: usize,
        target: &mut [T],
        grads: &[T],
        output: impl for<'a> FnOnce(TensorsMut<'a, T>) -> Output<'a, T>,
    ) -> Result<()> {
        if !matches!(self.phase, Phase::Solved | Phase::Applying) {
            return Err(self.wrong(call));
        }
        if target.len() != grads.len() {
            return Err(Error::mismatch("the length of grads", grads.len() as u64, target.len() as u64));
        }
        if let Some(piece) = self.applied.admit(offset, grads.len())? {
            let (grads, target) = (One::new(grads), OneMut::new(target));
            let output = output(TensorsMut::new(&target, &[], offset));
            self.phase = Phase::Applying;
            self.apply_range(Tensors::new(&grads, &[], offset), output, piece.range.clone());
            self.applied.enter(piece);
        }
        Ok(())
    }

    /// Ends a step in phases: it counts as accepted.
    ///
    /// # Errors
    /// [`Error::WrongPhase`] where a piece is missing or no step is solved.
    pub fn end(&mut self) -> Result<()> {
        if !matches!(self.phase, Phase::Solved | Phase::Applying) {
            return Err(self.wrong("end"));
        }
        if !self.applied.is_complete() {
            return Err(Error::WrongPhase { call: "end", reason: "not every parameter is applied" });
        }
        self.accept();
        fault::point();
        self.phase = Phase::Idle;
        Ok(())
    }

    /// Drops the open step, back to the state before [`begin`](Self::begin). Possible while nothing is applied.
    ///
    /// # Errors
    /// [`Error::WrongPhase`] where none is open or part of it is applied.
    pub fn cancel(&mut self) -> Result<()> {
        if matches!(self.phase, Phase::Idle | Phase::Applying) {
            return Err(self.wrong("cancel"));
        }
        self.phase = Phase::Idle;
        Ok(())
    }

    /// Forgets everything but the configuration and the learning rate, and ends a step in phases, whatever was done of
    /// it.
    pub fn reset(&mut self) {
        self.steps = 0;
        self.phase = Phase::Idle;
        fault::point();
        self.blocks.iter_mut().for_each(Block::clear);
        self.chunks.iter_mut().for_each(Chunk::clear);
    }

    /// Sets the learning rate of the steps to come.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`], [`Error::WrongPhase`] in an open step.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        self.check_idle("set_lr")?;
        Config { lr, weight_decay: 0.0, ..self.config }.validate().map_err(|error| match error {
            Error::InvalidArgument { value, expected, .. } => Error::invalid("lr", value, expected),
            other => other,
        })?;
        self.check_decay("lr", lr)?;
        self.lr = lr;
        Ok(())
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

    /// Refuses a learning rate that does not go with the weight decay.
    fn check_decay(&self, name: &'static str, lr: f64) -> Result<()> {
        if self.config.is_decay_in_range(lr) {
            return Ok(());
        }
        let expected = "at most 1/weight_decay, or weight decay reverses parameters, or makes them overflow";
        Err(Error::invalid(name, Value::Real(lr), expected))
    }

    /// Factor of decoupled weight decay.
    fn keep(&self) -> f64 {
        1.0 - self.lr * self.config.weight_decay
    }

    fn ring(&self) -> Ring {
        Ring::after(self.steps, self.config.history_size as usize)
    }

    /// Where each tensor of a list starts, once their lengths are known to add up.
    fn list_starts(&mut self, list: &dyn TensorList<T>) -> Result<()> {
        let count = list.count();
        self.starts.clear();
        self.starts.try_reserve(count).map_err(|_| Error::OutOfMemory {
            what: "the starts of the tensors",
            bytes: (count as u64).saturating_mul(size_of::<usize>() as u64),
        })?;
        let mut total = 0usize;
        for index in 0..count {
            self.starts.push(total);
            total = total.saturating_add(list.tensor(index).1);
        }
        self.check_len(SUM_OF_LENGTHS, total)
    }

    /// Moves on to the state in which the sums are known, if every piece is there.
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

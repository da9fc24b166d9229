//! Creating an optimizer. All memory that steps need is reserved here.

use super::block::Block;
use super::chunk::{Chunk, Scratch, chunk_len};
use super::coverage::Coverage;
use super::cut_groups::CutGroups;
use super::gradient::Frozen;
use super::partials::{HashedOptions, Layout};
use super::passes::{WORTH_A_SOLVING_THREAD, WORTH_A_THREAD};
use super::solve::Solver;
use super::stats::Refused;
use super::{Optimizer, Phase, USUAL_TENSORS};
use crate::config::Config;
use crate::error::{Error, Result, Value};
use crate::fault;
use crate::kernels::Element;
use crate::memory::{Arena, Buffer, try_vec};
use crate::parallel::{self, Pool};
use crate::window::FormatTable;

/// The name of all arrays of the model's length, in errors.
const MODEL: &str = "the window of gradients and the averages";

/// The sizes of an optimizer, computed before it is created.
struct Plan<T: Element> {
    config: Config,
    format: FormatTable<T>,
    layout: Layout,
    dim: usize,
    /// Number of groups of the history format.
    format_groups: usize,
    chunk_count: usize,
    /// Bytes of all arrays of the model's length; saturates.
    bytes: usize,
}

impl<T: Element> Plan<T> {
    fn new(config: &Config, dims: &[usize]) -> Result<Self> {
        let config = Config { dtype: T::DTYPE, ..*config };
        config.validate()?;
        let format = FormatTable::new(&config);
        if dims.is_empty() {
            return Err(Error::invalid("the number of dims", Value::Count(0), "at least 1"));
        }
        let layout = Layout::new(&config);
        let (mut dim, mut format_groups, mut chunk_count, mut bytes) = (0usize, 0, 0, 0usize);
        for &len in dims {
            dim = dim.checked_add(len).ok_or(Error::OutOfMemory { what: "the model", bytes: u64::MAX })?;
            let (whole, rest) = (len / chunk_len(len), len % chunk_len(len));
            format_groups += len.div_ceil(format.granularity);
            chunk_count += whole + usize::from(rest > 0);
            let of_whole = Chunk::arena_bytes(&config, &format, layout, chunk_len(len)).saturating_mul(whole);
            let of_rest = if rest > 0 { Chunk::arena_bytes(&config, &format, layout, rest) } else { 0 };
            bytes = bytes.saturating_add(of_whole).saturating_add(of_rest);
        }
        Ok(Self { config, format, layout, dim, format_groups, chunk_count, bytes })
    }
}

/// Returns the number of partials of `blocks` blocks; saturates.
fn partials(blocks: usize, layout: Layout) -> usize {
    blocks.saturating_mul(layout.len())
}

/// Returns the number of threads that process chunks. Each has its own scratch.
fn scratches(threads: usize, chunks: usize) -> usize {
    threads.min(chunks).max(1)
}

/// Returns the number of threads that solve blocks. Each has its own solver.
fn solvers_of(threads: usize, blocks: usize) -> usize {
    threads.min(blocks)
}

impl<T: Element> Optimizer<T> {
    /// Creates an optimizer for parameters in blocks of the lengths `dims`, in memory order. Each block has its own
    /// preconditioner. A length may be 0. The element type is `T`; `config.dtype` is ignored.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if an option is out of range or `dims` is empty; [`Error::OutOfMemory`].
    pub fn new(config: &Config, dims: &[usize]) -> Result<Self> {
        let Plan { config, format, layout, dim, format_groups, chunk_count, bytes } = Plan::new(config, dims)?;
        // One piece of memory holds all arrays of the model's length, in the order in which the passes read them.
        let mut arena = Arena::new(bytes, MODEL)?;
        let mut blocks = try_vec(dims.len(), "the blocks")?;
        let mut chunks = try_vec(chunk_count, "the chunks")?;
        let mut start = 0;
        for (index, &len) in dims.iter().enumerate() {
            let first = chunks.len();
            let end = start + len;
            for chunk_start in (start..end).step_by(chunk_len(len)) {
                let range = chunk_start..end.min(chunk_start + chunk_len(len));
                chunks.push(Chunk::new(&config, &format, layout, index, range, &mut arena)?);
            }
            fault::point();
            blocks.push(Block::new(&config, len, first..chunks.len())?);
            start = end;
        }
        let Threads { pool, scratch, solvers } = Threads::new(&config, dim, dims.len(), chunk_count)?;
        fault::point();
        Ok(Self {
            lr: config.lr,
            config,
            dim,
            steps: 0,
            averaged: 0,
            refused: Refused::default(),
            hashed: HashedOptions::new(&config, env!("CARGO_PKG_VERSION")),
            groups: Vec::new(),
            frozen: Frozen::new(USUAL_TENSORS)?,
            weights: Buffer::zeroed(config.history_size as usize, "the weights of the columns")?,
            pending_weights: Buffer::zeroed(config.history_size as usize, "the weights of the columns")?,
            blocks,
            chunks,
            partials: Buffer::zeroed(partials(dims.len(), layout), "the sums of a step")?,
            layout,
            phase: Phase::Idle,
            fed: Coverage::new(dim)?,
            cut_groups: CutGroups::new(format.granularity, format_groups)?,
            applied: Coverage::new(dim)?,
            pool,
            scratch,
            solvers,
            starts: try_vec(USUAL_TENSORS, "the starts of the tensors")?,
        })
    }

    /// Computes the bytes that an optimizer with these options and blocks would hold:
    /// [`Stats::state_bytes`](super::Stats) of a new optimizer. The call allocates a k×k solver to learn its size, but
    /// nothing of the model's length.
    ///
    /// # Errors
    /// As [`Optimizer::new`]; [`Error::OutOfMemory`] if the size overflows.
    pub fn memory(config: &Config, dims: &[usize]) -> Result<u64> {
        let Plan { config, format, layout, dim, format_groups, chunk_count, bytes } = Plan::<T>::new(config, dims)?;
        Arena::check(bytes, MODEL)?;
        let threads = useful_threads(&config, dim, dims.len(), chunk_count);
        let several = |count: usize, bytes: usize| (count as u64).checked_mul(bytes as u64);
        let sizes = [
            several(1, bytes),
            several(dims.len(), Block::new(&config, 0, 0..0)?.bytes() + size_of::<Block>()),
            several(scratches(threads, chunk_count), Scratch::<T>::new(&config, &format)?.bytes()),
            several(solvers_of(threads, dims.len()), Solver::new(&config, T::ROUNDOFF)?.bytes()),
            several(1, Arena::bytes_for::<f64>(partials(dims.len(), layout))),
            several(2, Arena::bytes_for::<f64>(config.history_size as usize)),
            several(1, CutGroups::<T>::new(format.granularity, format_groups)?.bytes()),
            several(1, size_of::<Self>()),
            several(chunk_count, size_of::<Chunk<T>>()),
        ];
        let total = sizes.into_iter().try_fold(0u64, |total, bytes| total.checked_add(bytes?));
        total.ok_or(Error::OutOfMemory { what: MODEL, bytes: u64::MAX })
    }

    /// Returns the bytes that the optimizer holds.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.iter().map(Chunk::bytes).sum::<usize>()
            + self.blocks.iter().map(Block::bytes).sum::<usize>()
            + self.scratch.iter().map(Scratch::bytes).sum::<usize>()
            + self.solvers.iter().map(Solver::bytes).sum::<usize>()
            + self.partials.bytes()
            + self.cut_groups.bytes()
            + self.weights.bytes()
            + self.pending_weights.bytes()
            + size_of::<Self>()
            + self.chunks.capacity() * size_of::<Chunk<T>>()
            + self.blocks.capacity() * size_of::<Block>()
    }
}

/// The threads of a step, with their scratch.
pub(super) struct Threads<T: Element> {
    pub pool: Pool,
    pub scratch: Vec<Scratch<T>>,
    pub solvers: Vec<Solver>,
}

impl<T: Element> Threads<T> {
    /// Reserves threads and scratch for a model of `dim` parameters in `blocks` blocks and `chunks` chunks.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]
    pub fn new(config: &Config, dim: usize, blocks: usize, chunks: usize) -> Result<Self> {
        let format = FormatTable::new(config);
        let threads = useful_threads(config, dim, blocks, chunks);
        let mut scratch = try_vec(threads, "the threads' tiles")?;
        for _ in 0..scratches(threads, chunks) {
            scratch.push(Scratch::new(config, &format)?);
        }
        let mut solvers = try_vec(threads, "the k×k solvers")?;
        for _ in 0..solvers_of(threads, blocks) {
            solvers.push(Solver::new(config, T::ROUNDOFF)?);
        }
        fault::point();
        Ok(Self { pool: Pool::new(threads), scratch, solvers })
    }
}

/// Returns the number of threads that can have work in some step.
fn useful_threads(config: &Config, dim: usize, blocks: usize, chunks: usize) -> usize {
    let size = config.history_size as usize;
    let passes = dim.saturating_mul(size) >= WORTH_A_THREAD;
    let solver = blocks > 1 && blocks.saturating_mul(size.pow(3)) >= WORTH_A_SOLVING_THREAD;
    let most = if passes {
        chunks.max(blocks)
    } else if solver {
        blocks
    } else {
        1
    };
    // With one useful thread the number of processors is not asked for: the answer may have to be read from files.
    if most <= 1 { 1 } else { parallel::usable_threads(config.threads as usize).min(most) }
}

//! What a saved optimizer consists of. The window is saved column by column in the order of the ring's slots, so that
//! a run that loads it goes on with the same bits, whatever the chunks and tiles of the version that loads it.
//!
//! The parts of a state: [`Head`]; the lengths of the blocks, the weights of the columns and the parameter groups; the
//! contents, block by block. `Optimizer::write` and `Optimizer::load_block_contents` have the order of the contents, and
//! `Optimizer::sections` the size of what has the model's length.

use super::Optimizer;
use super::block::Block;
use super::chunk::{AVERAGES, averages};
use super::groups::{Group, is_decay_in_range, sorted};
use super::stats::BlockStats;
use crate::checkpoint::{
    BAD_NUMBER, CHECKSUM, OTHER_VERSION, PRELUDE, Reader, Runs, Sink, Source, Stream, Writer, source_of, take_part,
};
use crate::config::{Config, Dtype};
use crate::error::{Argument, Error, Result, Value};
use crate::fault;
use crate::kernels::Element;
use crate::memory::{as_bytes_mut, try_vec};
use crate::window::Shape;
use std::io;

/// How errors name the length of the buffer of a save.
pub(crate) const BUFFER_LENGTH: &str = "the length of buffer";
/// What errors expect of an option in a state.
pub(crate) const SAME_OPTION: &str = "a state of this optimizer's option";

/// Steps up to here are counted exactly in f64 too.
const MOST_STEPS: u64 = 1 << 53;

/// More than the norm of a gradient whose square is 0 or inexact because the numbers' squares are so small.
const UNDERFLOW: f64 = 1e-150;

/// The first part of a state.
pub(super) struct Head {
    /// All options; the learning rate as it was when the state was saved.
    pub config: Config,
    pub steps: u64,
    /// Steps that entered the average of the parameters.
    pub averaged: u64,
    /// How many blocks there are. Their lengths begin the next part.
    pub blocks: u64,
    /// How many parameter groups there are. They end the next part.
    pub groups: u64,
}

impl Head {
    /// Bytes of the number of options, which comes first.
    const COUNT: usize = size_of::<u32>();
    /// Bytes of the options and what follows them.
    const REST: usize = (Config::OPTIONS + 4) * size_of::<u64>();
    /// Bytes of a parameter group.
    const GROUP: usize = 4 * size_of::<u64>();

    fn write(&self, writer: &mut Writer<'_>) -> Result<()> {
        writer.put(Config::OPTIONS as u32)?;
        writer.put_all(&self.config.to_words())?;
        writer.put_all(&[self.steps, self.averaged, self.blocks, self.groups])?;
        writer.end_part()
    }

    fn read(stream: &mut Stream<'_>) -> Result<Self> {
        stream.expect(Self::COUNT);
        if stream.take::<u32>()? != Config::OPTIONS as u32 {
            return Err(OTHER_VERSION);
        }
        stream.expect(Self::REST + CHECKSUM);
        let mut words = [0; Config::OPTIONS];
        stream.take_into(as_bytes_mut(&mut words))?;
        let [steps, averaged, blocks, groups] = [stream.take()?, stream.take()?, stream.take()?, stream.take()?];
        stream.end_part()?;
        let config = Config::from_words(&words).filter(|config| config.validate().is_ok());
        let config = config.ok_or(Error::bad_state("it holds options that no optimizer can have"))?;
        let is_good = steps < MOST_STEPS && averaged <= steps && blocks > 0;
        if is_good { Ok(Self { config, steps, averaged, blocks, groups }) } else { Err(BAD_NUMBER) }
    }

    /// Bytes of the parts before the contents.
    fn bytes(&self) -> usize {
        let [lens, weights, groups] = self.arrays();
        PRELUDE + Self::COUNT + Self::REST + CHECKSUM + lens + weights + groups + CHECKSUM
    }

    /// Bytes of the arrays of the second part; saturates.
    fn arrays(&self) -> [usize; 3] {
        let of = |count: u64, bytes: usize| usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(bytes);
        let weights = of(self.config.history_size.into(), size_of::<f64>());
        [of(self.blocks, size_of::<u64>()), weights, of(self.groups, Self::GROUP)]
    }

    /// Bytes of the second part without its checksum; saturates.
    fn second(&self) -> usize {
        self.arrays().into_iter().fold(0, usize::saturating_add)
    }
}

/// A state in memory, found undamaged.
pub(super) struct Saved<'a> {
    pub head: Head,
    /// The lengths of the blocks, each a `u64`.
    pub lens: Runs<'a>,
    /// The weights of the columns, by slot.
    weights: Runs<'a>,
    groups: Runs<'a>,
    pub contents: &'a [u8],
}

impl<'a> Saved<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let mut rest = bytes;
        let mut source = source_of(&mut rest);
        let mut stream = Stream::new(&mut source)?;
        let head = Head::read(&mut stream)?;
        let mut checksum = stream.into_checksum();
        drop(source);
        let second = take_part(&mut rest, head.second(), &mut checksum)?;
        let [lens, weights, _] = head.arrays();
        let (lens, second) = second.split_at(lens);
        let (weights, groups) = second.split_at(weights);
        let [lens, weights, groups] = [lens, weights, groups].map(Runs::one);
        let contents = rest.len().saturating_sub(CHECKSUM);
        let contents = take_part(&mut rest, contents, &mut checksum)?;
        Ok(Self { head, lens, weights, groups, contents })
    }

    /// The weight of a column.
    fn weight(&self, slot: usize) -> Result<f64> {
        self.weights.at(slot).filter(|&weight| is_length(weight)).ok_or(BAD_NUMBER)
    }

    /// The parameter groups, of an optimizer with `dim` parameters.
    fn groups(&self, dim: usize) -> Result<Vec<Group>> {
        let count = self.head.groups as usize;
        let mut groups = try_vec(count, "the parameter groups")?;
        for index in 0..count {
            let word = |place: usize| self.groups.at::<u64>(4 * index + place).unwrap_or_default();
            groups.push(group([word(0), word(1), word(2), word(3)]));
        }
        saved_groups(groups, dim)
    }

    /// The length of a block, of which there are [`Head::blocks`].
    pub fn len(&self, block: usize) -> u64 {
        self.lens.at(block).unwrap_or_default()
    }
}

/// A state from a stream, read up to its contents.
pub(crate) struct Incoming<'a> {
    stream: Stream<'a>,
    head: Head,
    dims: Vec<usize>,
    weights: Vec<f64>,
    groups: Vec<Group>,
}

impl<'a> Incoming<'a> {
    /// # Errors
    /// [`Error::BadState`], [`Error::OutOfMemory`], what the source says.
    pub fn new(source: &'a mut Source<'a>) -> Result<Self> {
        let mut stream = Stream::new(source)?;
        let head = Head::read(&mut stream)?;
        let blocks = usize::try_from(head.blocks).unwrap_or(usize::MAX);
        stream.expect(head.second().saturating_add(CHECKSUM));
        // They grow as numbers come in: nothing is reserved because a state says so.
        let mut dims = Vec::new();
        for _ in 0..blocks {
            push(&mut dims, usize::try_from(stream.take::<u64>()?).unwrap_or(usize::MAX))?;
        }
        let mut weights = Vec::new();
        for _ in 0..head.config.history_size {
            push(&mut weights, stream.take::<f64>()?)?;
        }
        let mut groups = Vec::new();
        for _ in 0..head.groups {
            push(&mut groups, group([stream.take()?, stream.take()?, stream.take()?, stream.take()?]))?;
        }
        stream.end_part()?;
        if !weights.iter().all(|&weight| is_length(weight)) {
            return Err(BAD_NUMBER);
        }
        Ok(Self { stream, head, dims, weights, groups })
    }

    /// The element type of the saved optimizer.
    pub fn dtype(&self) -> Dtype {
        self.head.config.dtype
    }

    /// Creates the optimizer, and reads the contents into it.
    pub fn into_optimizer<T: Element>(mut self) -> Result<Optimizer<T>> {
        if self.dtype() != T::DTYPE {
            let value = Value::Count(self.dtype() as u64);
            return Err(Error::invalid("the state's dtype", value, SAME_OPTION));
        }
        let mut optimizer = Optimizer::new(&self.head.config, &self.dims)?;
        let groups = saved_groups(self.groups, optimizer.dim)?;
        optimizer.check_saved_decay(&groups, self.head.config.lr).map_err(|_| BAD_NUMBER)?;
        optimizer.frozen.reserve(groups.len())?;
        optimizer.groups = groups;
        optimizer.weights.copy_from_slice(&self.weights);
        self.stream.expect(optimizer.contents_bytes() + CHECKSUM);
        let mut source = |target: &mut [u8]| self.stream.take_into(target);
        optimizer.load_block_contents(&mut Reader::Streaming(&mut source), self.head.steps)?;
        self.stream.end_part()?;
        (optimizer.steps, optimizer.averaged) = (self.head.steps, self.head.averaged);
        Ok(optimizer)
    }
}

impl<T: Element> Optimizer<T> {
    /// Size of a saved state in bytes. It depends on configuration, lengths and the number of parameter groups only.
    pub fn state_size(&self) -> usize {
        self.head().bytes() + self.contents_bytes() + CHECKSUM
    }

    fn head(&self) -> Head {
        Head {
            config: self.config(),
            steps: self.steps,
            averaged: self.averaged,
            blocks: self.blocks.len() as u64,
            groups: self.groups.len() as u64,
        }
    }

    /// Saves the state into `buffer`, which has exactly [`Optimizer::state_size`] bytes.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`], [`Error::WrongPhase`] in an open step.
    pub fn state_save(&self, buffer: &mut [u8]) -> Result<()> {
        self.check_idle("state_save")?;
        let size = self.state_size();
        if buffer.len() != size {
            return Err(Error::mismatch(BUFFER_LENGTH, buffer.len() as u64, size as u64));
        }
        let mut written = 0;
        self.write(&mut |bytes| {
            buffer[written..written + bytes.len()].copy_from_slice(bytes);
            written += bytes.len();
            Ok(())
        })
    }

    /// Writes the state, the same bytes as [`Optimizer::state_save`], without a copy of it. Short pieces are gathered, so
    /// that a file need not be buffered.
    ///
    /// # Errors
    /// [`Error::Callback`] where `writer` fails, which leaves what it has taken by then; [`Error::WrongPhase`] in an open
    /// step.
    pub fn state_write(&self, mut writer: impl io::Write) -> Result<()> {
        self.state_write_to(&mut |bytes| writer.write_all(bytes).map_err(|error| failed("writer", &error)))
    }

    /// [`Optimizer::state_write`], for any sink.
    pub(crate) fn state_write_to(&self, sink: &mut Sink<'_>) -> Result<()> {
        self.check_idle("state_write")?;
        self.write(sink)
    }

    /// The optimizer whose state `reader` has: its configuration, learning rate and blocks are those of the state. No
    /// copy of the state is made. No byte after the state's end is read; a file need not be buffered.
    ///
    /// # Errors
    /// [`Error::BadState`] for damage; [`Error::Callback`] where `reader` fails, as at its end; [`Error::OutOfMemory`],
    /// also where the lengths in the state are made up; [`Error::InvalidArgument`] for the state of another element type.
    pub fn from_state(mut reader: impl io::Read) -> Result<Self> {
        let mut source = |target: &mut [u8]| reader.read_exact(target).map_err(|error| failed("reader", &error));
        Incoming::new(&mut source)?.into_optimizer()
    }

    /// Puts a saved state in place of this one, its learning rate too. It is checked whole before anything changes.
    ///
    /// # Errors
    /// [`Error::BadState`] for damage; [`Error::DimensionMismatch`] and [`Error::InvalidArgument`] for the state of an
    /// optimizer of another shape; [`Error::WrongPhase`] in an open step.
    pub fn state_load(&mut self, bytes: &[u8]) -> Result<()> {
        self.check_idle("state_load")?;
        let saved = Saved::new(bytes)?;
        self.check_options(&saved.head)?;
        for (index, block) in self.blocks.iter().enumerate() {
            let (found, len) = (saved.len(index), block.len as u64);
            if found != len {
                return Err(Error::mismatch(Argument::element("the state's dims", index), found, len));
            }
        }
        let groups = saved.groups(self.dim)?;
        self.frozen.reserve(groups.len())?;
        self.load_contents(Runs::one(saved.contents), &saved, &groups)?;
        self.groups = groups;
        Ok(())
    }

    /// Refuses a learning rate with which weight decay would reverse parameters in one of `groups`.
    fn check_saved_decay(&self, groups: &[Group], lr: f64) -> Result<()> {
        if is_decay_in_range(groups, &self.config, lr) {
            return Ok(());
        }
        let expected = "at most 1/weight_decay, or weight decay reverses parameters, or makes them overflow";
        Err(Error::invalid("the state's lr", Value::Real(lr), expected))
    }

    /// Replaces everything but the groups by these contents of `saved`, once they are checked. The groups will be
    /// `groups`.
    pub(super) fn load_contents(&mut self, contents: Runs<'_>, saved: &Saved<'_>, groups: &[Group]) -> Result<()> {
        let head = &saved.head;
        let lr = head.config.lr;
        self.check_saved_decay(groups, lr)?;
        (0..self.weights.len()).try_for_each(|slot| saved.weight(slot).map(|_| ()))?;
        let mut reader = Reader::Checking(contents);
        self.load_block_contents(&mut reader, head.steps)?;
        reader.finish()?;
        self.load_block_contents(&mut Reader::Checked(contents), head.steps)?;
        for (slot, weight) in self.weights.iter_mut().enumerate() {
            *weight = saved.weight(slot)?;
        }
        (self.steps, self.averaged) = (head.steps, head.averaged);
        fault::point();
        self.lr = lr;
        // It follows from the Gram matrix.
        self.blocks.iter_mut().for_each(|block| block.stats.spectrum = None);
        Ok(())
    }

    fn load_block_contents(&mut self, reader: &mut Reader<'_>, steps: u64) -> Result<()> {
        for block in &mut self.blocks {
            read_block(reader, block, steps)?;
            fault::point();
            let chunks = &mut self.chunks[block.chunks.clone()];
            for slot in 0..self.config.history_size as usize {
                chunks.iter_mut().try_for_each(|chunk| chunk.window.load(slot, reader))?;
                fault::point();
            }
            chunks.iter_mut().try_for_each(|chunk| chunk.window.load_rest(reader))?;
            for index in 0..AVERAGES {
                for chunk in &mut *chunks {
                    let (buffer, is_good) = &mut chunk.averages_mut()[index];
                    reader.load_all(buffer, *is_good)?;
                }
            }
        }
        Ok(())
    }

    fn write(&self, sink: &mut Sink<'_>) -> Result<()> {
        let mut writer = Writer::new(sink)?;
        self.head().write(&mut writer)?;
        self.blocks.iter().try_for_each(|block| writer.put(block.len as u64))?;
        writer.put_all(&self.weights)?;
        for group in &self.groups {
            writer.put_all(&words(group))?;
        }
        writer.end_part()?;
        for block in &self.blocks {
            write_block(&mut writer, block)?;
            fault::point();
            let chunks = &self.chunks[block.chunks.clone()];
            for slot in 0..self.config.history_size as usize {
                chunks.iter().try_for_each(|chunk| chunk.window.save(slot, &mut writer))?;
            }
            chunks.iter().try_for_each(|chunk| chunk.window.save_rest(&mut writer))?;
            for index in 0..AVERAGES {
                chunks.iter().try_for_each(|chunk| writer.put_all(chunk.averages()[index]))?;
            }
        }
        writer.end_part()?;
        writer.finish()
    }

    /// Refuses the state of an optimizer of another shape.
    pub(super) fn check_options(&self, head: &Head) -> Result<()> {
        let (its, own) = (&head.config, &self.config);
        if its.history_size != own.history_size {
            let (found, expected) = (its.history_size.into(), own.history_size.into());
            return Err(Error::mismatch("the state's history_size", found, expected));
        }
        let differing = [
            ("the state's dtype", its.dtype != own.dtype, Value::Count(its.dtype as u64)),
            (
                "the state's history_format",
                its.history_format != own.history_format,
                Value::HistoryFormat(its.history_format),
            ),
            ("the state's density", its.density != own.density, Value::Real(its.density)),
            (
                "the state's momentum_kind",
                its.momentum_kind != own.momentum_kind,
                Value::Count(its.momentum_kind as u64),
            ),
            ("the state's clip_kind", its.clip_kind != own.clip_kind, Value::Clip(its.clip_kind)),
            ("the state's average_beta", its.averages_params() != own.averages_params(), Value::Real(its.average_beta)),
            ("the state's diagonal_beta", its.is_diagonal() != own.is_diagonal(), Value::Real(its.diagonal_beta)),
        ];
        if let Some(&(name, _, value)) = differing.iter().find(|(_, differs, _)| *differs) {
            return Err(Error::invalid(name, value, SAME_OPTION));
        }
        let blocks = self.blocks.len() as u64;
        if head.blocks != blocks {
            return Err(Error::mismatch("the state's number of blocks", head.blocks, blocks));
        }
        Ok(())
    }

    /// Bytes of the contents of a state of this optimizer.
    fn contents_bytes(&self) -> usize {
        self.contents_bytes_of(|block| self.blocks[block].len)
    }

    /// Bytes of the contents of a state whose blocks have these lengths; saturates.
    pub(super) fn contents_bytes_of(&self, len: impl Fn(usize) -> usize) -> usize {
        let sections = |block| self.sections(len(block)).into_iter();
        let bytes = |block| sections(block).map(|(count, bytes)| count.saturating_mul(bytes));
        let blocks = (0..self.blocks.len()).flat_map(|block| bytes(block).chain([block_bytes(&self.blocks[block])]));
        blocks.fold(0, usize::saturating_add)
    }

    /// What the contents have of a block of `len` elements after [`block_bytes`]: how many sections of a kind, and the
    /// bytes of each; saturates. Those of a part of it that begins with a unit and ends with one are as many, wherever it
    /// lies.
    pub(super) fn sections(&self, len: usize) -> [(usize, usize); 2 + AVERAGES] {
        let saved = Shape::<T>::new(&self.config).saved(&self.config, len);
        let [momentum, average, root, params] =
            averages(&self.config, len).map(|len| (1, len.saturating_mul(size_of::<T>())));
        [(self.config.history_size as usize, saved.column), (1, saved.rest), momentum, average, root, params]
    }
}

/// Whether this is a Gram matrix: it is symmetric, to the last bit, and no product of two gradients is larger than that
/// of their norms. The factor is for rounding. Without this, what is made of the matrix might overflow where a
/// gradient's own products cannot.
fn is_gram(size: usize, at: &dyn Fn(usize) -> f64) -> bool {
    // Of a negative square the norm is NaN.
    let norm = |slot: usize| at(slot * (size + 1)).sqrt() + UNDERFLOW;
    let mut places = (0..size).flat_map(|i| (0..size).map(move |j| (i, j)));
    places.all(|(i, j)| {
        let (product, mirrored) = (at(i * size + j), at(j * size + i));
        product.is_finite() && product.abs() <= 2.0 * norm(i) * norm(j) && mirrored.to_bits() == product.to_bits()
    })
}

/// The spectrum of the last step follows from the Gram matrix.
fn write_block(writer: &mut Writer<'_>, block: &Block) -> Result<()> {
    let BlockStats { grad_norm, update_norm, scale, spectrum: _ } = block.stats;
    writer.put_all(block.gram.entries())?;
    writer.put(block.norms.sum)?;
    writer.put(block.norms.count)?;
    writer.put_all(&[block.momentum_bound, grad_norm, update_norm, scale])
}

/// Bytes that [`write_block`] writes, those of the Gram matrix first.
pub(super) fn block_bytes(block: &Block) -> usize {
    (block.gram.entries().len() + 6) * size_of::<f64>()
}

fn read_block(reader: &mut Reader<'_>, block: &mut Block, steps: u64) -> Result<()> {
    let size = block.gram.size();
    reader.load_together(block.gram.entries_mut(), |at| is_gram(size, at))?;
    reader.load(&mut block.norms.sum, is_length)?;
    reader.load(&mut block.norms.count, |count| count <= steps)?;
    let BlockStats { grad_norm, update_norm, scale, spectrum: _ } = &mut block.stats;
    for length in [&mut block.momentum_bound, grad_norm, update_norm, scale] {
        reader.load(length, is_length)?;
    }
    Ok(())
}

/// Whether a number can be a length or a weight.
fn is_length(x: f64) -> bool {
    x.is_finite() && x >= 0.0
}

/// A parameter group as it lies in a state.
fn words(group: &Group) -> [u64; 4] {
    [group.offset as u64, group.len as u64, group.lr_scale.to_bits(), group.weight_decay_scale.to_bits()]
}

fn group([offset, len, lr_scale, weight_decay_scale]: [u64; 4]) -> Group {
    let position = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
    let (lr_scale, weight_decay_scale) = (f64::from_bits(lr_scale), f64::from_bits(weight_decay_scale));
    Group { offset: position(offset), len: position(len), lr_scale, weight_decay_scale }
}

/// The groups of a state, if they can be those of an optimizer with `dim` parameters.
fn saved_groups(groups: Vec<Group>, dim: usize) -> Result<Vec<Group>> {
    let is_empty = groups.iter().any(|group| group.len == 0);
    let sorted = sorted(&groups, dim).map_err(|error| match error {
        Error::OutOfMemory { .. } => error,
        _ => BAD_NUMBER,
    })?;
    if is_empty || sorted != groups { Err(BAD_NUMBER) } else { Ok(sorted) }
}

/// Appends a number that was read.
fn push<N>(numbers: &mut Vec<N>, number: N) -> Result<()> {
    numbers.try_reserve(1).map_err(|_| Error::OutOfMemory {
        what: "the lengths of the blocks and the groups of a state",
        bytes: ((numbers.len() + 1) * size_of::<N>()) as u64,
    })?;
    numbers.push(number);
    Ok(())
}

fn failed(argument: &'static str, error: &io::Error) -> Error {
    Error::Callback { argument, value: Value::Io(error.kind()) }
}

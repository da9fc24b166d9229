//! Saving and loading the state. The window is saved column by column, in the order of the slots, so that a run that
//! loads it continues with the same bits, even if another version cuts chunks and tiles differently.
//!
//! A state has three parts: [`Head`]; the lengths of the blocks, the weights of the columns and the parameter groups;
//! the contents, block by block. `Optimizer::write` and `Optimizer::load_block_contents` define the order of the
//! contents, `Optimizer::sections` the sizes of all arrays of the model's length.

use super::Optimizer;
use super::block::{Block, BlockStats};
use super::chunk::{AVERAGES, averages};
use super::groups::Group;
use super::state_head::{Head, Incoming, Saved, is_length, saved_groups, words};
use crate::checkpoint::{BAD_NUMBER, CHECKSUM, Reader, Runs, Sink, Writer};
use crate::error::{Argument, Error, Result, Value};
use crate::fault;
use crate::kernels::Element;
use crate::window::FormatTable;
use std::io;

/// The name of the length of the buffer of a save, in errors.
pub(crate) const BUFFER_LENGTH: &str = "the length of buffer";
/// The expected value of an option in a state, in errors.
pub(crate) const SAME_OPTION: &str = "a state of this optimizer's option";

/// An upper bound of the norm of a stored gradient whose square underflows or loses bits.
const UNDERFLOW: f64 = 1e-150;

impl Incoming<'_> {
    /// Creates the optimizer and reads the contents into it.
    pub fn into_optimizer<T: Element>(mut self) -> Result<Optimizer<T>> {
        if self.dtype() != T::DTYPE {
            let value = self.dtype().value();
            return Err(Error::invalid("the state's dtype", value, SAME_OPTION));
        }
        let mut optimizer = Optimizer::new(&self.head.config, &self.dims)?;
        let groups = saved_groups(self.groups, optimizer.dim)?;
        optimizer.check_decay("the state's lr", &groups, self.head.config.lr).map_err(|_| BAD_NUMBER)?;
        optimizer.frozen.reserve(groups.len())?;
        optimizer.groups = groups;
        optimizer.weights.copy_from_slice(&self.weights);
        self.stream.expect(optimizer.contents_bytes() + CHECKSUM);
        let mut source = |target: &mut [u8]| self.stream.take_into(target);
        let weight = self.weights.iter().fold(1.0, |most: f64, &weight| most.max(weight));
        optimizer.load_block_contents(&mut Reader::Streaming(&mut source), self.head.steps, weight)?;
        self.stream.end_part()?;
        (optimizer.steps, optimizer.averaged) = (self.head.steps, self.head.averaged);
        Ok(optimizer)
    }
}

impl<T: Element> Optimizer<T> {
    /// Returns the size of a saved state in bytes. It depends on the options, the lengths of the blocks and the number
    /// of parameter groups, not on the steps taken.
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

    /// Saves the state to `buffer`, which has to have exactly [`Optimizer::state_size`] bytes.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`]; [`Error::WrongPhase`] in an open step.
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

    /// Writes the state to `writer`, without a second copy of it. The bytes are those of [`Optimizer::state_save`].
    /// Short pieces are gathered, so a file needs no buffering.
    ///
    /// # Errors
    /// [`Error::Callback`] if `writer` fails (it may then have taken part of the state); [`Error::WrongPhase`] in an
    /// open step.
    pub fn state_write(&self, mut writer: impl io::Write) -> Result<()> {
        self.state_write_to(&mut |bytes| writer.write_all(bytes).map_err(|error| failed("writer", &error)))
    }

    /// Writes the state to a sink.
    pub(crate) fn state_write_to(&self, sink: &mut Sink<'_>) -> Result<()> {
        self.check_idle("state_write")?;
        self.write(sink)
    }

    /// Creates an optimizer from a saved state. It has the options, the learning rate, the parameter groups and the
    /// blocks of the state. The state is read straight into the optimizer, without a second copy, and no byte after its
    /// end is read. A file needs no buffering.
    ///
    /// # Errors
    /// [`Error::BadState`] if the state is damaged; [`Error::Callback`] if `reader` fails, for example at its end;
    /// [`Error::OutOfMemory`], also for forged lengths; [`Error::InvalidArgument`] for a state of another element type.
    pub fn from_state(mut reader: impl io::Read) -> Result<Self> {
        let mut source = |target: &mut [u8]| reader.read_exact(target).map_err(|error| failed("reader", &error));
        Incoming::new(&mut source)?.into_optimizer()
    }

    /// Replaces the present state by a saved one, with its learning rate and parameter groups. The whole state is
    /// checked before anything changes.
    ///
    /// # Errors
    /// [`Error::BadState`] if the state is damaged; [`Error::DimensionMismatch`] and [`Error::InvalidArgument`] if it
    /// has another layout than this optimizer; [`Error::WrongPhase`] in an open step.
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

    /// Checks the contents of `saved`, then replaces everything but the parameter groups by them. The learning rate is
    /// checked with `groups`, which the caller sets afterwards.
    pub(super) fn load_contents(&mut self, contents: Runs<'_>, saved: &Saved<'_>, groups: &[Group]) -> Result<()> {
        let head = &saved.head;
        let lr = head.config.lr;
        self.check_decay("the state's lr", groups, lr)?;
        let mut weight = 1.0_f64;
        for slot in 0..self.weights.len() {
            weight = weight.max(saved.weight(slot)?);
        }
        let mut reader = Reader::Checking(contents);
        self.load_block_contents(&mut reader, head.steps, weight)?;
        reader.finish()?;
        self.load_block_contents(&mut Reader::Checked(contents), head.steps, weight)?;
        for (slot, weight) in self.weights.iter_mut().enumerate() {
            *weight = saved.weight(slot)?;
        }
        (self.steps, self.averaged) = (head.steps, head.averaged);
        fault::point();
        self.lr = lr;
        // Computed from the Gram matrix when it is asked for.
        self.blocks.iter_mut().for_each(|block| block.stats.spectrum = None);
        let own = self.config;
        self.keep_averages(&head.config, &own);
        Ok(())
    }

    /// Loads or checks the contents of all blocks. `weight` is the largest weight of a column, at least 1.
    fn load_block_contents(&mut self, reader: &mut Reader<'_>, steps: u64, weight: f64) -> Result<()> {
        for block in &mut self.blocks {
            read_block(reader, block, steps, weight)?;
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

    /// Refuses a state whose layout differs from this optimizer's.
    pub(super) fn check_options(&self, head: &Head) -> Result<()> {
        let (its, own) = (&head.config, &self.config);
        if its.history_size != own.history_size {
            let (found, expected) = (its.history_size.into(), own.history_size.into());
            return Err(Error::mismatch("the state's history_size", found, expected));
        }
        let differing = [
            ("the state's dtype", its.dtype != own.dtype, its.dtype.value()),
            ("the state's history_format", its.history_format != own.history_format, its.history_format.value()),
            ("the state's density", its.density != own.density, Value::Real(its.density)),
            ("the state's momentum_kind", its.momentum_kind != own.momentum_kind, its.momentum_kind.value()),
            ("the state's clip_kind", its.clip_kind != own.clip_kind, its.clip_kind.value()),
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

    /// Returns the bytes of the contents of a state of this optimizer.
    fn contents_bytes(&self) -> usize {
        self.contents_bytes_of(|block| self.blocks[block].len)
    }

    /// Returns the bytes of the contents of a state whose blocks have the lengths `len(block)`; saturates.
    pub(super) fn contents_bytes_of(&self, len: impl Fn(usize) -> usize) -> usize {
        let sections = |block| self.sections(len(block)).into_iter();
        let bytes = |block| sections(block).map(|(count, bytes)| count.saturating_mul(bytes));
        let blocks = (0..self.blocks.len()).flat_map(|block| bytes(block).chain([block_bytes(&self.blocks[block])]));
        blocks.fold(0, usize::saturating_add)
    }

    /// Returns the sections that follow [`block_bytes`] in the contents of a block of `len` elements: for each kind,
    /// the number of sections and the bytes of each; saturates. For a part of a block that cuts no group of the history
    /// format, the bytes depend only on the length of the part.
    pub(super) fn sections(&self, len: usize) -> [(usize, usize); 2 + AVERAGES] {
        let saved = FormatTable::<T>::new(&self.config).saved(&self.config, len);
        let [momentum, average, root, params] =
            averages(&self.config, len).map(|len| (1, len.saturating_mul(size_of::<T>())));
        [(self.config.history_size as usize, saved.column), (1, saved.rest), momentum, average, root, params]
    }
}

/// Whether the numbers can be a Gram matrix: symmetric to the last bit, and no product of two gradients larger than the
/// product of their norms. The factor 2 covers rounding. A matrix that fails this check could overflow in a step
/// although its diagonal is in range.
fn is_gram(size: usize, weight: f64, at: &dyn Fn(usize) -> f64) -> bool {
    // The norm is NaN if the square is negative, and the comparison below fails.
    let norm = |slot: usize| at(slot * (size + 1)).sqrt() + UNDERFLOW * weight;
    let mut places = (0..size).flat_map(|i| (0..size).map(move |j| (i, j)));
    places.all(|(i, j)| {
        let (product, mirrored) = (at(i * size + j), at(j * size + i));
        product.is_finite() && product.abs() <= 2.0 * norm(i) * norm(j) && mirrored.to_bits() == product.to_bits()
    })
}

/// Writes the numbers of a block. The spectrum of the last step is left out: it follows from the Gram matrix.
fn write_block(writer: &mut Writer<'_>, block: &Block) -> Result<()> {
    let BlockStats { grad_norm, update_norm, scale, spectrum: _ } = block.stats;
    writer.put_all(block.gram.entries())?;
    writer.put(block.norms.sum)?;
    writer.put(block.norms.count)?;
    writer.put_all(&[block.momentum_bound, grad_norm, update_norm, scale])
}

/// Returns the bytes that [`write_block`] writes. The Gram matrix is first.
pub(super) fn block_bytes(block: &Block) -> usize {
    (block.gram.entries().len() + 6) * size_of::<f64>()
}

fn read_block(reader: &mut Reader<'_>, block: &mut Block, steps: u64, weight: f64) -> Result<()> {
    let size = block.gram.size();
    reader.load_together(block.gram.entries_mut(), |at| is_gram(size, weight, at))?;
    reader.load(&mut block.norms.sum, is_length)?;
    reader.load(&mut block.norms.count, |count| count <= steps)?;
    let BlockStats { grad_norm, update_norm, scale, spectrum: _ } = &mut block.stats;
    for length in [&mut block.momentum_bound, grad_norm, update_norm, scale] {
        reader.load(length, is_length)?;
    }
    Ok(())
}

fn failed(argument: &'static str, error: &io::Error) -> Error {
    Error::Callback { argument, value: Value::Io(error.kind()) }
}

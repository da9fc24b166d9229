//! What a saved optimizer consists of. The window is saved column by column in the order of the ring's slots, so that
//! a run that loads it goes on with the same bits, whatever the chunks and tiles of the version that loads it.

use super::Optimizer;
use super::block::Block;
use super::solve::NormAverage;
use super::stats::BlockStats;
use crate::checkpoint::{BAD_NUMBER, Reader, Writer};
use crate::config::Config;
use crate::error::{Argument, Error, Result, Value};
use crate::fault;
use crate::kernels::Element;

/// How errors name the length of the buffer of a save.
pub(crate) const BUFFER_LENGTH: &str = "the length of buffer";
/// What errors expect of an option in a state.
pub(crate) const SAME_OPTION: &str = "a state of this optimizer's option";

/// Steps up to here are counted exactly in f64 too.
const MOST_STEPS: u64 = 1 << 53;

/// More than the norm of a gradient whose square is 0 or inexact because the numbers' squares are so small.
const UNDERFLOW: f64 = 1e-150;

impl<T: Element> Optimizer<T> {
    /// Size of a saved state in bytes. It depends on configuration and lengths only.
    pub fn state_size(&self) -> usize {
        self.write(Writer::counting())
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
        self.write(Writer::new(buffer));
        Ok(())
    }

    /// Puts a saved state in place of this one, its learning rate too. It is checked whole before anything changes.
    ///
    /// # Errors
    /// [`Error::BadState`] for damage; [`Error::DimensionMismatch`] and [`Error::InvalidArgument`] for the state of an
    /// optimizer of another shape; [`Error::WrongPhase`] in an open step.
    pub fn state_load(&mut self, bytes: &[u8]) -> Result<()> {
        self.check_idle("state_load")?;
        let mut reader = Reader::new(bytes)?;
        self.check_options(&mut reader)?;
        for (index, block) in self.blocks.iter().enumerate() {
            let len = block.len as u64;
            reader.expect(len, |found| Error::mismatch(Argument::element("the state's dims", index), found, len))?;
        }
        let position = Position::read(&mut reader)?;
        self.load_contents(reader, position)
    }

    /// Replaces everything by what lies after the lengths, once that is checked.
    pub(super) fn load_contents(&mut self, mut reader: Reader<'_>, position: Position) -> Result<()> {
        let Position { steps, lr } = position;
        self.check_decay("the state's lr", lr)?;
        self.check_contents(reader.clone(), steps)?;
        for block in &mut self.blocks {
            read_block(&mut reader, block)?;
            fault::point();
            let chunks = &mut self.chunks[block.chunks.clone()];
            for slot in 0..self.config.history_size as usize {
                chunks.iter_mut().try_for_each(|chunk| chunk.window.load(slot, &mut reader))?;
                fault::point();
            }
            chunks.iter_mut().try_for_each(|chunk| chunk.window.load_rest(&mut reader))?;
            chunks.iter_mut().try_for_each(|chunk| reader.take_into(&mut chunk.momentum))?;
            chunks.iter_mut().try_for_each(|chunk| reader.take_into(&mut chunk.average))?;
            chunks.iter_mut().try_for_each(|chunk| reader.take_into(&mut chunk.root))?;
        }
        self.steps = steps;
        fault::point();
        self.lr = lr;
        Ok(())
    }

    fn write(&self, mut writer: Writer<'_>) -> usize {
        let Config { dtype, history_size, history_format, momentum_kind, clip_kind, density, .. } = self.config;
        for shape in [dtype as u32, history_size, history_format as u32, momentum_kind as u32, clip_kind as u32] {
            writer.put(shape);
        }
        writer.put(u32::from(self.config.is_diagonal()));
        writer.put(density);
        writer.put(self.blocks.len() as u64);
        self.blocks.iter().for_each(|block| writer.put(block.len as u64));
        writer.put(self.steps);
        writer.put(self.lr);
        for block in &self.blocks {
            write_block(&mut writer, block);
            fault::point();
            let chunks = &self.chunks[block.chunks.clone()];
            for slot in 0..history_size as usize {
                chunks.iter().for_each(|chunk| chunk.window.save(slot, &mut writer));
            }
            chunks.iter().for_each(|chunk| chunk.window.save_rest(&mut writer));
            chunks.iter().for_each(|chunk| writer.put_all(&chunk.momentum));
            chunks.iter().for_each(|chunk| writer.put_all(&chunk.average));
            chunks.iter().for_each(|chunk| writer.put_all(&chunk.root));
        }
        writer.finish()
    }

    /// Checks the options that a state's shape depends on, all that lies before the lengths of its blocks.
    pub(super) fn check_options(&self, reader: &mut Reader<'_>) -> Result<()> {
        let Config { dtype, history_size, history_format, momentum_kind, clip_kind, density, .. } = self.config;
        let other =
            |name: &'static str| move |found: u32| Error::invalid(name, Value::Count(found.into()), SAME_OPTION);
        reader.expect(dtype as u32, other("the state's dtype"))?;
        reader.expect(history_size, |found| {
            Error::mismatch("the state's history_size", found.into(), history_size.into())
        })?;
        reader.expect(history_format as u32, other("the state's history_format"))?;
        reader.expect(momentum_kind as u32, other("the state's momentum_kind"))?;
        reader.expect(clip_kind as u32, other("the state's clip_kind"))?;
        reader.expect(u32::from(self.config.is_diagonal()), |found| match found {
            0 | 1 => other("the state's use of diagonal_beta")(found),
            _ => BAD_NUMBER,
        })?;
        reader.expect(density, |found| Error::invalid("the state's density", Value::Real(found), SAME_OPTION))?;
        let blocks = self.blocks.len() as u64;
        reader.expect(blocks, |found| Error::mismatch("the state's number of blocks", found, blocks))
    }

    /// Reads everything after step count and learning rate to the end, and keeps none of it.
    fn check_contents(&self, mut reader: Reader<'_>, steps: u64) -> Result<()> {
        let config = &self.config;
        let size = config.history_size as usize;
        let at_most = |bound: u64, reader: &mut Reader<'_>| match reader.take::<u64>()? {
            number if number <= bound => Ok(()),
            _ => Err(BAD_NUMBER),
        };
        for block in &self.blocks {
            check_products(&mut reader, size)?;
            reader.check_all(1, |norm_sum: f64| norm_sum.is_finite() && norm_sum >= 0.0)?;
            at_most(steps, &mut reader)?;
            // The bound on b, and the statistics.
            reader.check_all(4, |number: f64| number.is_finite() && number >= 0.0)?;
            let chunks = &self.chunks[block.chunks.clone()];
            for _slot in 0..size {
                chunks.iter().try_for_each(|chunk| chunk.window.check(&mut reader))?;
            }
            chunks.iter().try_for_each(|chunk| chunk.window.check_rest(&mut reader))?;
            let averages = usize::from(config.keeps_momentum()) + usize::from(config.clips_by_vector());
            reader.check_all(averages * block.len, |x: T| x.to_f64().is_finite())?;
            let roots = if config.is_diagonal() { block.len } else { 0 };
            reader.check_all(roots, |x: T| x.to_f64().is_finite() && x.to_f64() >= 0.0)?;
        }
        reader.finish()
    }
}

/// How far a saved run had come.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Position {
    pub steps: u64,
    pub lr: f64,
}

impl Position {
    pub fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let position = Self { steps: reader.take()?, lr: reader.take()? };
        let Self { steps, lr } = position;
        if steps < MOST_STEPS && lr.is_finite() && lr >= 0.0 { Ok(position) } else { Err(BAD_NUMBER) }
    }
}

/// Passes over a Gram matrix: it is symmetric, to the last bit, and no product of two gradients is larger than that of
/// their norms. The factor is for rounding. Without this, what is made of the matrix might overflow where a gradient's
/// own products cannot.
fn check_products(reader: &mut Reader<'_>, size: usize) -> Result<()> {
    let products = reader.clone();
    let norm =
        |slot: usize| products.ahead(slot * (size + 1)).map_or(f64::NAN, |square: f64| square.sqrt() + UNDERFLOW);
    let mirrored = |i: usize, j: usize, product: f64| {
        products.ahead(j * size + i).is_some_and(|other: f64| other.to_bits() == product.to_bits())
    };
    let mut places = (0..size).flat_map(|i| (0..size).map(move |j| (i, j)));
    reader.check_all(size * size, |product: f64| {
        // Of a negative square the norm is NaN.
        let is_product = |(i, j)| product.abs() <= 2.0 * norm(i) * norm(j) && mirrored(i, j, product);
        product.is_finite() && places.next().is_some_and(is_product)
    })
}

/// The spectrum of the last step follows from the Gram matrix.
fn write_block(writer: &mut Writer<'_>, block: &Block) {
    let BlockStats { grad_norm, update_norm, scale, spectrum: _ } = block.stats;
    writer.put_all(block.gram.entries());
    writer.put(block.norms.sum);
    writer.put(block.norms.count);
    writer.put(block.momentum_bound);
    writer.put_all(&[grad_norm, update_norm, scale]);
}

/// Bytes that [`write_block`] writes, those of the Gram matrix first.
pub(super) fn block_bytes(block: &Block) -> usize {
    (block.gram.entries().len() + 6) * size_of::<f64>()
}

fn read_block(reader: &mut Reader<'_>, block: &mut Block) -> Result<()> {
    reader.take_into(block.gram.entries_mut())?;
    block.norms = NormAverage { sum: reader.take()?, count: reader.take()? };
    block.momentum_bound = reader.take()?;
    let mut stats = [0.0; 3];
    reader.take_into(&mut stats)?;
    let [grad_norm, update_norm, scale] = stats;
    block.stats = BlockStats { grad_norm, update_norm, scale, spectrum: None };
    Ok(())
}

//! What a saved optimizer consists of. The window is saved column by column in the order of the ring's slots, so that
//! a run that loads it goes on with the same bits, whatever the chunks and tiles of the version that loads it.

use super::Optimizer;
use super::block::Block;
use super::chunk::Chunk;
use super::solve::NormAverage;
use super::stats::BlockStats;
use crate::checkpoint::{Reader, Writer};
use crate::config::Config;
use crate::error::{Argument, Error, Result, Value};
use crate::kernels::Element;
use crate::window::TILE;

/// Steps up to here are counted exactly in f64 too.
const MOST_STEPS: u64 = 1 << 53;

const BAD_NUMBER: Error = Error::BadState { reason: "it holds a number that no state can hold" };

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
        self.check_idle("lmada_state_save")?;
        let size = self.state_size();
        if buffer.len() != size {
            return Err(Error::mismatch("bytes", buffer.len() as u64, size as u64));
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
        self.check_idle("lmada_state_load")?;
        let mut reader = Reader::new(bytes)?;
        self.check_shape(&mut reader)?;
        let (steps, lr): (u64, f64) = (reader.take()?, reader.take()?);
        if steps >= MOST_STEPS || !(lr.is_finite() && lr >= 0.0) {
            return Err(BAD_NUMBER);
        }
        self.check_contents(reader.clone(), steps)?;
        let staging = self.scratch[0].staging();
        for block in &mut self.blocks {
            read_block(&mut reader, block)?;
            let chunks = &mut self.chunks[block.chunks.clone()];
            for slot in 0..self.config.history_size as usize {
                for chunk in chunks.iter_mut() {
                    for position in (0..chunk.range.len()).step_by(TILE) {
                        let tile = &mut staging[..(chunk.range.len() - position).min(TILE)];
                        reader.take_into(tile)?;
                        chunk.window.store(slot, position, tile);
                    }
                }
            }
            chunks.iter_mut().try_for_each(|chunk| reader.take_into(&mut chunk.momentum))?;
            chunks.iter_mut().try_for_each(|chunk| reader.take_into(&mut chunk.average))?;
        }
        self.steps = steps;
        self.lr = lr;
        Ok(())
    }

    fn write(&self, mut writer: Writer<'_>) -> usize {
        let Config { dtype, history_size, history_format, momentum_kind, clip_kind, density, .. } = self.config;
        for shape in [dtype as u32, history_size, history_format as u32, momentum_kind as u32, clip_kind as u32, 0] {
            writer.put(shape);
        }
        writer.put(density);
        writer.put(self.blocks.len() as u64);
        self.blocks.iter().for_each(|block| writer.put(block.len as u64));
        writer.put(self.steps);
        writer.put(self.lr);
        for block in &self.blocks {
            write_block(&mut writer, block);
            let chunks = &self.chunks[block.chunks.clone()];
            for slot in 0..history_size as usize {
                chunks.iter().for_each(|chunk| write_column(&mut writer, chunk, slot));
            }
            chunks.iter().for_each(|chunk| writer.put_all(&chunk.momentum));
            chunks.iter().for_each(|chunk| writer.put_all(&chunk.average));
        }
        writer.finish()
    }

    fn check_shape(&self, reader: &mut Reader<'_>) -> Result<()> {
        let Config { dtype, history_size, history_format, momentum_kind, clip_kind, density, .. } = self.config;
        let other = |name: &'static str| {
            move |found: u32| Error::invalid(name, Value::Count(found.into()), "a state of this handle's option")
        };
        reader.expect(dtype as u32, other("the state's dtype"))?;
        reader.expect(history_size, |found| {
            Error::mismatch("the state's history_size", found.into(), history_size.into())
        })?;
        reader.expect(history_format as u32, other("the state's history_format"))?;
        reader.expect(momentum_kind as u32, other("the state's momentum_kind"))?;
        reader.expect(clip_kind as u32, other("the state's clip_kind"))?;
        reader.expect(0u32, |_| BAD_NUMBER)?;
        reader.expect(density, |found| {
            Error::invalid("the state's density", Value::Real(found), "a state of this handle's option")
        })?;
        let blocks = self.blocks.len() as u64;
        reader.expect(blocks, |found| Error::mismatch("the state's number of blocks", found, blocks))?;
        for (index, block) in self.blocks.iter().enumerate() {
            let len = block.len as u64;
            reader.expect(len, |found| Error::mismatch(Argument::element("the state's dims", index), found, len))?;
        }
        Ok(())
    }

    /// Reads everything after step count and learning rate to the end, and keeps none of it.
    fn check_contents(&self, mut reader: Reader<'_>, steps: u64) -> Result<()> {
        let config = &self.config;
        let size = config.history_size as usize;
        let at_most = |bound: u64, reader: &mut Reader<'_>| match reader.take::<u64>()? {
            number if number <= bound => Ok(()),
            _ => Err(BAD_NUMBER),
        };
        let columns = size + usize::from(config.keeps_momentum()) + usize::from(config.clips_by_vector());
        for block in &self.blocks {
            check_numbers::<f64>(&mut reader, size * size, |index, x| index % (size + 1) != 0 || x >= 0.0)?;
            check_numbers::<f64>(&mut reader, 1, |_, norm_sum| norm_sum >= 0.0)?;
            at_most(steps, &mut reader)?;
            check_numbers::<f64>(&mut reader, block.average_products.len(), |_, _| true)?;
            check_numbers::<f64>(&mut reader, 3, |_, statistic| statistic >= 0.0)?;
            check_numbers::<T>(&mut reader, columns * block.len, |_, _| true)?;
        }
        reader.finish()
    }
}

/// Reads `count` numbers and refuses those that are not finite or not `good`.
fn check_numbers<T: Element>(reader: &mut Reader<'_>, count: usize, good: impl Fn(usize, f64) -> bool) -> Result<()> {
    let mut numbers = [T::default(); 256];
    for start in (0..count).step_by(numbers.len()) {
        let numbers = &mut numbers[..(count - start).min(256)];
        reader.take_into(numbers)?;
        let bad = |(index, number): (usize, &T)| !(number.to_f64().is_finite() && good(start + index, number.to_f64()));
        if numbers.iter().enumerate().any(bad) {
            return Err(BAD_NUMBER);
        }
    }
    Ok(())
}

/// The spectrum of the last step follows from the Gram matrix.
fn write_block(writer: &mut Writer<'_>, block: &Block) {
    let BlockStats { grad_norm, update_norm, scale, spectrum: _ } = block.stats;
    writer.put_all(block.gram.entries());
    writer.put(block.norms.sum);
    writer.put(block.norms.count);
    writer.put_all(&block.average_products);
    writer.put_all(&[grad_norm, update_norm, scale]);
}

fn read_block(reader: &mut Reader<'_>, block: &mut Block) -> Result<()> {
    reader.take_into(block.gram.entries_mut())?;
    block.norms = NormAverage { sum: reader.take()?, count: reader.take()? };
    reader.take_into(&mut block.average_products)?;
    let mut stats = [0.0; 3];
    reader.take_into(&mut stats)?;
    let [grad_norm, update_norm, scale] = stats;
    block.stats = BlockStats { grad_norm, update_norm, scale, spectrum: None };
    Ok(())
}

fn write_column<T: Element>(writer: &mut Writer<'_>, chunk: &Chunk<T>, slot: usize) {
    let len = chunk.range.len();
    for position in (0..len).step_by(TILE) {
        writer.put_all(chunk.window.stored(slot, position, (len - position).min(TILE)));
    }
}

//! The saved form: versioned, checksummed, little-endian. What an optimizer puts in it is the optimizer's business;
//! that nothing is believed before it is checked is this room's.
//!
//! A saved state is `magic (8 bytes), CRC-32 of all that follows (4), version (4), body`.

use crate::error::{Error, Result};
use crate::memory::{Pod, as_bytes, as_bytes_mut};

#[cfg(target_endian = "big")]
compile_error!("saved states are little-endian, and numbers are copied into them as they lie");

const MAGIC: [u8; 8] = *b"lmada\0st";
const VERSION: u32 = 2;
const CHECKSUM: core::ops::Range<usize> = 8..12;
/// The body is of a length that fits, and what it says is not what can have been saved.
pub(crate) const BAD_NUMBER: Error = Error::bad_state("it holds a number that no state can hold");

/// Bytes before the body.
const PRELUDE: usize = 16;

/// Writes a state into the caller's buffer, or only counts its bytes.
pub(crate) struct Writer<'a> {
    buffer: Option<&'a mut [u8]>,
    position: usize,
}

impl<'a> Writer<'a> {
    /// Counts what would be written.
    pub fn counting() -> Self {
        Self { buffer: None, position: PRELUDE }
    }

    /// Writes into `buffer`, which is as long as the count says.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer: Some(buffer), position: PRELUDE }
    }

    /// Appends one number.
    pub fn put<T: Pod>(&mut self, value: T) {
        self.put_all(&[value]);
    }

    /// Appends numbers.
    pub fn put_all<T: Pod>(&mut self, values: &[T]) {
        let bytes = as_bytes(values);
        if let Some(buffer) = &mut self.buffer {
            buffer[self.position..self.position + bytes.len()].copy_from_slice(bytes);
        }
        self.position += bytes.len();
    }

    /// Completes the state; returns its size.
    pub fn finish(self) -> usize {
        if let Some(buffer) = self.buffer {
            buffer[..8].copy_from_slice(&MAGIC);
            buffer[12..PRELUDE].copy_from_slice(&VERSION.to_le_bytes());
            let checksum = crc32fast::hash(&buffer[CHECKSUM.end..self.position]);
            buffer[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        }
        self.position
    }
}

/// Reads a state from bytes that may be anything, which may lie in several runs.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    more: &'a [&'a [u8]],
}

impl<'a> Reader<'a> {
    /// A reader at the start of the body.
    ///
    /// # Errors
    /// [`Error::BadState`] for bytes that are no saved state of this version, or not as they were saved.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        if bytes.len() < PRELUDE || bytes[..8] != MAGIC {
            return Err(Error::bad_state("it does not begin as a saved state does"));
        }
        if crc32fast::hash(&bytes[CHECKSUM.end..]).to_le_bytes() != bytes[CHECKSUM] {
            return Err(Error::bad_state("its checksum does not match: it is damaged or cut short"));
        }
        if bytes[12..PRELUDE] != VERSION.to_le_bytes() {
            return Err(Error::bad_state("it was saved by a version that this one does not know"));
        }
        Ok(Self { rest: &bytes[PRELUDE..], more: &[] })
    }

    /// A reader of a body that lies in runs, each of which has been checked.
    pub fn of_runs(runs: &'a [&'a [u8]]) -> Self {
        Self { rest: &[], more: runs }
    }

    /// What is left, where it lies in one run.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next number.
    pub fn take<T: Pod + Default>(&mut self) -> Result<T> {
        let mut value = [T::default()];
        self.take_into(&mut value)?;
        Ok(value[0])
    }

    /// The next numbers, as many as `target` holds.
    pub fn take_into<T: Pod>(&mut self, target: &mut [T]) -> Result<()> {
        let mut target = as_bytes_mut(target);
        while !target.is_empty() {
            let bytes = self.pass(target.len())?;
            let (part, rest) = target.split_at_mut(bytes.len());
            part.copy_from_slice(bytes);
            target = rest;
        }
        Ok(())
    }

    /// The number `index` places on, if there is one. The reader stays where it is.
    pub fn ahead<T: Pod + Default>(&self, index: usize) -> Option<T> {
        let mut reader = self.clone();
        let mut bytes = index.checked_mul(size_of::<T>())?;
        while bytes > 0 {
            bytes -= reader.pass(bytes).ok()?.len();
        }
        reader.take().ok()
    }

    /// The next bytes, one at least and `most` at most, which is not 0.
    fn pass(&mut self, most: usize) -> Result<&'a [u8]> {
        while self.rest.is_empty() {
            (self.rest, self.more) = match self.more {
                [next, more @ ..] => (*next, more),
                [] => return Err(Error::bad_state("it ends too early")),
            };
        }
        let (bytes, rest) = self.rest.split_at(most.min(self.rest.len()));
        self.rest = rest;
        Ok(bytes)
    }

    /// Passes over the next `count` numbers.
    ///
    /// # Errors
    /// [`Error::BadState`] where one of them is not good, or there are not so many.
    pub fn check_all<T: Pod + Default>(&mut self, count: usize, mut good: impl FnMut(T) -> bool) -> Result<()> {
        let mut numbers = [T::default(); 256];
        for start in (0..count).step_by(numbers.len()) {
            let numbers = &mut numbers[..(count - start).min(256)];
            self.take_into(numbers)?;
            if !numbers.iter().all(|&number| good(number)) {
                return Err(BAD_NUMBER);
            }
        }
        Ok(())
    }

    /// Checks the next number of a state's shape against this optimizer's.
    pub fn expect<T: Pod + Default + PartialEq>(&mut self, expected: T, other: impl FnOnce(T) -> Error) -> Result<()> {
        let found = self.take()?;
        if found == expected { Ok(()) } else { Err(other(found)) }
    }

    /// Checks that nothing is left.
    pub fn finish(self) -> Result<()> {
        let empty = self.rest.is_empty() && self.more.iter().all(|run| run.is_empty());
        if empty { Ok(()) } else { Err(Error::bad_state("it is longer than its contents")) }
    }
}

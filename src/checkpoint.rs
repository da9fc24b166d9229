//! The saved form of a state as a stream of bytes: a version, checksums, little-endian numbers. The optimizer defines
//! the contents. This module makes sure that every number is checked before it is used.
//!
//! A saved state is a magic number (8 bytes), the version (4 bytes), and then parts. After each part follows a CRC-32
//! (4 bytes) of all bytes so far without the earlier checksums. So a reader knows that a count is undamaged before it
//! uses the count, and a state can be written and read in one pass.

use crc32fast::Hasher;

use crate::error::{Error, Result};
use crate::memory::{Pod, as_bytes, as_bytes_mut};

const MAGIC: [u8; 8] = *b"lmada\0st";
const VERSION: u32 = 3;
/// Bytes before the first part.
pub(crate) const PRELUDE: usize = MAGIC.len() + size_of::<u32>();
/// Bytes of a checksum.
pub(crate) const CHECKSUM: usize = size_of::<u32>();
/// A number that no optimizer can have saved.
pub(crate) const BAD_NUMBER: Error = Error::bad_state("it holds a number that no state can hold");
/// Another version of the saved form.
pub(crate) const OTHER_VERSION: Error = Error::bad_state("it was saved by a version that this library does not know");

const DAMAGED: Error = Error::bad_state("its checksum does not match: it is damaged or cut short");
const TOO_SHORT: Error = Error::bad_state("it ends too early");

/// Size in bytes of the buffer, on the stack, that gathers short pieces. Longer pieces are not copied.
const GATHERED: usize = 2048;
/// Count of numbers that are copied at a time, to check them without loading or to reorder their bytes.
const CHECKED: usize = 256;
/// Whether the byte order of this machine is the saved order: little-endian.
const IS_SAVED_ORDER: bool = cfg!(target_endian = "little");

/// Turns numbers from the byte order of this machine into the saved order, or back.
fn reorder<T: Pod>(numbers: &mut [T]) {
    if !IS_SAVED_ORDER {
        as_bytes_mut(numbers).chunks_exact_mut(size_of::<T>()).for_each(<[u8]>::reverse);
    }
}

/// Takes the next bytes of a state.
pub(crate) type Sink<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;
/// Fills a slice with the next bytes of a state.
pub(crate) type Source<'a> = dyn FnMut(&mut [u8]) -> Result<()> + 'a;

/// Writes a state.
pub(crate) struct Writer<'a> {
    sink: &'a mut Sink<'a>,
    checksum: Hasher,
    gathered: [u8; GATHERED],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Begins a state.
    pub fn new(sink: &'a mut Sink<'a>) -> Result<Self> {
        let mut writer = Self { sink, checksum: Hasher::new(), gathered: [0; GATHERED], len: 0 };
        writer.put_all(&MAGIC)?;
        writer.put(VERSION)?;
        Ok(writer)
    }

    /// Appends one number.
    pub fn put<T: Pod>(&mut self, value: T) -> Result<()> {
        self.put_all(&[value])
    }

    /// Appends numbers.
    pub fn put_all<T: Pod>(&mut self, values: &[T]) -> Result<()> {
        if IS_SAVED_ORDER {
            return self.put_bytes(as_bytes(values));
        }
        values.chunks(CHECKED).try_for_each(|values| {
            let mut reordered = [values[0]; CHECKED];
            let reordered = &mut reordered[..values.len()];
            reordered.copy_from_slice(values);
            reorder(reordered);
            self.put_bytes(as_bytes(reordered))
        })
    }

    fn put_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.checksum.update(bytes);
        self.append(bytes)
    }

    /// Ends a part.
    pub fn end_part(&mut self) -> Result<()> {
        let checksum = self.checksum.clone().finalize();
        self.append(&checksum.to_le_bytes())
    }

    /// Ends the state. Without this call the gathered bytes are lost.
    pub fn finish(mut self) -> Result<()> {
        self.flush()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() > GATHERED - self.len {
            self.flush()?;
        }
        if bytes.len() > GATHERED {
            return (self.sink)(bytes);
        }
        self.gathered[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let len = core::mem::take(&mut self.len);
        if len == 0 { Ok(()) } else { (self.sink)(&self.gathered[..len]) }
    }
}

/// Reads a state from an untrusted source. Reads no byte after the end of the state.
pub(crate) struct Stream<'a> {
    source: &'a mut Source<'a>,
    checksum: Hasher,
    gathered: [u8; GATHERED],
    /// The bytes of `gathered` that are not taken yet.
    rest: core::ops::Range<usize>,
    /// Number of bytes that an undamaged state still has, at least.
    left: usize,
}

impl<'a> Stream<'a> {
    /// Begins a state.
    ///
    /// # Errors
    /// [`Error::BadState`] if the source is not a saved state of this version; the errors of the source.
    pub fn new(source: &'a mut Source<'a>) -> Result<Self> {
        let mut stream = Self { source, checksum: Hasher::new(), gathered: [0; GATHERED], rest: 0..0, left: PRELUDE };
        let mut magic = [0; MAGIC.len()];
        stream.take_into(&mut magic)?;
        if magic != MAGIC {
            return Err(Error::bad_state("it does not begin as a saved state does"));
        }
        if stream.take::<u32>()? != VERSION {
            return Err(OTHER_VERSION);
        }
        Ok(stream)
    }

    /// Tells the stream that the state has at least `bytes` more bytes, so that it may read ahead.
    pub fn expect(&mut self, bytes: usize) {
        self.left = bytes;
    }

    /// Returns the next number.
    pub fn take<T: Pod + Default>(&mut self) -> Result<T> {
        let mut value = [T::default()];
        self.take_all(&mut value)?;
        Ok(value[0])
    }

    /// Fills `target` with the next numbers.
    pub fn take_all<T: Pod>(&mut self, target: &mut [T]) -> Result<()> {
        self.take_into(as_bytes_mut(target))?;
        reorder(target);
        Ok(())
    }

    /// Fills `target` with the next bytes.
    pub fn take_into(&mut self, target: &mut [u8]) -> Result<()> {
        self.fill(target)?;
        self.checksum.update(target);
        Ok(())
    }

    /// Ends a part, and checks its checksum.
    ///
    /// # Errors
    /// [`Error::BadState`] if a byte so far is damaged; the errors of the source.
    pub fn end_part(&mut self) -> Result<()> {
        let mut found = [0; CHECKSUM];
        self.fill(&mut found)?;
        verify(&self.checksum, found)
    }

    /// Returns the checksum of all bytes so far.
    pub fn into_checksum(self) -> Hasher {
        self.checksum
    }

    fn fill(&mut self, target: &mut [u8]) -> Result<()> {
        let (gathered, direct) = target.split_at_mut(target.len().min(self.rest.len()));
        gathered.copy_from_slice(&self.gathered[self.rest.start..][..gathered.len()]);
        self.rest.start += gathered.len();
        if direct.is_empty() {
            return Ok(());
        }
        assert!(direct.len() <= self.left, "a part of a state is longer than expected");
        if direct.len() >= GATHERED {
            self.left -= direct.len();
            return (self.source)(direct);
        }
        let ahead = self.left.min(GATHERED);
        (self.source)(&mut self.gathered[..ahead])?;
        self.left -= ahead;
        direct.copy_from_slice(&self.gathered[..direct.len()]);
        self.rest = direct.len()..ahead;
        Ok(())
    }
}

/// Returns a source that takes bytes from the start of `rest`.
pub(crate) fn source_of(rest: &mut &[u8]) -> impl FnMut(&mut [u8]) -> Result<()> {
    |target| {
        let (bytes, after) = rest.split_at_checked(target.len()).ok_or(TOO_SHORT)?;
        target.copy_from_slice(bytes);
        *rest = after;
        Ok(())
    }
}

/// Takes a part of `bytes` bytes from the start of `rest`, and checks its checksum. `checksum` is that of all bytes
/// before.
pub(crate) fn take_part<'a>(rest: &mut &'a [u8], bytes: usize, checksum: &mut Hasher) -> Result<&'a [u8]> {
    let (part, after) = rest.split_at_checked(bytes).ok_or(TOO_SHORT)?;
    let (found, after) = after.split_first_chunk().ok_or(TOO_SHORT)?;
    checksum.update(part);
    verify(checksum, *found)?;
    *rest = after;
    Ok(part)
}

fn verify(checksum: &Hasher, found: [u8; CHECKSUM]) -> Result<()> {
    if checksum.clone().finalize().to_le_bytes() == found { Ok(()) } else { Err(DAMAGED) }
}

/// Bytes of a state in memory, in one or several runs.
#[derive(Clone, Copy)]
pub(crate) struct Runs<'a> {
    rest: &'a [u8],
    more: &'a [&'a [u8]],
}

impl<'a> Runs<'a> {
    /// Creates a list of one run.
    pub fn one(run: &'a [u8]) -> Self {
        Self { rest: run, more: &[] }
    }

    /// Creates a list of several runs, in this order.
    pub fn several(runs: &'a [&'a [u8]]) -> Self {
        Self { rest: &[], more: runs }
    }

    /// Returns the number at `index`, counted in numbers of type `T` from the start; `None` beyond the end.
    pub fn at<T: Pod + Default>(&self, index: usize) -> Option<T> {
        let mut runs = *self;
        let mut bytes = index.checked_mul(size_of::<T>())?;
        while bytes > 0 {
            bytes -= runs.pass(bytes).ok()?.len();
        }
        let mut value = [T::default()];
        runs.take_into(&mut value).ok()?;
        Some(value[0])
    }

    fn take_into<T: Pod>(&mut self, target: &mut [T]) -> Result<()> {
        let mut left = as_bytes_mut(target);
        while !left.is_empty() {
            let bytes = self.pass(left.len())?;
            let (part, rest) = left.split_at_mut(bytes.len());
            part.copy_from_slice(bytes);
            left = rest;
        }
        reorder(target);
        Ok(())
    }

    /// Takes the next bytes: at least one, at most `most`. `most` is not 0.
    fn pass(&mut self, most: usize) -> Result<&'a [u8]> {
        while self.rest.is_empty() {
            (self.rest, self.more) = match self.more {
                [next, more @ ..] => (*next, more),
                [] => return Err(TOO_SHORT),
            };
        }
        let (bytes, rest) = self.rest.split_at(most.min(self.rest.len()));
        self.rest = rest;
        Ok(bytes)
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.more.iter().all(|run| run.is_empty())
    }
}

/// Loads numbers of a state, checks them, or both. One function for each kind of content serves all three.
pub(crate) enum Reader<'a> {
    /// Checks the numbers. The targets do not change.
    Checking(Runs<'a>),
    /// Loads numbers that were checked before.
    Checked(Runs<'a>),
    /// Loads the numbers, and checks them in the target.
    Streaming(&'a mut Source<'a>),
}

impl Reader<'_> {
    /// Loads the next number into `target`, or checks it with `good`. Returns the number.
    pub fn load<T: Pod + Default>(&mut self, target: &mut T, good: impl FnOnce(T) -> bool) -> Result<T> {
        let check = |value| if good(value) { Ok(value) } else { Err(BAD_NUMBER) };
        let place = core::slice::from_mut(target);
        match self {
            Self::Checking(runs) => {
                let mut value = [T::default()];
                runs.take_into(&mut value)?;
                check(value[0])
            }
            Self::Checked(runs) => {
                runs.take_into(place)?;
                Ok(place[0])
            }
            Self::Streaming(source) => {
                source(as_bytes_mut(place))?;
                reorder(place);
                check(place[0])
            }
        }
    }

    /// Loads the next numbers into `target`, or checks each with `good`.
    pub fn load_all<T: Pod + Default>(&mut self, target: &mut [T], mut good: impl FnMut(T) -> bool) -> Result<()> {
        let mut check = |numbers: &[T]| {
            if numbers.iter().all(|&number| good(number)) { Ok(()) } else { Err(BAD_NUMBER) }
        };
        match self {
            Self::Checking(runs) => {
                let mut numbers = [T::default(); CHECKED];
                for start in (0..target.len()).step_by(CHECKED) {
                    let numbers = &mut numbers[..(target.len() - start).min(CHECKED)];
                    runs.take_into(numbers)?;
                    check(numbers)?;
                }
                Ok(())
            }
            Self::Checked(runs) => runs.take_into(target),
            Self::Streaming(source) => {
                source(as_bytes_mut(target))?;
                reorder(target);
                check(target)
            }
        }
    }

    /// Loads the next numbers into `target`, or checks all of them together. `good` gets a function that returns the
    /// number at an index.
    pub fn load_together<T: Pod + Default>(
        &mut self,
        target: &mut [T],
        good: impl FnOnce(&dyn Fn(usize) -> T) -> bool,
    ) -> Result<()> {
        let is_good = match self {
            Self::Checking(runs) => {
                let numbers = *runs;
                // Skips the numbers, which checks that there are enough.
                self.load_all(target, |_| true)?;
                good(&|index| numbers.at(index).unwrap_or_default())
            }
            Self::Checked(runs) => {
                runs.take_into(target)?;
                true
            }
            Self::Streaming(source) => {
                source(as_bytes_mut(target))?;
                reorder(target);
                good(&|index| target[index])
            }
        };
        if is_good { Ok(()) } else { Err(BAD_NUMBER) }
    }

    /// Checks that no bytes are left. (The checksum of a stream already shows this.)
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Checking(runs) | Self::Checked(runs) if !runs.is_empty() => {
                Err(Error::bad_state("it is longer than its contents"))
            }
            Self::Checking(_) | Self::Checked(_) | Self::Streaming(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also on big-endian machines, and with more numbers than are reordered at a time.
    #[test]
    fn numbers_are_saved_little_endian() {
        let numbers: Vec<u16> = (0..3 * CHECKED as u16 + 1).map(|number: u16| number.wrapping_mul(257)).collect();
        let mut bytes = Vec::new();
        let mut sink = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        let mut writer = Writer::new(&mut sink).unwrap();
        writer.put(0x0102_0304_u32).unwrap();
        writer.put(-1.5_f64).unwrap();
        writer.put_all(&numbers).unwrap();
        writer.end_part().unwrap();
        writer.finish().unwrap();

        let mut expected = vec![4, 3, 2, 1];
        expected.extend((-1.5_f64).to_le_bytes());
        expected.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        assert_eq!(bytes[PRELUDE..bytes.len() - CHECKSUM], expected);

        let mut rest = &bytes[..];
        let mut source = source_of(&mut rest);
        let mut stream = Stream::new(&mut source).unwrap();
        stream.expect(expected.len() + CHECKSUM);
        assert_eq!((stream.take::<u32>().unwrap(), stream.take::<f64>().unwrap()), (0x0102_0304, -1.5));
        let mut read = vec![0_u16; numbers.len()];
        stream.take_all(&mut read).unwrap();
        assert_eq!(read, numbers);
        stream.end_part().unwrap();

        // The three readers.
        let contents = Runs::one(&expected[12..]);
        assert_eq!(contents.at::<u16>(700), Some(numbers[700]));
        let mut rest = &expected[12..];
        let mut source = source_of(&mut rest);
        for mut reader in [Reader::Checking(contents), Reader::Checked(contents), Reader::Streaming(&mut source)] {
            let mut index = 0;
            let is_checked = !matches!(reader, Reader::Checked(_));
            let is_loaded = !matches!(reader, Reader::Checking(_));
            let mut loaded = vec![0; numbers.len()];
            let good = |number| {
                index += 1;
                number == numbers[index - 1]
            };
            reader.load_all(&mut loaded, good).unwrap();
            assert_eq!((index > 0, loaded == numbers), (is_checked, is_loaded));
        }
    }
}

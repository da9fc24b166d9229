//! The parts of a saved state before its contents. The first part is [`Head`]. The second holds the lengths of the
//! blocks, the weights of the columns and the parameter groups.

use super::groups::{Group, sorted};
use crate::checkpoint::{
    BAD_NUMBER, CHECKSUM, OTHER_VERSION, PRELUDE, Runs, Source, Stream, Writer, source_of, take_part,
};
use crate::config::{Config, Dtype};
use crate::error::{Error, Result};
use crate::memory::try_vec;

/// Number of steps below which f64 counts exactly.
const MOST_STEPS: u64 = 1 << 53;

/// The first part of a state.
pub(super) struct Head {
    /// All options. `lr` is the learning rate at the time of the save.
    pub config: Config,
    pub steps: u64,
    /// Number of steps that entered the average of the parameters.
    pub averaged: u64,
    /// Number of blocks. Their lengths are first in the second part.
    pub blocks: u64,
    /// Number of parameter groups. They are last in the second part.
    pub groups: u64,
}

impl Head {
    /// Bytes of the number of options, which is first.
    const COUNT: usize = size_of::<u32>();
    /// Bytes of the options and the four numbers after them.
    const REST: usize = (Config::OPTIONS + 4) * size_of::<u64>();
    /// Bytes of a parameter group.
    const GROUP: usize = 4 * size_of::<u64>();

    pub fn write(&self, writer: &mut Writer<'_>) -> Result<()> {
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
        stream.take_all(&mut words)?;
        let [steps, averaged, blocks, groups] = [stream.take()?, stream.take()?, stream.take()?, stream.take()?];
        stream.end_part()?;
        let config = Config::from_words(&words).filter(|config| config.validate().is_ok());
        let config = config.ok_or(Error::bad_state("it holds options that no optimizer can have"))?;
        let is_good = steps < MOST_STEPS && averaged <= steps && blocks > 0;
        if is_good { Ok(Self { config, steps, averaged, blocks, groups }) } else { Err(BAD_NUMBER) }
    }

    /// Returns the bytes of the parts before the contents.
    pub fn bytes(&self) -> usize {
        let [lens, weights, groups] = self.arrays();
        PRELUDE + Self::COUNT + Self::REST + CHECKSUM + lens + weights + groups + CHECKSUM
    }

    /// Returns the bytes of the three arrays of the second part: lengths, weights, groups. Saturates.
    fn arrays(&self) -> [usize; 3] {
        let of = |count: u64, bytes: usize| usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(bytes);
        let weights = of(self.config.history_size.into(), size_of::<f64>());
        [of(self.blocks, size_of::<u64>()), weights, of(self.groups, Self::GROUP)]
    }

    /// Returns the bytes of the second part without its checksum; saturates.
    fn second(&self) -> usize {
        self.arrays().into_iter().fold(0, usize::saturating_add)
    }
}

/// A saved state in memory whose checksums match.
pub(super) struct Saved<'a> {
    pub head: Head,
    /// Lengths of the blocks, each a `u64`.
    pub lens: Runs<'a>,
    /// Weights of the columns, by slot.
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

    /// Returns the weight of a column, checked.
    pub fn weight(&self, slot: usize) -> Result<f64> {
        self.weights.at(slot).filter(|&weight| is_length(weight)).ok_or(BAD_NUMBER)
    }

    /// Returns the parameter groups, checked for an optimizer with `dim` parameters.
    pub fn groups(&self, dim: usize) -> Result<Vec<Group>> {
        let count = self.head.groups as usize;
        let mut groups = try_vec(count, "the parameter groups")?;
        for index in 0..count {
            let word = |place: usize| self.groups.at::<u64>(4 * index + place).unwrap_or_default();
            groups.push(group([word(0), word(1), word(2), word(3)]));
        }
        saved_groups(groups, dim)
    }

    /// Returns the length of a block; `block` is below [`Head::blocks`].
    pub fn len(&self, block: usize) -> u64 {
        self.lens.at(block).unwrap_or_default()
    }
}

/// A saved state from a stream, read up to its contents.
pub(crate) struct Incoming<'a> {
    pub(super) stream: Stream<'a>,
    pub(super) head: Head,
    pub(super) dims: Vec<usize>,
    pub(super) weights: Vec<f64>,
    pub(super) groups: Vec<Group>,
}

impl<'a> Incoming<'a> {
    /// Reads a state up to its contents.
    ///
    /// # Errors
    /// [`Error::BadState`], [`Error::OutOfMemory`], and the errors of the source.
    pub fn new(source: &'a mut Source<'a>) -> Result<Self> {
        let mut stream = Stream::new(source)?;
        let head = Head::read(&mut stream)?;
        let blocks = usize::try_from(head.blocks).unwrap_or(usize::MAX);
        stream.expect(head.second().saturating_add(CHECKSUM));
        // The lists grow as numbers come in: a state's own counts reserve no memory.
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

    /// Returns the element type of the saved optimizer.
    pub fn dtype(&self) -> Dtype {
        self.head.config.dtype
    }
}

/// Whether a number can be a norm or a weight: finite and ≥ 0.
pub(super) fn is_length(x: f64) -> bool {
    x.is_finite() && x >= 0.0
}

/// Returns a parameter group in its saved form.
pub(super) fn words(group: &Group) -> [u64; 4] {
    [group.offset as u64, group.len as u64, group.lr_scale.to_bits(), group.weight_decay_scale.to_bits()]
}

fn group([offset, len, lr_scale, weight_decay_scale]: [u64; 4]) -> Group {
    let position = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
    let (lr_scale, weight_decay_scale) = (f64::from_bits(lr_scale), f64::from_bits(weight_decay_scale));
    Group { offset: position(offset), len: position(len), lr_scale, weight_decay_scale }
}

/// Checks that groups from a state can be those of an optimizer with `dim` parameters.
pub(super) fn saved_groups(groups: Vec<Group>, dim: usize) -> Result<Vec<Group>> {
    let is_empty = groups.iter().any(|group| group.len == 0);
    let sorted = sorted(&groups, dim).map_err(|error| match error {
        Error::OutOfMemory { .. } => error,
        _ => BAD_NUMBER,
    })?;
    if is_empty || sorted != groups { Err(BAD_NUMBER) } else { Ok(sorted) }
}

/// Appends a value, or fails if there is no memory.
fn push<N>(numbers: &mut Vec<N>, number: N) -> Result<()> {
    numbers.try_reserve(1).map_err(|_| Error::OutOfMemory {
        what: "the lengths of the blocks and the groups of a state",
        bytes: ((numbers.len() + 1) * size_of::<N>()) as u64,
    })?;
    numbers.push(number);
    Ok(())
}

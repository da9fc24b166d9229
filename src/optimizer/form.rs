//! The parts of a saved state before its contents: [`Head`]; the lengths of the blocks, the weights of the columns and the
//! parameter groups.

use super::groups::{Group, sorted};
use crate::checkpoint::{
    BAD_NUMBER, CHECKSUM, OTHER_VERSION, PRELUDE, Runs, Source, Stream, Writer, source_of, take_part,
};
use crate::config::{Config, Dtype};
use crate::error::{Error, Result};
use crate::memory::try_vec;

/// Steps up to here are counted exactly in f64 too.
const MOST_STEPS: u64 = 1 << 53;

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

    /// Bytes of the parts before the contents.
    pub fn bytes(&self) -> usize {
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
    pub fn weight(&self, slot: usize) -> Result<f64> {
        self.weights.at(slot).filter(|&weight| is_length(weight)).ok_or(BAD_NUMBER)
    }

    /// The parameter groups, of an optimizer with `dim` parameters.
    pub fn groups(&self, dim: usize) -> Result<Vec<Group>> {
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
    pub(super) stream: Stream<'a>,
    pub(super) head: Head,
    pub(super) dims: Vec<usize>,
    pub(super) weights: Vec<f64>,
    pub(super) groups: Vec<Group>,
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
}

/// Whether a number can be a length or a weight.
pub(super) fn is_length(x: f64) -> bool {
    x.is_finite() && x >= 0.0
}

/// A parameter group as it lies in a state.
pub(super) fn words(group: &Group) -> [u64; 4] {
    [group.offset as u64, group.len as u64, group.lr_scale.to_bits(), group.weight_decay_scale.to_bits()]
}

fn group([offset, len, lr_scale, weight_decay_scale]: [u64; 4]) -> Group {
    let position = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
    let (lr_scale, weight_decay_scale) = (f64::from_bits(lr_scale), f64::from_bits(weight_decay_scale));
    Group { offset: position(offset), len: position(len), lr_scale, weight_decay_scale }
}

/// The groups of a state, if they can be those of an optimizer with `dim` parameters.
pub(super) fn saved_groups(groups: Vec<Group>, dim: usize) -> Result<Vec<Group>> {
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

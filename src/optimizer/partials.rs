//! The sums of a step that cross processes: for each block `Mᵀg`, with gradient momentum `Mᵀm`, with a clip by the average
//! of updates `Mᵀē`, then the scalar partials.

use core::ops::Range;

use crate::config::{Config, Momentum};
use crate::error::{Error, Result, Value};

/// Places in a block's partials.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    history_size: usize,
    has_momentum: bool,
    has_average: bool,
}

/// The scalar partials, in their order.
#[derive(Clone, Copy)]
pub(crate) enum Tail {
    /// Values of g, or of what would be stored of it, that are NaN or infinite.
    NonFinite,
    /// ‖g‖² as given.
    GradNorm2,
    /// g·ē
    GradAverage,
    /// ‖m‖²
    MomentumNorm2,
    /// m·ē
    MomentumAverage,
    /// ‖ē‖²
    AverageNorm2,
    /// Σ√q with this gradient in it, before bias correction; 0 without diagonal preconditioning.
    Roots,
    /// By how much the largest factor of a parameter group on the learning rate is above 1. The sum over processes bounds
    /// all of theirs.
    Excess,
    /// One half of [`Hash`].
    HashLow,
    /// The other half.
    HashHigh,
    /// The sum of both halves' squares.
    HashSquares,
    /// 1: adds up to the number of processes.
    Processes,
    /// The step's number, from 1 on: adds up to that times the number of processes, or they are out of step.
    Step,
}

const TAIL: usize = Tail::Step as usize + 1;

/// The part of a [`Hash`] that does not change from step to step, kept with the options that it was computed from.
pub(super) struct HashedOptions {
    config: Config,
    state: u64,
}

impl HashedOptions {
    /// `config` has the learning rate as it is now.
    pub fn new(config: &Config, version: &str) -> Self {
        let mut state = 0;
        for (name, word) in Config::NAMES.iter().zip(config.to_words()) {
            // Of the words of all types, only that of −0 is this one; −0 is 0.
            let word = if word == (-0.0_f64).to_bits() { 0 } else { word };
            if *name != "threads" {
                state = add(state, word);
            }
        }
        let state = version.bytes().fold(state, |state, byte| add(state, byte.into()));
        Self { config: *config, state }
    }

    /// Whether these are the options.
    pub fn are_of(&self, config: &Config) -> bool {
        self.config == *config
    }
}

/// One to one in the state and in the value: lists that differ in one value never end in one state.
fn add(state: u64, value: u64) -> u64 {
    (state.rotate_left(26) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A hash, in two halves of 16 bits, of all that processes of one model have to have in common: the options but
/// `threads`, the learning rate, the version of the library, and the step's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash {
    halves: [u16; 2],
}

impl Hash {
    /// Up to so many processes, the sums of halves and squares are exact in f64.
    const MAX_PROCESSES: f64 = (1 << 20) as f64;

    /// Of a step with these options.
    pub fn of_step(options: &HashedOptions, step: u64) -> Self {
        let state = add(add(options.state, step), 0);
        Self { halves: [(state >> 32) as u16, (state >> 48) as u16] }
    }

    /// Writes what processes add up.
    pub fn write(self, layout: Layout, partials: &mut [f64]) {
        let [low, high] = self.halves.map(f64::from);
        partials[layout.tail(Tail::HashLow)] = low;
        partials[layout.tail(Tail::HashHigh)] = high;
        partials[layout.tail(Tail::HashSquares)] = low * low + high * high;
    }

    /// Whether all of the processes whose partials were added up have the same hash. The answer depends on the sums
    /// alone, so that it is the same on each. More than [`Self::MAX_PROCESSES`] are not compared.
    pub fn is_common(layout: Layout, sums: &[f64]) -> bool {
        let sum = |which| sums[layout.tail(which)];
        if sum(Tail::Processes) > Self::MAX_PROCESSES {
            return true;
        }
        // n·Σ|x|² − |Σx|² is the sum of |x − y|² over all pairs of processes, of whole numbers below 2⁷⁴. A sum that is
        // no such number saturates at 2⁶⁴ − 1; NaN becomes 0.
        let whole = |which| u128::from(sum(which) as u64);
        let [low, high] = [Tail::HashLow, Tail::HashHigh].map(whole);
        whole(Tail::Processes) * whole(Tail::HashSquares) == (low * low).wrapping_add(high * high)
    }
}

/// Whether the sums of all blocks are over processes that take the same step, and over finite gradients.
///
/// # Errors
/// [`Error::InvalidArgument`] for partials that are no sum of processes at this step, [`Error::NonFinite`].
pub(super) fn check_partials(layout: Layout, step: u64, partials: &[f64]) -> Result<()> {
    let blocks = || partials.chunks_exact(layout.len());
    for block in blocks() {
        let processes = block[layout.tail(Tail::Processes)];
        if !(processes >= 1.0 && processes.fract() == 0.0) {
            let expected = "a sum over processes of their partials: its count of processes is a whole number from 1 on";
            return Err(Error::invalid("partials", Value::Real(processes), expected));
        }
        let numbers = block[layout.tail(Tail::Step)];
        if numbers != processes * step as f64 {
            let expected = "the same step number on every process: they are out of step";
            return Err(Error::invalid("partials", Value::Real(numbers / processes), expected));
        }
        // After the step's number, which the hash has too: the sum of numbers may fit one process by chance. All refuse
        // all the same, this one in other words.
        if !Hash::is_common(layout, block) {
            let value = Value::Name("a sum over processes that differ");
            let expected = "the same options (but threads), learning rate, library version and step on every process";
            return Err(Error::invalid("partials", value, expected));
        }
    }
    let bad: f64 = blocks().map(|block| block[layout.tail(Tail::NonFinite)]).sum();
    if bad != 0.0 {
        let given = blocks().any(|block| !block[layout.tail(Tail::GradNorm2)].is_finite());
        let what = if given { "grads" } else { "what would be stored of grads" };
        return Err(Error::NonFinite { what, count: bad as u64, first: None });
    }
    if !partials.iter().fold(true, |finite, sum| finite & sum.is_finite()) {
        return Err(Error::non_finite("an inner product of gradients"));
    }
    Ok(())
}

impl Layout {
    pub fn new(config: &Config) -> Self {
        Self {
            history_size: config.history_size as usize,
            has_momentum: config.momentum_kind == Momentum::Gradient,
            has_average: config.clips_by_vector(),
        }
    }

    /// Numbers in a block's partials.
    pub fn len(&self) -> usize {
        self.products() + TAIL
    }

    fn products(&self) -> usize {
        self.history_size * (1 + usize::from(self.has_momentum) + usize::from(self.has_average))
    }

    /// Whether there is `Mᵀm`.
    pub fn has_momentum(&self) -> bool {
        self.has_momentum
    }

    /// Whether there is `Mᵀē`.
    pub fn has_average(&self) -> bool {
        self.has_average
    }

    /// `Mᵀg`, by slot.
    pub fn gradient(&self) -> Range<usize> {
        0..self.history_size
    }

    /// `Mᵀm`, by slot; m as it was before the step.
    pub fn momentum(&self) -> Range<usize> {
        self.history_size..2 * self.history_size
    }

    /// `Mᵀē`, by slot; ē as it was before the step.
    pub fn average(&self) -> Range<usize> {
        self.products() - self.history_size..self.products()
    }

    pub fn tail(&self, which: Tail) -> usize {
        self.products() + which as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(config: &Config, version: &str, step: u64) -> Hash {
        Hash::of_step(&HashedOptions::new(config, version), step)
    }

    /// The sums over processes with these hashes, of which there are so many each.
    fn sums(layout: Layout, hashes: &[(Hash, f64)]) -> Vec<f64> {
        let mut sums = vec![0.0; layout.len()];
        for (hash, count) in hashes {
            let mut partials = vec![0.0; layout.len()];
            hash.write(layout, &mut partials);
            partials[layout.tail(Tail::Processes)] = 1.0;
            sums.iter_mut().zip(partials).for_each(|(sum, part)| *sum += count * part);
        }
        sums
    }

    #[test]
    fn one_of_very_many_is_seen() {
        let layout = Layout::new(&Config::default());
        for halves in [[0, 0], [1, 0xffff], [0xffff, 0xffff]] {
            let [usual, odd] = [halves, [halves[0], halves[1] ^ 1]].map(|halves| Hash { halves });
            for count in [1.0, 2.0, 3.0, 1000.0, Hash::MAX_PROCESSES] {
                assert!(Hash::is_common(layout, &sums(layout, &[(usual, count)])));
                assert!(count == 1.0 || !Hash::is_common(layout, &sums(layout, &[(usual, count - 1.0), (odd, 1.0)])));
            }
        }
    }

    #[test]
    fn versions_and_steps_have_other_hashes() {
        let config = Config::default();
        let hash = hash_of(&config, "0.1.0", 1);
        assert_eq!(hash, hash_of(&config.with_threads(7), "0.1.0", 1));
        for other in ["0.1.1", "0.10", "0.1.00", "1.0.0", ""] {
            assert_ne!(hash, hash_of(&config, other, 1));
        }
        for step in [0, 2, 1 + (1 << 16), 1 + (1 << 32), u64::MAX] {
            assert_ne!(hash, hash_of(&config, "0.1.0", step));
        }
    }

    /// No more hashes of steps in a row are equal than of random ones.
    #[test]
    fn hashes_of_steps_are_spread() {
        let config = Config::default();
        let hash = |step| hash_of(&config, "0.1.0", step).halves;
        let mut hashes: Vec<_> = (1..=10_000).map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert!(hashes.len() >= 9_998, "{} of 10,000", hashes.len());
    }
}

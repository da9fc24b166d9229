//! The partials: the sums of a step that are added up over processes. For each block they are `Mᵀg`, with gradient
//! momentum `Mᵀm`, with a clip by EMA vectors `Mᵀē`, then the scalar partials.

use core::ops::Range;

use crate::config::Config;
use crate::error::{Error, Result, Value};

/// The places of the sums in a block's partials.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    history_size: usize,
    has_momentum: bool,
    has_average: bool,
}

/// The scalar partials, in their order: the sums that are not inner products with columns.
#[derive(Clone, Copy)]
pub(crate) enum Scalar {
    /// Number of NaN and infinite elements of g, or of the column to be stored.
    NonFinite,
    /// ‖g‖² of the gradient as given.
    GradNorm2,
    /// g·ē
    GradAverage,
    /// ‖m‖²
    MomentumNorm2,
    /// m·ē
    MomentumAverage,
    /// ‖ē‖²
    AverageNorm2,
    /// Σ√q after this gradient, before bias correction; 0 without diagonal preconditioning.
    Roots,
    /// The largest `lr_scale` of a parameter group, minus 1. The sum over processes is an upper bound for each of them.
    Excess,
    /// The low half of [`Hash`].
    HashLow,
    /// The high half of [`Hash`].
    HashHigh,
    /// The sum of the squares of both halves.
    HashSquares,
    /// 1; the sum is the number of processes.
    Processes,
    /// The number of the step, from 1 on. If all processes are at the same step, the sum is that number times the
    /// number of processes.
    StepNumber,
}

const SCALARS: usize = Scalar::StepNumber as usize + 1;

/// The part of a [`Hash`] that does not change from step to step, with the options that it was computed from.
pub(super) struct HashedOptions {
    config: Config,
    state: u64,
}

impl HashedOptions {
    /// Hashes the options and the library's version. `config.lr` is the present learning rate.
    pub fn new(config: &Config, version: &str) -> Self {
        let mut state = 0;
        for (name, word) in Config::NAMES.iter().zip(config.to_words()) {
            // −0 counts as 0. No option of another type has this word.
            let word = if word == (-0.0_f64).to_bits() { 0 } else { word };
            if *name != "threads" {
                state = add(state, word);
            }
        }
        let state = version.bytes().fold(state, |state, byte| add(state, byte.into()));
        Self { config: *config, state }
    }

    /// Whether the hash was computed from these options.
    pub fn are_of(&self, config: &Config) -> bool {
        self.config == *config
    }
}

/// Adds a value to a hash. The map is one to one in `state` and in `value`, so lists that differ in one value never
/// have the same hash.
fn add(state: u64, value: u64) -> u64 {
    (state.rotate_left(26) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A hash of everything that the processes of a model must have in common: the options but `threads`, the learning
/// rate, the library's version, and the number of the step. It has two halves of 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash {
    halves: [u16; 2],
}

impl Hash {
    /// Largest number of processes for which the sums of halves and squares are exact in f64.
    const MAX_PROCESSES: f64 = (1 << 20) as f64;

    /// Computes the hash of a step.
    pub fn of_step(options: &HashedOptions, step: u64) -> Self {
        let state = add(add(options.state, step), 0);
        Self { halves: [(state >> 32) as u16, (state >> 48) as u16] }
    }

    /// Writes the hash to a process's partials.
    pub fn write(self, layout: Layout, partials: &mut [f64]) {
        let [low, high] = self.halves.map(f64::from);
        partials[layout.scalar(Scalar::HashLow)] = low;
        partials[layout.scalar(Scalar::HashHigh)] = high;
        partials[layout.scalar(Scalar::HashSquares)] = low * low + high * high;
    }

    /// Whether all processes have the same hash, from the sums of their partials. The answer is the same on all
    /// processes. It is true for more than [`Self::MAX_PROCESSES`] processes, which are not compared.
    pub fn is_common(layout: Layout, sums: &[f64]) -> bool {
        let sum = |which| sums[layout.scalar(which)];
        if sum(Scalar::Processes) > Self::MAX_PROCESSES {
            return true;
        }
        // n·Σ|x|² − |Σx|² is the sum of |x − y|² over all pairs of processes: whole numbers below 2⁷⁴. Sums that no
        // processes can have saturate at 2⁶⁴ − 1, and NaN becomes 0.
        let whole = |which| u128::from(sum(which) as u64);
        let [low, high] = [Scalar::HashLow, Scalar::HashHigh].map(whole);
        whole(Scalar::Processes) * whole(Scalar::HashSquares) == (low * low).wrapping_add(high * high)
    }
}

/// Checks that the sums of all blocks are those of processes at the same step, and of finite gradients.
///
/// # Errors
/// [`Error::InvalidArgument`] if they are not sums of processes at step `step`; [`Error::NonFinite`].
pub(super) fn check_partials(layout: Layout, step: u64, partials: &[f64]) -> Result<()> {
    let blocks = || partials.chunks_exact(layout.len());
    for block in blocks() {
        let processes = block[layout.scalar(Scalar::Processes)];
        if !(processes >= 1.0 && processes.fract() == 0.0) {
            let expected = "a whole number >= 1: partials have to be summed over processes";
            return Err(Error::invalid("the number of processes in partials", Value::Real(processes), expected));
        }
        let numbers = block[layout.scalar(Scalar::StepNumber)];
        if numbers != processes * step as f64 {
            let expected = "the same step number on every process";
            let mean = Value::Real(numbers / processes);
            return Err(Error::invalid("the mean step number in partials", mean, expected));
        }
        // The hash contains the step's number too: the sum of different numbers may fit one process by chance. That
        // process then refuses the step here, with this message.
        if !Hash::is_common(layout, block) {
            let value = Value::Name("a sum over processes that differ");
            let expected = "equal options (except threads), learning rate, library version and step on every process";
            return Err(Error::invalid("partials", value, expected));
        }
    }
    let bad: f64 = blocks().map(|block| block[layout.scalar(Scalar::NonFinite)]).sum();
    if bad != 0.0 {
        let given = blocks().any(|block| !block[layout.scalar(Scalar::GradNorm2)].is_finite());
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
            has_momentum: config.momentum_kind.averages_gradients(),
            has_average: config.clips_by_vector(),
        }
    }

    /// Returns the number of partials of a block.
    pub fn len(&self) -> usize {
        self.products() + SCALARS
    }

    fn products(&self) -> usize {
        self.history_size * (1 + usize::from(self.has_momentum) + usize::from(self.has_average))
    }

    /// Whether the partials contain `Mᵀm`.
    pub fn has_momentum(&self) -> bool {
        self.has_momentum
    }

    /// Whether the partials contain `Mᵀē`.
    pub fn has_average(&self) -> bool {
        self.has_average
    }

    /// Returns the places of `Mᵀg`, by slot.
    pub fn gradient(&self) -> Range<usize> {
        0..self.history_size
    }

    /// Returns the places of `Mᵀm`, by slot, for m before the step.
    pub fn momentum(&self) -> Range<usize> {
        self.history_size..2 * self.history_size
    }

    /// Returns the places of `Mᵀē`, by slot, for ē before the step.
    pub fn average(&self) -> Range<usize> {
        self.products() - self.history_size..self.products()
    }

    pub fn scalar(&self, which: Scalar) -> usize {
        self.products() + which as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(config: &Config, version: &str, step: u64) -> Hash {
        Hash::of_step(&HashedOptions::new(config, version), step)
    }

    /// Returns the sums over processes. Each entry is a hash and the number of processes that have it.
    fn sums(layout: Layout, hashes: &[(Hash, f64)]) -> Vec<f64> {
        let mut sums = vec![0.0; layout.len()];
        for (hash, count) in hashes {
            let mut partials = vec![0.0; layout.len()];
            hash.write(layout, &mut partials);
            partials[layout.scalar(Scalar::Processes)] = 1.0;
            sums.iter_mut().zip(partials).for_each(|(sum, part)| *sum += count * part);
        }
        sums
    }

    #[test]
    fn one_different_process_among_a_million_is_found() {
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
    fn other_versions_and_steps_have_other_hashes() {
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

    /// Hashes of consecutive steps collide no more often than random hashes.
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

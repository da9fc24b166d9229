//! Operations for the selection of a tile's largest entries and for loops over sparse columns.

use super::lanes::{LANES, Lanes, Load};

/// Keys that are compared with a bound at a time.
pub(crate) const KEYS: usize = 64;
/// Keys that are counted at a time.
pub(crate) const COUNTED: usize = 16;
/// Indices that are looked up in a [`Filter`] at a time.
pub(crate) const MET: usize = 32;
/// Mask of a number's bits without the sign: its key.
pub(super) const KEY: u32 = 0x7fff_ffff;

/// No key is larger.
pub(crate) const LARGEST_KEY: u32 = KEY;

/// Keys order numbers of type `T` by magnitude: their bits without the sign. The key of a NaN is larger than that of an
/// infinity.
pub(crate) trait Keys<T> {
    fn key(x: T) -> u32;
}

impl<L: Lanes> Keys<f32> for L {
    #[inline(always)]
    fn key(x: f32) -> u32 {
        x.to_bits() & KEY
    }
}

/// Lanes that sparse columns of `T` can be processed with.
pub(crate) trait Sparse<T>: Load<T> + Keys<T> {
    /// Which of the sums `feedback + given` have a key that reaches `bound`: the first sum is the lowest bit.
    fn reach(self, given: &[T; KEYS], feedback: &[T; KEYS], bound: u32) -> u64;

    /// The numbers at eight indices.
    ///
    /// # Safety
    /// The indices are below the length of `x`.
    unsafe fn pick(self, x: &[T], indices: &[u16; LANES]) -> Self::F64s;

    /// Widens eight bfloat16 numbers.
    fn widen_bf16(self, values: &[u16; LANES]) -> Self::F64s;

    /// Which of the indices pass `filter`: the first index is the lowest bit.
    fn meet(self, filter: &Filter, indices: &[u16; MET]) -> u32;

    /// How many keys reach `bound`.
    fn count(self, keys: &[[u32; COUNTED]], bound: u32) -> u32;
}

/// Two sets of 256 bits: which low eight bits occur among some indices, and which of bits 4 to 11. An index passes if
/// it is in both. Both sets fit into vector registers, which a set of 4,096 bits would not. The filter tells indices
/// below 4,096 well apart; larger ones pass more often than necessary.
pub(crate) struct Filter {
    pub(super) low: [u8; 32],
    pub(super) high: [u8; 32],
}

impl Filter {
    /// A filter that passes these indices.
    #[inline(always)]
    pub(crate) fn new(indices: &[u16]) -> Self {
        let (mut low, mut high) = ([0; 32], [0; 32]);
        for &index in indices {
            Self::mark(&mut low, index as u8);
            Self::mark(&mut high, (index >> 4) as u8);
        }
        Self { low, high }
    }

    #[inline(always)]
    fn mark(bits: &mut [u8; 32], number: u8) {
        bits[usize::from(number / 8)] |= 1 << (number % 8);
    }

    /// As [`Sparse::meet`], one index after another.
    #[inline(always)]
    pub(crate) fn meet(&self, indices: &[u16; MET]) -> u32 {
        let mut passed = 0;
        for (place, &index) in indices.iter().enumerate() {
            let (low, high) = (index as u8, (index >> 4) as u8);
            let bits = self.low[usize::from(low / 8)] >> (low % 8) & self.high[usize::from(high / 8)] >> (high % 8);
            passed |= u32::from(bits & 1) << place;
        }
        passed
    }
}

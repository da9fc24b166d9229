//! Decisions from an input. Any bytes are a valid input; after their end, zeros follow.

use crate::oracle::streams::Random;

pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the rest.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let (now, later) = self.rest.split_at(N.min(self.rest.len()));
        self.rest = later;
        let mut array = [0; N];
        array[..now.len()].copy_from_slice(now);
        array
    }

    pub fn byte(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// Returns true once in `odds` bytes; false at the end of the input.
    pub fn rarely(&mut self, odds: u8) -> bool {
        self.byte() % odds == odds - 1
    }

    /// Returns a number below `bound`, which is 1 to 65536.
    pub fn below(&mut self, bound: usize) -> usize {
        let number = if bound <= 256 { usize::from(self.byte()) } else { usize::from(self.u16()) };
        number % bound
    }

    /// Returns one of the values; the first at the end of the input.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Returns random numbers from a seed of two bytes.
    pub fn random(&mut self) -> Random {
        Random(self.u16().into())
    }
}

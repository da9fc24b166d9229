//! Conversions between vectors of numbers and vectors of what history formats store in their place.

use super::lanes::{LANES, Load, PAIR};

/// Decodes vectors of `S`, which columns store in place of numbers of type `T`. A quantized number is decoded without
/// its scale.
pub(crate) trait Decode<S, T>: Load<T> {
    fn decode(self, vector: &[S; LANES]) -> Self::F64s;

    /// Decodes in the precision of `T`, which holds every `S`.
    fn decode_native(self, vector: &[S; LANES]) -> <Self as Load<T>>::Native;

    /// Decodes two vectors, in the order of lanes that is fastest to decode. The order is the same on every instruction
    /// set.
    #[inline(always)]
    fn decode_pair(self, pair: &[S; PAIR]) -> [<Self as Load<T>>::Native; 2] {
        let vectors = pair.as_chunks().0;
        [self.decode_native(&vectors[0]), self.decode_native(&vectors[1])]
    }

    /// Puts numbers that are in the order of [`Decode::decode_pair`] back into the order of elements.
    #[inline(always)]
    fn in_order(self, pair: [<Self as Load<T>>::Native; 2]) -> [<Self as Load<T>>::Native; 2] {
        pair
    }
}

/// Encodes vectors as `S`.
pub(crate) trait Encode<S, T>: Decode<S, T> {
    /// Stores the `S` nearest to each number times `factor`; of two equally near, the even one. Returns what it stored.
    fn encode(self, x: <Self as Load<T>>::Native, factor: f64, vector: &mut [S; LANES]) -> <Self as Load<T>>::Native;
}

/// Numbers that are stored as they are.
impl<L: Load<T>, T> Decode<T, T> for L {
    #[inline(always)]
    fn decode(self, vector: &[T; LANES]) -> Self::F64s {
        self.load(vector)
    }

    #[inline(always)]
    fn decode_native(self, vector: &[T; LANES]) -> <Self as Load<T>>::Native {
        self.load_native(vector)
    }
}

/// Two 32-bit numbers whose product is `factor`, rounded: the inverse of a scale can be too large for one. The first is
/// a power of two, so multiplying by both rounds once.
#[inline(always)]
pub(crate) fn in_two(factor: f64) -> [f32; 2] {
    const LARGE: f64 = (1_u128 << 100) as f64;
    let first = if factor > LARGE { LARGE } else { 1.0 };
    [first as f32, (factor / first) as f32]
}

//! Vectors as plain arrays, for every machine. The compiler uses the instruction set of the build.

use super::lanes::{LANES, Lanes, Load, PAIR};
use super::numbers::{Bf16, F16, Number};
use super::products::{Products, RUN};
use super::quantized::{Decode, Encode, in_two};
use super::roots::Roots;
use super::sparse::{COUNTED, Filter, KEY, KEYS, MET, Sparse};

/// Plain Rust. A product is rounded before it is added: without hardware for it, `mul_add` is a slow function.
#[derive(Clone, Copy)]
pub(crate) struct Portable(());

impl Portable {
    /// # Safety
    /// None: every machine can run plain Rust. Unsafe as for the other instruction sets.
    #[inline(always)]
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }

    pub(crate) const fn is_available() -> bool {
        true
    }
}

impl Lanes for Portable {
    type F64s = [f64; LANES];

    // One column at a time: for several, the compiler makes eight times the code, most of which is slower.
    const SUMS: usize = 1;
    const COMBINED: usize = 1;
    const TURN: usize = 1;

    #[inline(always)]
    fn load_f64s(self, vector: &[f64; LANES]) -> Self::F64s {
        *vector
    }

    #[inline(always)]
    fn store_f64s(self, x: Self::F64s, vector: &mut [f64; LANES]) {
        *vector = x;
    }

    #[inline(always)]
    fn splat(self, value: f64) -> Self::F64s {
        [value; LANES]
    }

    #[inline(always)]
    fn add(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        core::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn mul(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        core::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn mul_add(self, a: Self::F64s, b: Self::F64s, c: Self::F64s) -> Self::F64s {
        core::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn mul_sub_from(self, a: Self::F64s, b: Self::F64s, c: Self::F64s) -> Self::F64s {
        core::array::from_fn(|i| c[i] - a[i] * b[i])
    }

    #[inline(always)]
    fn div(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        core::array::from_fn(|i| a[i] / b[i])
    }

    #[inline(always)]
    fn min(self, a: Self::F64s, b: Self::F64s) -> Self::F64s {
        core::array::from_fn(|i| a[i].min(b[i]))
    }

    #[inline(always)]
    fn total(self, [a, b, c, d, e, f, g, h]: Self::F64s) -> f64 {
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }

    #[inline(always)]
    fn totals(self, x: [Self::F64s; LANES]) -> Self::F64s {
        x.map(|x| self.total(x))
    }
}

impl<T: Number> Load<T> for Portable {
    type Native = [T; LANES];

    #[inline(always)]
    fn load(self, vector: &[T; LANES]) -> Self::F64s {
        vector.map(Into::into)
    }

    #[inline(always)]
    fn store(self, x: Self::F64s, vector: &mut [T; LANES]) {
        *vector = x.map(T::nearest);
    }

    #[inline(always)]
    fn load_native(self, vector: &[T; LANES]) -> Self::Native {
        *vector
    }

    #[inline(always)]
    fn store_native(self, x: Self::Native, vector: &mut [T; LANES]) {
        *vector = x;
    }

    #[inline(always)]
    fn store_non_temporal(self, x: Self::Native, vector: &mut [T; LANES]) {
        *vector = x;
    }

    #[inline(always)]
    fn splat_native(self, value: f64) -> Self::Native {
        [T::nearest(value); LANES]
    }

    #[inline(always)]
    fn mul_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
        core::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn add_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
        core::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn sub_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
        core::array::from_fn(|i| a[i] - b[i])
    }

    #[inline(always)]
    fn mul_add_native(self, a: Self::Native, b: Self::Native, c: Self::Native) -> Self::Native {
        core::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn widen(self, x: Self::Native) -> Self::F64s {
        x.map(Into::into)
    }

    #[inline(always)]
    fn max_abs_native(self, a: Self::Native, b: Self::Native) -> Self::Native {
        core::array::from_fn(|i| {
            let (a, b) = (T::nearest(a[i].into().abs()), T::nearest(b[i].into().abs()));
            if a > b { a } else { b }
        })
    }
}

impl<T: Number> Roots<T> for Portable {
    #[inline(always)]
    fn sqrt(self, a: Self::Native) -> Self::Native {
        a.map(|a| T::nearest(a.into().sqrt()))
    }

    #[inline(always)]
    fn powers(self, a: Self::Native) -> [Self::Native; 3] {
        let powers = a.map(T::powers);
        [0, 1, 2].map(|which| powers.map(|powers| powers[which]))
    }

    #[inline(always)]
    fn guess(self, minus_a: Self::Native) -> Self::Native {
        minus_a.map(T::guess)
    }
}

impl Decode<Bf16, f32> for Portable {
    #[inline(always)]
    fn decode(self, vector: &[Bf16; LANES]) -> Self::F64s {
        vector.map(|x| x.to_f32().into())
    }

    #[inline(always)]
    fn decode_native(self, vector: &[Bf16; LANES]) -> [f32; LANES] {
        vector.map(Bf16::to_f32)
    }

    /// The numbers at even places, then those at odd places.
    #[inline(always)]
    fn decode_pair(self, pair: &[Bf16; PAIR]) -> [[f32; LANES]; 2] {
        [0, 1].map(|first| core::array::from_fn(|i| pair[2 * i + first].to_f32()))
    }

    #[inline(always)]
    fn in_order(self, pair: [[f32; LANES]; 2]) -> [[f32; LANES]; 2] {
        [0, LANES].map(|start| core::array::from_fn(|i| pair[i % 2][(start + i) / 2]))
    }
}

impl Encode<Bf16, f32> for Portable {
    #[inline(always)]
    fn encode(self, x: [f32; LANES], _factor: f64, vector: &mut [Bf16; LANES]) -> [f32; LANES] {
        *vector = x.map(Bf16::from_f32);
        vector.map(Bf16::to_f32)
    }
}

impl Decode<F16, f32> for Portable {
    #[inline(always)]
    fn decode(self, vector: &[F16; LANES]) -> Self::F64s {
        vector.map(|x| x.to_f32().into())
    }

    #[inline(always)]
    fn decode_native(self, vector: &[F16; LANES]) -> [f32; LANES] {
        vector.map(F16::to_f32)
    }
}

impl Encode<F16, f32> for Portable {
    #[inline(always)]
    fn encode(self, x: [f32; LANES], factor: f64, vector: &mut [F16; LANES]) -> [f32; LANES] {
        *vector = x.map(|x| F16::from_f32(x * factor as f32));
        vector.map(F16::to_f32)
    }
}

impl Decode<i8, f32> for Portable {
    #[inline(always)]
    fn decode(self, vector: &[i8; LANES]) -> Self::F64s {
        vector.map(f64::from)
    }

    #[inline(always)]
    fn decode_native(self, vector: &[i8; LANES]) -> [f32; LANES] {
        vector.map(f32::from)
    }
}

impl Encode<i8, f32> for Portable {
    #[inline(always)]
    fn encode(self, x: [f32; LANES], factor: f64, vector: &mut [i8; LANES]) -> [f32; LANES] {
        let [first, second] = in_two(factor);
        *vector = x.map(|x| (x * first * second).round_ties_even() as i8);
        vector.map(f32::from)
    }
}

impl Products<i8> for Portable {
    const COLUMNS: usize = <Self as Lanes>::COMBINED;

    type Factors = [i8; RUN];
    type Sums = [i32; LANES];

    #[inline(always)]
    fn start(_norm: f64, _largest: f64) -> f64 {
        0.0
    }

    #[inline(always)]
    fn begin(self, _start: f64) -> Self::Sums {
        [0; LANES]
    }

    #[inline(always)]
    fn factors(self, x: &[i8; RUN], _power: f32) -> Self::Factors {
        *x
    }

    #[inline(always)]
    fn add_products(self, x: Self::Factors, y: &[i8; RUN], sums: Self::Sums) -> Self::Sums {
        let product = |i: usize| i32::from(x[i]) * i32::from(y[i]);
        core::array::from_fn(|i| sums[i] + (4 * i..4 * i + 4).map(product).sum::<i32>())
    }

    #[inline(always)]
    fn widen_sums(self, sums: Self::Sums, _start: f64) -> Self::F64s {
        sums.map(f64::from)
    }
}

impl Sparse<f32> for Portable {
    #[inline(always)]
    fn reach(self, given: &[f32; KEYS], feedback: &[f32; KEYS], bound: u32) -> u64 {
        let mut reached = 0;
        for (place, (given, feedback)) in given.iter().zip(feedback).enumerate() {
            reached |= u64::from((feedback + given).to_bits() & KEY >= bound) << place;
        }
        reached
    }

    #[inline(always)]
    unsafe fn pick(self, x: &[f32], indices: &[u16; LANES]) -> Self::F64s {
        // SAFETY: the caller's promise.
        indices.map(|index| unsafe { f64::from(*x.get_unchecked(usize::from(index))) })
    }

    #[inline(always)]
    fn widen_bf16(self, values: &[u16; LANES]) -> Self::F64s {
        values.map(|value| f64::from(Bf16(value).to_f32()))
    }

    #[inline(always)]
    fn meet(self, filter: &Filter, indices: &[u16; MET]) -> u32 {
        filter.meet(indices)
    }

    #[inline(always)]
    fn count(self, keys: &[[u32; COUNTED]], bound: u32) -> u32 {
        let mut counts = [0; COUNTED];
        for keys in keys {
            for (count, &key) in counts.iter_mut().zip(keys) {
                *count += u32::from(key >= bound);
            }
        }
        counts.iter().sum()
    }
}

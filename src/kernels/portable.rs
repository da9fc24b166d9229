//! Blocks as plain arrays, for every machine. The compiler makes of them what it may assume the machine to have.

use super::Element;
use super::lanes::{BLOCK, Decode, Encode, Lanes, Load, PAIR, table};
use super::products::{Products, RUN};
use super::scaling::{Roots, in_twos};
use super::sparse::sparse_table;
use super::stored::{Bf16, Compressed, F16, compressed_table, in_two};
use super::symmetric::symmetric_table;

/// Plain Rust. Products are rounded before they are added: without hardware for it, `mul_add` is a slow function.
#[derive(Clone, Copy)]
pub(super) struct Portable(());

table!(Portable, "portable", []);
compressed_table!(Portable, "portable", []);
symmetric_table!(Portable, "portable", []);
sparse_table!(Portable, "portable", []);

/// The loops over what windows store.
pub(super) const COMPRESSED: &Compressed<f32> = &Portable::compressed_table();

impl Lanes for Portable {
    type Wide = [f64; BLOCK];

    // A column at a time: of groups the compiler makes eight times the code, most of which takes longer.
    const SUMS: usize = 1;
    const COMBINED: usize = 1;
    const TURN: usize = 1;

    #[inline(always)]
    fn splat(self, value: f64) -> Self::Wide {
        [value; BLOCK]
    }

    #[inline(always)]
    fn add(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        core::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn mul(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        core::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide {
        core::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn mul_sub_from(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide {
        core::array::from_fn(|i| c[i] - a[i] * b[i])
    }

    #[inline(always)]
    fn div(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        core::array::from_fn(|i| a[i] / b[i])
    }

    #[inline(always)]
    fn min(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        core::array::from_fn(|i| a[i].min(b[i]))
    }

    #[inline(always)]
    fn total(self, [a, b, c, d, e, f, g, h]: Self::Wide) -> f64 {
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }

    #[inline(always)]
    fn totals(self, wides: [Self::Wide; BLOCK]) -> Self::Wide {
        wides.map(|wide| self.total(wide))
    }
}

impl<T: Element> Load<T> for Portable {
    type Narrow = [T; BLOCK];

    in_twos!();

    #[inline(always)]
    fn load(self, block: &[T; BLOCK]) -> Self::Wide {
        block.map(T::to_f64)
    }

    #[inline(always)]
    fn store(self, wide: Self::Wide, block: &mut [T; BLOCK]) {
        *block = wide.map(T::from_f64);
    }

    #[inline(always)]
    fn load_narrow(self, block: &[T; BLOCK]) -> Self::Narrow {
        *block
    }

    #[inline(always)]
    fn store_narrow(self, narrow: Self::Narrow, block: &mut [T; BLOCK]) {
        *block = narrow;
    }

    #[inline(always)]
    fn stream_narrow(self, narrow: Self::Narrow, block: &mut [T; BLOCK]) {
        *block = narrow;
    }

    #[inline(always)]
    fn splat_narrow(self, value: f64) -> Self::Narrow {
        [T::from_f64(value); BLOCK]
    }

    #[inline(always)]
    fn mul_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
        core::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn add_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
        core::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn sub_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
        core::array::from_fn(|i| a[i] - b[i])
    }

    #[inline(always)]
    fn mul_add_narrow(self, a: Self::Narrow, b: Self::Narrow, c: Self::Narrow) -> Self::Narrow {
        core::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn widen(self, narrow: Self::Narrow) -> Self::Wide {
        narrow.map(T::to_f64)
    }

    #[inline(always)]
    fn max_abs_narrow(self, a: Self::Narrow, b: Self::Narrow) -> Self::Narrow {
        core::array::from_fn(|i| {
            let (a, b) = (T::from_f64(a[i].to_f64().abs()), T::from_f64(b[i].to_f64().abs()));
            if a > b { a } else { b }
        })
    }
}

impl<T: Element> Roots<T> for Portable {
    #[inline(always)]
    fn sqrt(self, a: Self::Narrow) -> Self::Narrow {
        a.map(|a| T::from_f64(a.to_f64().sqrt()))
    }

    #[inline(always)]
    fn powers(self, a: Self::Narrow) -> [Self::Narrow; 3] {
        let powers = a.map(T::powers);
        [0, 1, 2].map(|which| powers.map(|powers| powers[which]))
    }

    #[inline(always)]
    fn guess(self, minus_a: Self::Narrow) -> Self::Narrow {
        minus_a.map(T::guess)
    }
}

impl Decode<Bf16, f32> for Portable {
    #[inline(always)]
    fn decode(self, block: &[Bf16; BLOCK]) -> Self::Wide {
        block.map(|x| x.to_f32().into())
    }

    #[inline(always)]
    fn decode_narrow(self, block: &[Bf16; BLOCK]) -> [f32; BLOCK] {
        block.map(Bf16::to_f32)
    }

    /// The even numbers, then the odd ones.
    #[inline(always)]
    fn decode_pair(self, pair: &[Bf16; PAIR]) -> [[f32; BLOCK]; 2] {
        [0, 1].map(|first| core::array::from_fn(|i| pair[2 * i + first].to_f32()))
    }

    #[inline(always)]
    fn in_order(self, pair: [[f32; BLOCK]; 2]) -> [[f32; BLOCK]; 2] {
        [0, BLOCK].map(|start| core::array::from_fn(|i| pair[i % 2][(start + i) / 2]))
    }
}

impl Encode<Bf16, f32> for Portable {
    #[inline(always)]
    fn encode(self, x: [f32; BLOCK], _factor: f64, block: &mut [Bf16; BLOCK]) -> [f32; BLOCK] {
        *block = x.map(Bf16::from_f32);
        block.map(Bf16::to_f32)
    }
}

impl Decode<F16, f32> for Portable {
    #[inline(always)]
    fn decode(self, block: &[F16; BLOCK]) -> Self::Wide {
        block.map(|x| x.to_f32().into())
    }

    #[inline(always)]
    fn decode_narrow(self, block: &[F16; BLOCK]) -> [f32; BLOCK] {
        block.map(F16::to_f32)
    }
}

impl Encode<F16, f32> for Portable {
    #[inline(always)]
    fn encode(self, x: [f32; BLOCK], factor: f64, block: &mut [F16; BLOCK]) -> [f32; BLOCK] {
        *block = x.map(|x| F16::from_f32(x * factor as f32));
        block.map(F16::to_f32)
    }
}

impl Decode<i8, f32> for Portable {
    #[inline(always)]
    fn decode(self, block: &[i8; BLOCK]) -> Self::Wide {
        block.map(f64::from)
    }

    #[inline(always)]
    fn decode_narrow(self, block: &[i8; BLOCK]) -> [f32; BLOCK] {
        block.map(f32::from)
    }
}

impl Encode<i8, f32> for Portable {
    #[inline(always)]
    fn encode(self, x: [f32; BLOCK], factor: f64, block: &mut [i8; BLOCK]) -> [f32; BLOCK] {
        let [first, second] = in_two(factor);
        *block = x.map(|x| (x * first * second).round_ties_even() as i8);
        block.map(f32::from)
    }
}

impl Products<i8> for Portable {
    const COLUMNS: usize = <Self as Lanes>::COMBINED;

    type Factors = [i8; RUN];
    type Sums = [i32; BLOCK];

    #[inline(always)]
    fn start(_norm: f64, _largest: f64) -> f64 {
        0.0
    }

    #[inline(always)]
    fn begin(self, _start: f64) -> Self::Sums {
        [0; BLOCK]
    }

    #[inline(always)]
    fn factors(self, x: &[i8; RUN], _unit: f32) -> Self::Factors {
        *x
    }

    #[inline(always)]
    fn add_products(self, x: Self::Factors, y: &[i8; RUN], sums: Self::Sums) -> Self::Sums {
        let product = |i: usize| i32::from(x[i]) * i32::from(y[i]);
        core::array::from_fn(|i| sums[i] + (4 * i..4 * i + 4).map(product).sum::<i32>())
    }

    #[inline(always)]
    fn widen_sums(self, sums: Self::Sums, _start: f64) -> Self::Wide {
        sums.map(f64::from)
    }
}

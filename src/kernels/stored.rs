//! What history formats store in place of the numbers of the gradient, and the loops over columns of it.

use super::{Columns, Element};
use crate::memory::{Pod, recast, recast_mut};

/// A number as a window stores it.
#[doc(hidden)]
pub trait Stored: Pod + Default {
    /// Elements, from the first of a column on, that have a scale in common: all that is stored is relative to it. None
    /// where numbers are stored as they are. A multiple of [`super::BLOCK`].
    const UNIT: Option<usize>;
}

impl<T: Element> Stored for T {
    const UNIT: Option<usize> = None;
}

impl Stored for Bf16 {
    const UNIT: Option<usize> = None;
}

/// Elements with a scale in common in the formats that have one.
pub(crate) const SCALED_UNIT: usize = 256;

impl Stored for F16 {
    const UNIT: Option<usize> = Some(SCALED_UNIT);
}

impl Stored for i8 {
    const UNIT: Option<usize> = Some(SCALED_UNIT);
}

/// bfloat16: the upper half of a 32-bit float.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
#[doc(hidden)]
pub struct Bf16(pub u16);

// SAFETY: it is a `u16`.
unsafe impl Pod for Bf16 {}

impl Bf16 {
    /// The nearest, of two as near the even one; the largest instead of an infinity.
    pub(crate) fn from_f32(x: f32) -> Self {
        let bits = x.to_bits();
        if x.is_nan() {
            // Quiet, so that what is cut off leaves a NaN.
            return Self((bits >> 16) as u16 | 0x40);
        }
        let rounded = ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16;
        if rounded & 0x7fff == 0x7f80 && x.is_finite() { Self(rounded - 1) } else { Self(rounded) }
    }

    pub(crate) fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    /// Numbers from their bits.
    pub(crate) fn of_bits(bits: &[u16]) -> &[Self] {
        recast(bits)
    }

    /// Numbers from their bits, to be written.
    pub(crate) fn of_bits_mut(bits: &mut [u16]) -> &mut [Self] {
        recast_mut(bits)
    }
}

/// IEEE 754 binary16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
#[doc(hidden)]
pub struct F16(pub u16);

// SAFETY: it is a `u16`.
unsafe impl Pod for F16 {}

/// By how much the biases of the exponents of `f32` and of it are apart.
const F16_BIAS: u32 = 127 - 15;

impl F16 {
    /// The nearest, of two as near the even one; what is too large becomes an infinity.
    pub(crate) fn from_f32(x: f32) -> Self {
        let sign = (x.to_bits() >> 16 & 0x8000) as u16;
        let magnitude = x.abs();
        let rounded = if x.is_nan() {
            0x7e00
        } else if magnitude >= 65520.0 {
            0x7c00
        } else if magnitude < f32::from_bits((F16_BIAS + 1) << 23) {
            // Below the least normal number they are multiples of 2⁻²⁴, to which adding a half rounds.
            (magnitude + 0.5).to_bits() as u16
        } else {
            let bits = magnitude.to_bits();
            // Thirteen bits less; a carry raises the exponent as it should.
            ((bits + 0xfff + (bits >> 13 & 1) - (F16_BIAS << 23)) >> 13) as u16
        };
        Self(sign | rounded)
    }

    pub(crate) fn to_f32(self) -> f32 {
        let bits = u32::from(self.0);
        let magnitude = (bits & 0x7fff) << 13;
        let value = if magnitude >= 0x7c00 << 13 {
            f32::from_bits(magnitude | 0x7f80_0000)
        } else {
            // The exponent's bias by a product, which makes normal numbers of those that are not.
            f32::from_bits(magnitude) * f32::from_bits((127 + F16_BIAS) << 23)
        };
        f32::from_bits(value.to_bits() | (bits & 0x8000) << 16)
    }
}

/// Two 32-bit numbers with this product, rounded: the inverse of a scale can be too large for one. The first is a power
/// of two, so numbers times both are rounded once.
#[inline(always)]
pub(super) fn in_two(factor: f64) -> [f32; 2] {
    const LARGE: f64 = (1_u128 << 100) as f64;
    let first = if factor > LARGE { LARGE } else { 1.0 };
    [first as f32, (factor / first) as f32]
}

/// Scales of columns side by side: column `j` has `data[j * stride..]`, one for each [`Stored::UNIT`] elements from its
/// first on. Nothing where numbers are stored as they are.
#[derive(Clone, Copy, Default)]
#[doc(hidden)]
pub struct Scales<'a> {
    pub data: &'a [f64],
    pub stride: usize,
}

/// `(columns, newest, coefficients, sum)`.
type Combine<T, S> = fn(Columns<'_, S>, &[T], &[f64], &mut [f64]);

/// `(given, scale, codes, stored) -> squared norm`.
type Measure<T, S> = fn(&[T], f64, &mut [S], &mut [T]) -> f64;

/// `(codes, scales, columns, sums)`: adds to each of `sums` the product of its column with a vector that is stored like
/// it: `codes` times `scales`, one for each [`Stored::UNIT`] elements. Where numbers are stored as they are, the scales are
/// powers of two from 2⁻¹²⁶ on: that of the vector at least its norm, that of a column at least its largest magnitude. The
/// same bits with every instruction set.
pub(crate) type CodeDots<S> = fn(&[S], &[f64], Columns<'_, S>, &mut [f64]);

/// The loops over columns of `S` beside numbers of type `T`. They do what [`super::Kernels`] says of the same loops; a
/// column's numbers are those stored times their scales.
#[doc(hidden)]
pub struct StoredKernels<T: 'static, S: 'static> {
    /// `codes` are the nearest that `S` has of the numbers given over `scale`, of two as near the even ones (zeros where
    /// the scale is 0), and `stored` is `scale` times the codes, which `T` holds. Elementwise.
    pub encode: fn(given: &[T], scale: f64, codes: &mut [S], stored: &mut [T]),
    /// The same; returns the squared norm of `given`.
    pub measure: Measure<T, S>,
    pub dots: fn(x: &[T], columns: Columns<'_, S>, sums: &mut [f64]),
    pub combine: Combine<T, S>,
    pub combine_narrow: Combine<T, S>,
}

/// The tables of all stored types, for gradients of one element type with one instruction set.
#[doc(hidden)]
pub struct Compressed<T: 'static> {
    /// Name of the instruction set.
    pub name: &'static str,
    /// The largest magnitude; anything, where one is not a number.
    pub largest: fn(x: &[T]) -> f64,
    pub bf16: StoredKernels<T, Bf16>,
    pub f16: StoredKernels<T, F16>,
    pub int8: StoredKernels<T, i8>,
    /// The products of columns with a vector stored like them.
    pub bf16_dots: CodeDots<Bf16>,
    pub f16_dots: CodeDots<F16>,
    pub int8_dots: CodeDots<i8>,
}

/// Defines `$lanes::compressed_table()`: the loops compiled with `$lanes` for an instruction set, `["features"]` or `[]`
/// for that of the build.
macro_rules! compressed_table {
    ($lanes:ident, $name:literal, $features:tt) => {
        impl $lanes {
            /// To be given away only where the machine was found to have the instruction set.
            pub(in crate::kernels) const fn compressed_table() -> $crate::kernels::stored::Compressed<f32> {
                use $crate::kernels::Columns;
                use $crate::kernels::stored::{Bf16, Compressed, F16, stored_kernels, stored_loop};
                Compressed {
                    name: $name,
                    largest: stored_loop!($lanes, $features, largest, [f32], (x: &[f32]) -> f64),
                    bf16: stored_kernels!($lanes, $features, Bf16),
                    f16: stored_kernels!($lanes, $features, F16),
                    int8: stored_kernels!($lanes, $features, i8),
                    bf16_dots: stored_loop!(
                        $lanes, $features, code_dots, [Bf16],
                        (codes: &[Bf16], scales: &[f64], columns: Columns<'_, Bf16>, sums: &mut [f64]) -> ()
                    ),
                    f16_dots: stored_loop!(
                        $lanes, $features, code_dots, [F16],
                        (codes: &[F16], scales: &[f64], columns: Columns<'_, F16>, sums: &mut [f64]) -> ()
                    ),
                    int8_dots: stored_loop!(
                        $lanes, $features, code_dots, [i8],
                        (codes: &[i8], scales: &[f64], columns: Columns<'_, i8>, sums: &mut [f64]) -> ()
                    ),
                }
            }
        }
    };
}

macro_rules! stored_kernels {
    ($lanes:ident, $features:tt, $stored:ty) => {{
        use $crate::kernels::Columns;
        use $crate::kernels::lanes::Own;
        use $crate::kernels::stored::{StoredKernels, encode_loop, measure_loop, stored_loop};
        StoredKernels {
            encode: encode_loop!($lanes, $features, $stored, Own),
            measure: measure_loop!($lanes, $features, $stored, Own),
            dots: stored_loop!(
                $lanes, $features, dots, [f32, $stored], (x: &[f32], columns: Columns<'_, $stored>, sums: &mut [f64]) -> ()
            ),
            combine: stored_loop!(
                $lanes, $features, combine, [f32, $stored],
                (columns: Columns<'_, $stored>, newest: &[f32], coefficients: &[f64], sum: &mut [f64]) -> ()
            ),
            combine_narrow: stored_loop!(
                $lanes, $features, combine_narrow, [f32, $stored],
                (columns: Columns<'_, $stored>, newest: &[f32], coefficients: &[f64], sum: &mut [f64]) -> ()
            ),
        }
    }};
}

macro_rules! encode_loop {
    ($lanes:ident, $features:tt, $stored:ty, $encoder:ty) => {{
        use $crate::kernels::stored::stored_loop;
        stored_loop!(
            $lanes, $features, encode, [f32, $stored, $encoder],
            (given: &[f32], scale: f64, codes: &mut [$stored], stored: &mut [f32]) -> ()
        )
    }};
}

macro_rules! measure_loop {
    ($lanes:ident, $features:tt, $stored:ty, $encoder:ty) => {{
        use $crate::kernels::stored::stored_loop;
        stored_loop!(
            $lanes, $features, measure, [f32, $stored, $encoder],
            (given: &[f32], scale: f64, codes: &mut [$stored], stored: &mut [f32]) -> f64
        )
    }};
}

/// One loop, compiled for an instruction set.
macro_rules! stored_loop {
    ($lanes:ident, [], $kernel:ident, [$($type:ty),*], ($($argument:ident: $of:ty),*) -> $result:ty) => {{
        fn compiled($($argument: $of),*) -> $result {
            $crate::kernels::loops::$kernel::<$lanes, $($type),*>($lanes(()), $($argument),*)
        }
        compiled
    }};
    ($lanes:ident, [$features:literal], $kernel:ident, [$($type:ty),*], ($($argument:ident: $of:ty),*) -> $result:ty) => {{
        fn checked($($argument: $of),*) -> $result {
            #[target_feature(enable = $features)]
            fn compiled($($argument: $of),*) -> $result {
                $crate::kernels::loops::$kernel::<$lanes, $($type),*>($lanes(()), $($argument),*)
            }
            // SAFETY: the table is given away only where the machine was found to have these features.
            unsafe { compiled($($argument),*) }
        }
        checked
    }};
}

pub(super) use {compressed_table, encode_loop, measure_loop, stored_kernels, stored_loop};

#[cfg(test)]
mod tests;

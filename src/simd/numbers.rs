//! The numbers that vectors consist of: `f32` and `f64`, and what history formats store in place of an `f32`.

use core::ops::{Add, Mul, Sub};

use crate::memory::{Pod, recast, recast_mut};

/// `f32` or `f64`, taken apart into bits where arithmetic would be slower.
#[doc(hidden)]
pub trait Number:
    Pod + Default + Into<f64> + PartialOrd + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    const IS_F32: bool;

    /// An unsigned integer of as many bits.
    type Bits;

    /// Mask of the exponent without its last bit. The masked bits of a number are its *even exponent*.
    const EVEN: Self::Bits;
    /// `POWER` minus the even exponent is the bits of a power of two; the number times this power lies in [2, 8).
    const POWER: Self::Bits;
    /// `ROOT` minus half the even exponent is the bits of the power's square root.
    const ROOT: Self::Bits;
    /// The even exponent minus `INVERSE` is the bits of the power's inverse.
    const INVERSE: Self::Bits;
    /// The least number for which the power, its root and its inverse are normal numbers.
    const SMALLEST: f64;
    /// `FOURTH_ROOT` minus a quarter of the bits of −x is the bits of a number near `x^(−1/4)`, for positive normal x:
    /// the relative error is at most 3.2 %.
    const FOURTH_ROOT: Self::Bits;

    /// The nearest value of this type; of two equally near, the even one.
    fn nearest(value: f64) -> Self;

    /// A power of two, its square root and its inverse; the number times the power lies in [2, 8). For numbers from
    /// [`Number::SMALLEST`] on.
    fn powers(self) -> [Self; 3];

    /// A number near `x^(−1/4)`, where `self` is −x: see [`Number::FOURTH_ROOT`].
    fn guess(self) -> Self;

    /// The same value: both types hold every bfloat16.
    fn from_bf16(value: Bf16) -> Self;

    /// The nearest bfloat16, as [`Bf16::from_f32`].
    fn to_bf16(self) -> Bf16;
}

macro_rules! number {
    ($number:ty, $bits:ty, $even:expr, $power:expr, $root:expr, $inverse:expr, $least:expr, $fourth_root:expr) => {
        impl Number for $number {
            const IS_F32: bool = size_of::<$number>() == 4;
            type Bits = $bits;
            const EVEN: $bits = $even;
            const POWER: $bits = $power;
            const ROOT: $bits = $root;
            const INVERSE: $bits = $inverse;
            const SMALLEST: f64 = $least;
            const FOURTH_ROOT: $bits = $fourth_root;

            #[inline(always)]
            fn nearest(value: f64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn powers(self) -> [Self; 3] {
                let even = self.to_bits() & Self::EVEN;
                let inverse = even.wrapping_sub(Self::INVERSE);
                [Self::POWER - even, Self::ROOT - (even >> 1), inverse].map(Self::from_bits)
            }

            #[inline(always)]
            fn guess(self) -> Self {
                Self::from_bits(Self::FOURTH_ROOT.wrapping_sub(self.to_bits() >> 2))
            }

            #[inline(always)]
            fn from_bf16(value: Bf16) -> Self {
                value.to_f32().into()
            }

            #[inline(always)]
            fn to_bf16(self) -> Bf16 {
                Bf16::from_f32(self as f32)
            }
        }
    };
}
number!(f32, u32, 0x7f00_0000, 0x7f80_0000, 0x5f80_0000, 0x0080_0000, 4.0 * f32::MIN_POSITIVE as f64, 0x6f58_5f07);
number!(
    f64,
    u64,
    0x7fe0_0000_0000_0000,
    0x7ff0_0000_0000_0000,
    0x5ff0_0000_0000_0000,
    0x0010_0000_0000_0000,
    4.0 * f64::MIN_POSITIVE,
    0x6feb_0be0_ded2_8800
);

/// A number as a window stores it.
#[doc(hidden)]
pub trait Stored: Pod + Default {
    /// Elements in a quantization group, which share a scale: the numbers are stored relative to the scale. Groups
    /// count from the first element of a column. None where numbers are stored as they are.
    const GROUP: Option<usize>;
}

impl<T: Number> Stored for T {
    const GROUP: Option<usize> = None;
}

impl Stored for Bf16 {
    const GROUP: Option<usize> = None;
}

/// Elements in a quantization group, in the formats that have groups. A multiple of [`LANES`](super::LANES).
pub(crate) const GROUP: usize = 256;

impl Stored for F16 {
    const GROUP: Option<usize> = Some(GROUP);
}

impl Stored for i8 {
    const GROUP: Option<usize> = Some(GROUP);
}

/// A bfloat16: the upper half of an `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
#[doc(hidden)]
pub struct Bf16(pub u16);

// SAFETY: it is a `u16`.
unsafe impl Pod for Bf16 {}

impl Bf16 {
    /// The nearest bfloat16; of two equally near, the even one. Finite numbers beyond the largest bfloat16 become the
    /// largest.
    pub(crate) fn from_f32(x: f32) -> Self {
        let bits = x.to_bits();
        if x.is_nan() {
            // The quiet bit keeps the upper half a NaN where the payload lies in the lower half.
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

/// An IEEE 754 binary16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
#[doc(hidden)]
pub struct F16(pub u16);

// SAFETY: it is a `u16`.
unsafe impl Pod for F16 {}

/// The exponent bias of `f32` minus that of binary16.
const F16_BIAS: u32 = 127 - 15;

impl F16 {
    /// The nearest binary16; of two equally near, the even one. Numbers from 65,520 on become an infinity.
    pub(crate) fn from_f32(x: f32) -> Self {
        let sign = (x.to_bits() >> 16 & 0x8000) as u16;
        let magnitude = x.abs();
        let rounded = if x.is_nan() {
            0x7e00
        } else if magnitude >= 65520.0 {
            0x7c00
        } else if magnitude < f32::from_bits((F16_BIAS + 1) << 23) {
            // Numbers below the least normal binary16 become multiples of 2⁻²⁴. Adding a half rounds to these.
            (magnitude + 0.5).to_bits() as u16
        } else {
            let bits = magnitude.to_bits();
            // Rounds off thirteen bits. A carry raises the exponent, as it should.
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
            // The product corrects the exponent's bias, and makes normal numbers of subnormal ones.
            f32::from_bits(magnitude) * f32::from_bits((127 + F16_BIAS) << 23)
        };
        f32::from_bits(value.to_bits() | (bits & 0x8000) << 16)
    }
}

//! IEEE half precision, 11 significant bits, relative to a power of two for each group of 256 elements. The power moves
//! the range of half precision, 12 decades, to the group's numbers.

use super::quantized::QuantizedNumber;
use crate::kernels::{Element, F16, QuantizedFormats, QuantizedKernels};

/// Exponent of the largest stored number of a group. With a larger exponent, rounding could overflow.
const TOP: u64 = 14;

/// Bits of the significand of an `f64` after the point.
const SIGNIFICAND: u32 = f64::MANTISSA_DIGITS - 1;

/// Least scale. At a smaller scale, half precision would be finer than `f32` is there. A scale and its inverse fit
/// `f32`.
const LEAST: f64 = f32::MIN_POSITIVE as f64;

impl QuantizedNumber for F16 {
    fn kernels<T: Element>(formats: &QuantizedFormats<T>) -> QuantizedKernels<T, Self> {
        formats.f16
    }

    fn scale(largest: f64) -> f64 {
        if largest == 0.0 {
            return 0.0;
        }
        // Only the exponent is used. Every `f32` is a normal number as `f64`.
        let exponent = largest.to_bits() >> SIGNIFICAND;
        f64::from_bits((exponent - TOP) << SIGNIFICAND).max(LEAST)
    }

    fn value(self) -> f64 {
        self.to_f32().into()
    }

    fn is_valid(self, scale: f64) -> bool {
        let is_scale = scale == 0.0 || scale >= LEAST && scale.to_bits().trailing_zeros() >= SIGNIFICAND;
        let stored = f64::from(self.to_f32()) * scale;
        is_scale && stored.is_finite() && f64::from(stored as f32) == stored
    }
}

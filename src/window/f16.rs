//! IEEE half precision, 11 significant bits, relative to a power of two for each unit of 256 elements: half precision's
//! own range, 12 decades, is moved to where the unit's numbers are.

use super::quantized::Code;
use crate::kernels::{CodeDots, Compressed, F16, StoredKernels};

/// Exponent of a unit's largest number as it is stored. One more, and rounding could overflow.
const TOP: u64 = 14;

/// Bits of the significand of an `f64` behind the point.
const SIGNIFICAND: u32 = f64::MANTISSA_DIGITS - 1;

/// Least scale: below it half precision is finer than 32 bits are there. A scale and its inverse are 32-bit numbers.
const LEAST: f64 = f32::MIN_POSITIVE as f64;

impl Code for F16 {
    fn kernels<T>(compressed: &'static Compressed<T>) -> &'static StoredKernels<T, Self> {
        &compressed.f16
    }

    fn scale(largest: f64) -> f64 {
        if largest == 0.0 {
            return 0.0;
        }
        // The exponent alone. Numbers of 32 bits are all normal in 64.
        let exponent = largest.to_bits() >> SIGNIFICAND;
        f64::from_bits((exponent - TOP) << SIGNIFICAND).max(LEAST)
    }

    fn dots<T>(compressed: &'static Compressed<T>) -> CodeDots<Self> {
        compressed.f16_dots
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

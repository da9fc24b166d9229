//! IEEE half precision, 11 significant bits, relative to a power of two for each unit of 256 elements: half precision's
//! own range, 12 decades, is moved to where the unit's numbers are.

use super::coded::Code;
use crate::kernels::{Compressed, F16, StoredKernels};

/// Exponent of a unit's largest number as it is stored. One more, and rounding could overflow.
const TOP: u64 = 14;

/// Bits of the significand of an `f64`.
const SIGNIFICAND: u32 = f64::MANTISSA_DIGITS - 1;

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
        f64::from_bits((exponent - TOP) << SIGNIFICAND)
    }

    fn is_valid(self, scale: f64) -> bool {
        let is_power = scale.to_bits().trailing_zeros() >= SIGNIFICAND;
        // As 32 bits hold it, which is more than half precision does.
        is_power && (f64::from(self.to_f32()) * scale).abs() <= f64::from(f32::MAX)
    }
}

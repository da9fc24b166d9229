//! Whole numbers from −127 to 127, relative to a scale for each unit of 256 elements: the unit's largest magnitude over
//! 127, to 16 significant bits. (7 bits times 16 make 23, which a 32-bit float holds.) A number is stored as the nearest
//! whole number to its product with the inverse of the scale, both rounded to 32 bits; of two as near, as the even one.

use super::quantized::Code;
use crate::kernels::{CodeDots, Compressed, StoredKernels};

/// Largest number that is stored.
const TOP: f64 = 127.0;

/// The lowest 8 of the 24 significant bits of an `f32`.
const CUT: u32 = 0xff;

impl Code for i8 {
    fn kernels<T>(compressed: &'static Compressed<T>) -> &'static StoredKernels<T, Self> {
        &compressed.int8
    }

    fn scale(largest: f64) -> f64 {
        let scale = (largest / TOP) as f32;
        let bits = scale.to_bits();
        if bits > u32::from(u16::MAX) {
            // Cut, so that 127 times it does not overflow: the largest is then at most 127.496 of it, still stored as
            // 127 and within half of it.
            return f32::from_bits(bits & !CUT).into();
        }
        // At most 16 bits, but so few multiples of the least number that the nearest may be much too small.
        let next = if f64::from(scale) * TOP < largest { 1 } else { 0 };
        f32::from_bits(bits + next).into()
    }

    fn dots<T>(compressed: &'static Compressed<T>) -> CodeDots<Self> {
        compressed.int8_dots
    }

    fn value(self) -> f64 {
        self.into()
    }

    fn is_valid(self, scale: f64) -> bool {
        let bits = (scale as f32).to_bits();
        let is_scale = f64::from(scale as f32) == scale && (bits & CUT == 0 || bits <= u32::from(u16::MAX) + 1);
        is_scale && self != i8::MIN && scale * TOP <= f64::from(f32::MAX)
    }
}

//! Integers from −127 to 127, relative to a scale for each group of 256 elements: the group's largest magnitude over
//! 127, to 16 significant bits. (7 bits times 16 bits make 23 bits, which an `f32` holds.) A number is multiplied by
//! the inverse of the scale, both rounded to `f32`, and the product is rounded to the nearest integer; of two equally
//! near, the even one.

use super::quantized::QuantizedNumber;
use crate::kernels::{Element, QuantizedFormats, QuantizedKernels};

/// The largest stored integer.
const TOP: f64 = 127.0;

/// The lowest 8 of the 24 significant bits of an `f32`.
const CUT: u32 = 0xff;

impl QuantizedNumber for i8 {
    fn kernels<T: Element>(formats: &QuantizedFormats<T>) -> QuantizedKernels<T, Self> {
        formats.int8
    }

    fn scale(largest: f64) -> f64 {
        let scale = (largest / TOP) as f32;
        let bits = scale.to_bits();
        if bits > u32::from(u16::MAX) {
            // Rounded down, so that 127 times the scale does not overflow. The largest number is then at most 127.496
            // times the scale: it is stored as 127, with an error below half a scale.
            return f32::from_bits(bits & !CUT).into();
        }
        // A subnormal scale has at most 16 bits, but the nearest one may be much too small.
        let next = if f64::from(scale) * TOP < largest { 1 } else { 0 };
        f32::from_bits(bits + next).into()
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

//! bfloat16: the range of `f32` with 8 significant bits. No scales.

use super::quantized::QuantizedNumber;
use crate::kernels::{Bf16, Element, QuantizedFormats, QuantizedKernels};

impl QuantizedNumber for Bf16 {
    fn kernels<T: Element>(formats: &QuantizedFormats<T>) -> QuantizedKernels<T, Self> {
        formats.bf16
    }

    fn scale(_largest: f64) -> f64 {
        1.0
    }

    fn value(self) -> f64 {
        self.to_f32().into()
    }

    fn is_valid(self, _scale: f64) -> bool {
        self.to_f32().is_finite()
    }
}

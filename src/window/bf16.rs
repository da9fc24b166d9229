//! bfloat16: the range of 32-bit floats with 8 significant bits.

use super::quantized::Code;
use crate::kernels::{Bf16, CodeDots, Compressed, StoredKernels};

impl Code for Bf16 {
    fn kernels<T>(compressed: &'static Compressed<T>) -> &'static StoredKernels<T, Self> {
        &compressed.bf16
    }

    fn scale(_largest: f64) -> f64 {
        1.0
    }

    fn dots<T>(compressed: &'static Compressed<T>) -> CodeDots<Self> {
        compressed.bf16_dots
    }

    fn value(self) -> f64 {
        self.to_f32().into()
    }

    fn is_valid(self, _scale: f64) -> bool {
        self.to_f32().is_finite()
    }
}

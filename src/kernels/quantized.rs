//! The tables of kernels that a quantized window uses.

use super::columns::ColumnKernels;
use super::encode::EncodeKernels;
use super::products::ProductKernels;
use crate::simd::{Bf16, F16, Number, Stored, best};

/// The best kernels on this machine for columns that store `S` for elements of type `T`.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub struct QuantizedKernels<T: Number + 'static, S: Stored + 'static> {
    pub columns: &'static ColumnKernels<T, S>,
    pub encode: &'static EncodeKernels<T, S>,
    pub products: &'static ProductKernels<S>,
}

/// [`QuantizedKernels`] of every quantized format.
#[doc(hidden)]
pub struct QuantizedFormats<T: Number + 'static> {
    pub bf16: QuantizedKernels<T, Bf16>,
    pub f16: QuantizedKernels<T, F16>,
    pub int8: QuantizedKernels<T, i8>,
}

macro_rules! best_for {
    ($stored:ty) => {
        QuantizedKernels {
            columns: best!(ColumnKernels<f32, $stored>),
            encode: best!(EncodeKernels<f32, $stored>),
            products: best!(ProductKernels<$stored>),
        }
    };
}

impl QuantizedFormats<f32> {
    pub(super) fn best() -> Self {
        Self { bf16: best_for!(Bf16), f16: best_for!(F16), int8: best_for!(i8) }
    }
}

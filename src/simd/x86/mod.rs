//! Vectors in the registers of x86: two registers hold a vector of `f64` with AVX2, one does with AVX-512.

mod avx2;
mod avx512;
mod f32x8;
mod features;
mod quantized;
mod roots;
mod sparse;

pub(crate) use avx2::Avx2;
pub(crate) use avx512::{Avx512, Avx512Bf16};

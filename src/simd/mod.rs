//! Vector arithmetic on each instruction set, and the choice of the best instruction set.
//!
//! A loop is written once, on vectors of eight numbers ([`lanes`]), whatever the registers of the machine hold. An
//! instruction set is a type that implements the traits of this module: plain Rust ([`portable`]), AVX2 and AVX-512
//! (`x86`) and NEON (`neon`). [`dispatch`] compiles tables of loops for each of them, and chooses the best that the
//! processor has when the program runs.
//!
//! A sum over eight lanes is added in one order on every instruction set. Instruction sets can differ only in whether a
//! product is rounded before it is added, and a product of two `f32` is exact in `f64`.

pub(crate) mod dispatch;
mod lanes;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
mod numbers;
pub(crate) mod portable;
mod products;
mod quantized;
mod roots;
mod sparse;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;

pub(crate) use dispatch::{best, kernels};
pub(crate) use lanes::{CACHE_LINE, LANES, Lanes, Load, MOST_COLUMNS, PAIR};
pub(crate) use numbers::GROUP;
pub use numbers::{Bf16, F16, Number, Stored};
pub(crate) use products::{Products, RUN};
#[cfg(test)]
pub(crate) use quantized::in_two;
pub(crate) use quantized::{Decode, Encode};
pub(crate) use roots::{Paired, Pairs, halves};
pub(crate) use sparse::{COUNTED, Filter, KEYS, LARGEST_KEY, MET, Sparse};

//! Loops of length d: everything that is done a number of times that grows with the model. Kernels know no policy.
//!
//! A kernel is written once, on vectors of eight numbers ([`crate::simd`]), for all element types and instruction sets.
//! Each file declares a table of kernels with [`kernels!`](crate::simd::kernels), which compiles them for every
//! instruction set. The best table that the machine can run is chosen when the program runs.
//!
//! A sum has one order. It depends neither on addresses nor on the instruction set: vectors have eight lanes
//! everywhere, and fewer elements are padded to a vector. Sums are f64 sums, since f32 sums lose what nearly parallel
//! gradients differ in. The exception is asked for by name ([`ColumnKernels::combine_native`]).

mod columns;
mod diagonal;
mod each;
mod element;
mod elements;
mod encode;
mod prefetch;
mod products;
mod quantized;
pub(crate) mod sparse;

#[cfg(test)]
mod tests;

pub(crate) use columns::NATIVE_COLUMNS;
pub use columns::{ColumnKernels, Columns, Scales};
pub(crate) use diagonal::{Diagonal, Scaled};
pub use element::Element;
pub use elements::{Kernels, Smoothing};
pub(crate) use prefetch::{Ahead, Run};
pub use quantized::{QuantizedFormats, QuantizedKernels};

pub use crate::simd::{Bf16, F16, Stored};
pub(crate) use crate::simd::{GROUP, LANES};

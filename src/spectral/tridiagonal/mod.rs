//! Reduces a symmetric matrix to tridiagonal form, and solves with that form for many shifts. A step spends most of its
//! k×k work here, so both are kernels, compiled for each instruction set. Each is one call: small matrices leave no
//! time for a call a loop.

mod few_rows;
mod householder;
mod rows;
mod shifted;
mod system;

pub(super) use householder::ReductionKernels;
pub(super) use shifted::ShiftedKernels;
pub(super) use system::{F64x8, System, WORK, column, columns, start_of};

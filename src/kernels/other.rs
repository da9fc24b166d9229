//! Machines of a kind that has no loops of its own.

use super::portable::{self, Portable};
use super::sparse::SparseKernels;
use super::stored::Compressed;
use super::symmetric::SymmetricKernels;
use super::{Element, Kernels};

/// The loops with every instruction set that the machine has, the best first.
pub(super) fn tables<T: Element>() -> [Option<&'static Kernels<T>>; 1] {
    [Some(Portable::table())]
}

/// The loops over what windows store, likewise.
pub(super) fn compressed() -> [Option<&'static Compressed<f32>>; 1] {
    [Some(portable::COMPRESSED)]
}

/// The symmetric solver's kernels, likewise.
pub(super) fn symmetric() -> [Option<&'static SymmetricKernels>; 1] {
    [Some(Portable::symmetric_table())]
}

/// The loops over sparse columns, likewise.
pub(super) fn sparse() -> [Option<&'static SparseKernels<f32>>; 1] {
    [Some(Portable::sparse_table())]
}

//! Blocks in the vector registers of x86: two with AVX2 and FMA, one with AVX-512.

mod avx2;
mod avx512;
mod narrow;
mod scaling;
mod stored;

use super::lanes::Load;
use super::portable::Portable;
use super::sparse::SparseKernels;
use super::symmetric::SymmetricKernels;
use super::{Element, Kernels};
pub(super) use avx2::Avx2;
pub(super) use avx512::Avx512;
pub(super) use stored::compressed;

/// The loops with every instruction set that the machine has, the best first.
pub(super) fn tables<T: Element>() -> [Option<&'static Kernels<T>>; 3]
where
    Avx2: Load<T>,
    Avx512: Load<T>,
{
    [has_avx512().then(Avx512::table), has_avx2().then(Avx2::table), Some(Portable::table())]
}

/// The symmetric solver's kernels, likewise.
pub(super) fn symmetric() -> [Option<&'static SymmetricKernels>; 3] {
    [
        has_avx512().then(Avx512::symmetric_table),
        has_avx2().then(Avx2::symmetric_table),
        Some(Portable::symmetric_table()),
    ]
}

/// The loops over sparse columns, likewise.
pub(super) fn sparse() -> [Option<&'static SparseKernels<f32>>; 3] {
    let counts = is_x86_feature_detected!("popcnt") && is_x86_feature_detected!("bmi1");
    [
        (counts && has_avx512()).then(Avx512::sparse_table),
        (counts && has_avx2()).then(Avx2::sparse_table),
        Some(Portable::sparse_table()),
    ]
}

fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
}

/// AVX2, FMA and F16C.
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

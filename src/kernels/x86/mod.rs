//! Blocks in the vector registers of x86: two with AVX2 and FMA, one with AVX-512.

mod avx2;
mod avx512;
mod narrow;
mod stored;

use super::lanes::Load;
use super::sparse::SparseKernels;
use super::symmetric::SymmetricKernels;
use super::{Element, Kernels};
pub(super) use avx2::Avx2;
pub(super) use avx512::Avx512;
pub(super) use stored::compressed;

/// The loops with AVX2, FMA and F16C, where the machine has them.
pub(super) fn avx2<T: Element>() -> Option<&'static Kernels<T>>
where
    Avx2: Load<T>,
{
    has_avx2().then(Avx2::table)
}

fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

/// The loops with AVX-512, where the machine has it.
pub(super) fn avx512<T: Element>() -> Option<&'static Kernels<T>>
where
    Avx512: Load<T>,
{
    is_x86_feature_detected!("avx512f").then(Avx512::table)
}

/// The symmetric solver's kernels, with every instruction set that the machine has, the best first.
pub(super) fn symmetric() -> [Option<&'static SymmetricKernels>; 2] {
    [is_x86_feature_detected!("avx512f").then(Avx512::symmetric_table), has_avx2().then(Avx2::symmetric_table)]
}

/// The loops over sparse columns, with every instruction set that the machine has, the best first.
pub(super) fn sparse() -> [Option<&'static SparseKernels<f32>>; 2] {
    let counts = is_x86_feature_detected!("popcnt") && is_x86_feature_detected!("bmi1");
    [
        (counts && is_x86_feature_detected!("avx512f")).then(Avx512::sparse_table),
        (counts && has_avx2()).then(Avx2::sparse_table),
    ]
}

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
    let has = Features::detected();
    [has.avx512_loops().then(Avx512::table), has.avx2_loops().then(Avx2::table), Some(Portable::table())]
}

/// The symmetric solver's kernels, likewise.
pub(super) fn symmetric() -> [Option<&'static SymmetricKernels>; 3] {
    let has = Features::detected();
    [
        has.avx512_loops().then(Avx512::symmetric_table),
        has.avx2_loops().then(Avx2::symmetric_table),
        Some(Portable::symmetric_table()),
    ]
}

/// The loops over sparse columns, likewise.
pub(super) fn sparse() -> [Option<&'static SparseKernels<f32>>; 3] {
    let has = Features::detected();
    [
        (has.avx512_loops() && has.counts()).then(Avx512::sparse_table),
        (has.avx2_loops() && has.counts()).then(Avx2::sparse_table),
        Some(Portable::sparse_table()),
    ]
}

/// The features by which loops are chosen, and which of them the machine has.
#[derive(Clone, Copy)]
struct Features {
    avx2: bool,
    fma: bool,
    f16c: bool,
    popcnt: bool,
    bmi1: bool,
    avx512f: bool,
    avx512vl: bool,
    avx512bw: bool,
    avx512bf16: bool,
}

impl Features {
    fn detected() -> Self {
        Self {
            avx2: is_x86_feature_detected!("avx2"),
            fma: is_x86_feature_detected!("fma"),
            f16c: is_x86_feature_detected!("f16c"),
            popcnt: is_x86_feature_detected!("popcnt"),
            bmi1: is_x86_feature_detected!("bmi1"),
            avx512f: is_x86_feature_detected!("avx512f"),
            avx512vl: is_x86_feature_detected!("avx512vl"),
            avx512bw: is_x86_feature_detected!("avx512bw"),
            avx512bf16: is_x86_feature_detected!("avx512bf16"),
        }
    }

    fn avx2_loops(self) -> bool {
        self.avx2 && self.fma && self.f16c
    }

    /// To the compiler AVX-512F comes with AVX2, FMA and F16C, whose instructions it uses too. A virtual machine may
    /// hide any of them alone.
    fn avx512_loops(self) -> bool {
        self.avx512f && self.avx2_loops()
    }

    /// For the conversions to bfloat16, which to the compiler come with AVX-512BW.
    fn avx512_bf16_loops(self) -> bool {
        self.avx512_loops() && self.avx512vl && self.avx512bw && self.avx512bf16
    }

    /// For the loops over sparse columns.
    fn counts(self) -> bool {
        self.popcnt && self.bmi1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All sets of features: loops are chosen only where all is there that they are compiled with, and that these
    /// features bring with them for the compiler.
    #[test]
    fn loops_are_chosen_only_where_all_their_features_are() {
        for set in 0..1 << 9 {
            let bit = |place: u32| set >> place & 1 == 1;
            let [avx2, fma, f16c, popcnt, bmi1] = [0, 1, 2, 3, 4].map(bit);
            let [avx512f, avx512vl, avx512bw, avx512bf16] = [5, 6, 7, 8].map(bit);
            let has = Features { avx2, fma, f16c, popcnt, bmi1, avx512f, avx512vl, avx512bw, avx512bf16 };
            assert_eq!(has.avx2_loops(), [avx2, fma, f16c] == [true; 3]);
            assert_eq!(has.avx512_loops(), [avx2, fma, f16c, avx512f] == [true; 4]);
            let all = [avx2, fma, f16c, avx512f, avx512vl, avx512bw, avx512bf16];
            assert_eq!(has.avx512_bf16_loops(), all == [true; 7]);
            assert_eq!(has.counts(), [popcnt, bmi1] == [true; 2]);
        }
    }

    /// What the compiler takes for granted in a function with a feature: what it would refuse to be without.
    #[test]
    fn avx512_brings_what_is_asked_for_besides() {
        #[target_feature(enable = "avx512f")]
        fn in_avx512f() -> bool {
            needs_avx2_loops()
        }
        #[target_feature(enable = "avx512bf16")]
        fn in_avx512bf16() -> bool {
            needs_avx512bw()
        }
        #[target_feature(enable = "avx2,fma,f16c")]
        fn needs_avx2_loops() -> bool {
            true
        }
        #[target_feature(enable = "avx512bw")]
        fn needs_avx512bw() -> bool {
            true
        }
        // SAFETY: the machine has the features.
        assert!(!Features::detected().avx512_loops() || unsafe { in_avx512f() });
        // SAFETY: likewise.
        assert!(!Features::detected().avx512_bf16_loops() || unsafe { in_avx512bf16() });
    }
}

//! Which instruction sets the processor has.

/// The features of the processor that matter here.
#[derive(Clone, Copy)]
pub(super) struct Features {
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
    pub(super) fn detected() -> Self {
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

    /// The features of [`Avx2`](super::Avx2).
    pub(super) fn avx2(self) -> bool {
        self.avx2 && self.fma && self.f16c && self.popcnt && self.bmi1
    }

    /// The features of [`Avx512`](super::Avx512). For the compiler AVX-512F implies AVX2, FMA and F16C, so a function
    /// compiled for AVX-512F may use all of them. A virtual machine may hide any of them alone.
    pub(super) fn avx512(self) -> bool {
        self.avx512f && self.avx2()
    }

    /// The features of [`Avx512Bf16`](super::Avx512Bf16). For the compiler AVX-512 BF16 implies AVX-512BW.
    pub(super) fn avx512_bf16(self) -> bool {
        self.avx512() && self.avx512vl && self.avx512bw && self.avx512bf16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All sets of features: an instruction set is available only where all the features are that its kernels are
    /// compiled with, and those that these features imply for the compiler.
    #[test]
    fn an_instruction_set_is_available_only_with_all_its_features() {
        for set in 0..1 << 9 {
            let bit = |place: u32| set >> place & 1 == 1;
            let [avx2, fma, f16c, popcnt, bmi1] = [0, 1, 2, 3, 4].map(bit);
            let [avx512f, avx512vl, avx512bw, avx512bf16] = [5, 6, 7, 8].map(bit);
            let has = Features { avx2, fma, f16c, popcnt, bmi1, avx512f, avx512vl, avx512bw, avx512bf16 };
            assert_eq!(has.avx2(), set & 0b11111 == 0b11111);
            assert_eq!(has.avx512(), set & 0b111111 == 0b111111);
            assert_eq!(has.avx512_bf16(), set == 0b1_1111_1111);
        }
    }

    /// The features that the compiler assumes in a function with another feature: the calls would not compile
    /// otherwise.
    #[test]
    fn avx512_implies_the_features_that_are_asked_for_besides() {
        #[target_feature(enable = "avx512f")]
        fn in_avx512f() -> bool {
            needs_avx2()
        }
        #[target_feature(enable = "avx512bf16")]
        fn in_avx512bf16() -> bool {
            needs_avx512bw()
        }
        #[target_feature(enable = "avx2,fma,f16c")]
        fn needs_avx2() -> bool {
            true
        }
        #[target_feature(enable = "avx512bw")]
        fn needs_avx512bw() -> bool {
            true
        }
        // SAFETY: the machine has the features.
        assert!(!Features::detected().avx512() || unsafe { in_avx512f() });
        // SAFETY: likewise.
        assert!(!Features::detected().avx512_bf16() || unsafe { in_avx512bf16() });
    }
}

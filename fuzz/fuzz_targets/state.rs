#![no_main]

use lmada_fuzz::{coverage, state};

libfuzzer_sys::fuzz_target!(init: coverage::start(), |input: &[u8]| {
    state::run(input);
    coverage::note();
});

#![no_main]

use lmada_fuzz::{calls, coverage};

libfuzzer_sys::fuzz_target!(init: coverage::start(), |input: &[u8]| {
    calls::run(input);
    coverage::note();
});

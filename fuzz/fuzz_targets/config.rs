#![no_main]

use lmada_fuzz::{config, coverage};

libfuzzer_sys::fuzz_target!(init: coverage::start(), |input: &[u8]| {
    config::run(input);
    coverage::note();
});

//! Writes the edges of the program that inputs reached; libFuzzer itself only counts them. If `LMADA_FUZZ_EDGES` names
//! a file, the program writes a line for each edge to it at its end: the address, and 1 if the edge was reached, else
//! 0.

use core::ffi::c_int;
use std::fmt::Write;
use std::sync::Mutex;

// Symbols of the compiler: a counter and a pair (address, flags) for each edge, and the start of the program in memory.
unsafe extern "C" {
    #[link_name = "__start___sancov_cntrs"]
    static COUNTERS: u8;
    #[link_name = "__stop___sancov_cntrs"]
    static COUNTERS_END: u8;
    #[link_name = "__start___sancov_pcs"]
    static PLACES: [usize; 2];
    #[link_name = "__executable_start"]
    static PROGRAM: u8;
    fn atexit(function: extern "C" fn()) -> c_int;
}

/// Edges reached so far; empty if they are not recorded.
static REACHED: Mutex<Vec<bool>> = Mutex::new(Vec::new());

fn edges() -> usize {
    (&raw const COUNTERS_END).addr() - (&raw const COUNTERS).addr()
}

/// Called before the first input.
pub fn start() {
    if std::env::var_os("LMADA_FUZZ_EDGES").is_some() {
        *REACHED.lock().expect("one thread") = vec![false; edges()];
        // SAFETY: the function may be called at any time.
        unsafe { atexit(write) };
    }
}

/// Called after each input: libFuzzer resets the counters.
pub fn note() {
    for (index, reached) in REACHED.lock().expect("one thread").iter_mut().enumerate() {
        // SAFETY: each edge has a counter. Other threads may write it at the same time, hence the volatile read.
        *reached |= unsafe { (&raw const COUNTERS).add(index).read_volatile() } != 0;
    }
}

extern "C" fn write() {
    let mut text = String::new();
    for (index, &reached) in REACHED.lock().expect("one thread").iter().enumerate() {
        // SAFETY: each edge has a pair.
        let [place, _] = unsafe { (&raw const PLACES).add(index).read() };
        // Padding of the linker between the tables of two objects has no address.
        if let Some(offset) = place.checked_sub((&raw const PROGRAM).addr()) {
            writeln!(text, "{offset:#x} {}", u8::from(reached)).expect("a string takes everything");
        }
    }
    let path = std::env::var_os("LMADA_FUZZ_EDGES").expect("it was there at the start");
    std::fs::write(path, text).expect("a file that can be written");
}

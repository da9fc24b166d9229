//! Which edges of the program inputs have reached, to be counted by file: libFuzzer only counts them all together.
//! Where `LMADA_FUZZ_EDGES` names a file, a line is written to it in the end for each edge: its place in the program
//! and 1 if it was reached.

use core::ffi::c_int;
use std::fmt::Write;
use std::sync::Mutex;

// The compiler's own, one counter and one pair (place, flags) an edge, and the start of the program in memory.
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

/// Edges reached so far; empty where nobody wants to know.
static REACHED: Mutex<Vec<bool>> = Mutex::new(Vec::new());

fn edges() -> usize {
    (&raw const COUNTERS_END).addr() - (&raw const COUNTERS).addr()
}

/// Before the first input.
pub fn start() {
    if std::env::var_os("LMADA_FUZZ_EDGES").is_some() {
        *REACHED.lock().expect("one thread") = vec![false; edges()];
        // SAFETY: the function may be called at any time.
        unsafe { atexit(write) };
    }
}

/// After each input: libFuzzer sets the counters back.
pub fn note() {
    for (index, reached) in REACHED.lock().expect("one thread").iter_mut().enumerate() {
        // SAFETY: there is a counter an edge; others may write it at the same time, hence the volatile read.
        *reached |= unsafe { (&raw const COUNTERS).add(index).read_volatile() } != 0;
    }
}

extern "C" fn write() {
    let mut text = String::new();
    for (index, &reached) in REACHED.lock().expect("one thread").iter().enumerate() {
        // SAFETY: there is a pair an edge.
        let [place, _] = unsafe { (&raw const PLACES).add(index).read() };
        // What the linker puts between the tables of two objects has no place.
        if let Some(offset) = place.checked_sub((&raw const PROGRAM).addr()) {
            writeln!(text, "{offset:#x} {}", u8::from(reached)).expect("a string takes everything");
        }
    }
    let path = std::env::var_os("LMADA_FUZZ_EDGES").expect("it was there at the start");
    std::fs::write(path, text).expect("a file that can be written");
}

//! Another Rust static library, as rustc makes it. Panics inside of it are caught.

#[unsafe(no_mangle)]
pub extern "C" fn plain_answer(x: i32) -> i32 {
    std::panic::catch_unwind(|| if x > 0 { panic!("planted") } else { x }).unwrap_or(3)
}

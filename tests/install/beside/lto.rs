//! Another Rust static library, linked with lto=fat: the runtime that it needs is in its own object, as global symbols.

#[unsafe(no_mangle)]
pub extern "C" fn lto_answer(x: i32) -> i32 {
    let worker = std::thread::spawn(move || format!("{x}").parse::<i32>().unwrap() + 1);
    worker.join().unwrap_or(-1)
}

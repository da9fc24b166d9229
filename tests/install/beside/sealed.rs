//! Goes through scripts/seal-archive as liblmada.a does. It panics where liblmada.a never should: through frames that
//! have something to drop, on a thread of its own too.

use std::cell::Cell;
use std::panic::{catch_unwind, resume_unwind};

thread_local!(static DROPPED: Cell<i32> = const { Cell::new(0) });

struct Dropped;

impl Drop for Dropped {
    fn drop(&mut self) {
        DROPPED.with(|count| count.set(count.get() + 1));
    }
}

#[inline(never)]
fn descend(depth: i32) -> i32 {
    let _dropped = Dropped;
    if depth == 0 { panic!("planted") } else { descend(depth - 1) + 1 }
}

fn caught(depth: i32) -> i32 {
    match catch_unwind(|| descend(depth)) {
        Ok(_) => -1,
        Err(_) => DROPPED.with(Cell::get),
    }
}

/// 4 for `x` = 1: each of two threads unwinds through two frames.
#[unsafe(no_mangle)]
pub extern "C" fn sealed_answer(x: i32) -> i32 {
    let worker = std::thread::spawn(move || {
        let dropped = caught(x);
        resume_unwind(Box::new(dropped))
    });
    let there = worker.join().err().and_then(|panic| panic.downcast::<i32>().ok()).map_or(-1, |dropped| *dropped);
    caught(x) + there
}

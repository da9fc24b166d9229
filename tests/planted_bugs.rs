//! Bugs for the sanitizers to find (scripts/test-asan, scripts/test-ubsan): where they do not, their silence about
//! everything else means nothing.

use core::hint::black_box;

fn numbers() -> Box<[u64]> {
    black_box(vec![1; 10].into_boxed_slice())
}

#[test]
#[ignore = "a bug"]
fn a_read_past_the_end() {
    let numbers = numbers();
    black_box(unsafe { numbers.as_ptr().add(black_box(10)).read() });
}

#[test]
#[ignore = "a bug"]
fn a_read_after_the_end() {
    let numbers = numbers();
    let first = numbers.as_ptr();
    drop(numbers);
    black_box(unsafe { first.read() });
}

#[test]
#[ignore = "a bug"]
fn a_leak() {
    core::mem::forget(numbers());
}

#[test]
#[ignore = "a bug"]
fn an_overflow() {
    black_box(black_box(i32::MAX) + 1);
}

/// Of a function whose caller has to see to something.
#[test]
#[ignore = "a bug"]
fn a_broken_promise() {
    let numbers = numbers();
    black_box(unsafe { numbers.get_unchecked(black_box(10)) });
}

#[test]
#[ignore = "a bug"]
fn an_unaligned_read() {
    let numbers = numbers();
    let unaligned = numbers.as_ptr().wrapping_byte_add(black_box(1));
    black_box(unsafe { *unaligned });
}

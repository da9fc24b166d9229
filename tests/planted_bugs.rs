//! Planted bugs, which the sanitizers have to report (scripts/test-asan, scripts/test-msan, scripts/test-ubsan);
//! otherwise their silence about everything else proves nothing.

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

/// A violated precondition of an unsafe function.
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

#[test]
#[ignore = "a bug"]
fn an_uninitialised_read() {
    let number = black_box(Box::new(core::mem::MaybeUninit::<u64>::uninit()));
    if unsafe { number.assume_init_read() } > 7 {
        println!("more than seven");
    }
}

/// Uninitialised numbers of the caller, which the library reads.
#[test]
#[ignore = "a bug"]
#[allow(clippy::uninit_vec)]
fn an_uninitialised_gradient() {
    let mut optimizer = lmada::Optimizer::<f32>::new(&lmada::Config::default(), &[100]).unwrap();
    let mut gradient: Vec<f32> = Vec::with_capacity(100);
    unsafe { gradient.set_len(100) };
    let _ = optimizer.step(&mut [0.0; 100], black_box(&gradient));
}

//! Calls of this crate keep a Rust program's panic hook: exactly the same hook, not a wrapper.

use std::panic::{set_hook, take_hook};
use std::sync::atomic::{AtomicUsize, Ordering};

use lmada::{Config, Optimizer, capi};

static HEARD: AtomicUsize = AtomicUsize::new(0);

/// How often the program's hook is called for one panic of the program.
fn heard_of_a_panic() -> usize {
    let before = HEARD.load(Ordering::SeqCst);
    assert!(std::panic::catch_unwind(|| panic!("the program's own")).is_err());
    let panicked = std::thread::spawn(|| panic!("the program's own, on another thread")).join();
    assert!(panicked.is_err());
    (HEARD.load(Ordering::SeqCst) - before) / 2
}

/// Returns the address of the present hook, which stays set.
fn address_of_the_hook() -> usize {
    let hook = take_hook();
    let address = (&raw const *hook).cast::<()>().addr();
    set_hook(hook);
    address
}

#[test]
fn a_rust_program_keeps_its_panic_hook() {
    let once = 1; // a closure that captures a value has its own address
    set_hook(Box::new(move |_| {
        HEARD.fetch_add(once, Ordering::SeqCst);
    }));
    assert_eq!(heard_of_a_panic(), 1, "this test sees the hook");
    let address = address_of_the_hook();

    let dim = 100_000; // large enough for a second thread
    let (mut params, grads) = (vec![1.0_f32; dim], vec![0.5; dim]);
    let mut config = Config::default();
    config.threads = 2;
    let mut optimizer = Optimizer::new(&config, &[dim]).unwrap();
    for _ in 0..3 {
        optimizer.step(&mut params, &grads).unwrap();
    }
    assert!(optimizer.step(&mut params[1..], &grads).is_err());
    assert_eq!(heard_of_a_panic(), 1, "after the Rust interface");
    assert_eq!(address_of_the_hook(), address, "after the Rust interface");

    // SAFETY: the handle is live from create to free, and the arrays have `dim` elements.
    unsafe {
        let mut opt = core::ptr::null_mut();
        assert_eq!(capi::lmada_create(core::ptr::null(), dim, &raw mut opt), capi::LMADA_OK);
        assert_eq!(capi::lmada_step(opt, params.as_mut_ptr(), grads.as_ptr(), dim), capi::LMADA_OK);
        let wrong = capi::lmada_step(opt, params.as_mut_ptr(), grads.as_ptr(), dim - 1);
        assert_eq!(wrong, capi::LMADA_ERROR_DIMENSION_MISMATCH);
        assert_eq!(heard_of_a_panic(), 1, "after the C interface");
        assert_eq!(address_of_the_hook(), address, "after the C interface");
        capi::lmada_free(opt);
    }
    assert_eq!(heard_of_a_panic(), 1, "after free");
    assert_eq!(address_of_the_hook(), address, "after free");
}

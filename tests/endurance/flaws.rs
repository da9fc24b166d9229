//! What these runs look for is seen where it is: planted flaws.

use crate::examine::{Examiner, gram_start};
use crate::gradients::Gradients;
use crate::memory::Usage;
use lmada::{Config, Optimizer};

const DIMS: &[usize] = &[300, 20];

pub fn are_seen() {
    wrong_products_are();
    leaks_are();
}

/// An entry of C that is off by twice what is allowed, and by half of it; one without its mirror image; a NaN.
fn wrong_products_are() {
    let config = Config { threads: 1, ..Config::default() };
    let mut optimizer = Optimizer::<f32>::new(&config, DIMS).expect("a valid configuration");
    let (mut params, mut grads) = (vec![0.0; 320], vec![0.0; 320]);
    let mut gradients = Gradients::new(320, 4);
    for _ in 0..25 {
        gradients.draw(&mut grads);
        optimizer.step(&mut params, &grads).expect("a good step");
    }
    let mut state = vec![0; optimizer.state_size()];
    optimizer.state_save(&mut state).expect("no step is open");
    let mut examiner = Examiner::new(state.len(), &config, DIMS);
    let k = config.history_size as usize;
    let place = |i: usize, j: usize| gram_start(DIMS.len()) + 8 * (i * k + j);
    let entry = |i, j| f64::from_le_bytes(state[place(i, j)..][..8].try_into().expect("8 bytes"));
    let norms = (entry(2, 2) * entry(7, 7)).sqrt();
    let mut look = |changes: &[(usize, usize, f64)]| {
        let mut state = state.clone();
        for &(i, j, value) in changes {
            state[place(i, j)..][..8].copy_from_slice(&value.to_le_bytes());
        }
        examiner.look(&state, &config, DIMS)
    };
    let moved = |relative: f64| entry(2, 7) + relative * norms;
    assert_eq!(look(&[]), Ok(()));
    assert_eq!(look(&[(2, 7, moved(0.5e-12)), (7, 2, moved(0.5e-12))]), Ok(()));
    assert!(look(&[(2, 7, moved(2e-12)), (7, 2, moved(2e-12))]).is_err_and(|flaw| flaw.contains("product")));
    assert!(look(&[(2, 7, moved(0.5e-12))]).is_err_and(|flaw| flaw.contains("symmetric")));
    assert!(look(&[(0, 0, f64::NAN)]).is_err_and(|flaw| flaw.contains("finite")));
}

/// A byte a step in the long runs of small models; 100 bytes a step in those of large ones.
fn leaks_are() {
    for (count, size) in [(1_000_000, 1), (10_000, 100)] {
        let warm = Usage::now();
        let lost: Vec<Box<[u8]>> = (0..count).map(|_| vec![1; size].into_boxed_slice()).collect();
        assert!(warm.growth().is_err(), "{count} blocks of {size} bytes were lost unseen");
        drop(lost);
    }
}

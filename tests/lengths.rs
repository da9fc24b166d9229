//! Lengths beyond the address space of this machine (4 GiB on 32 bits) are refused with a status: in create, and in a
//! state that was saved on a 64-bit machine.

mod common;

use common::{Model, part_ends};
use lmada::{Config, Error, Optimizer};

#[test]
fn a_window_beyond_the_address_space_is_out_of_memory() {
    let config = Config::default().with_history_size(4096);
    for len in [usize::MAX / 4096, usize::MAX / 8, usize::MAX] {
        let made = Optimizer::<f32>::new(&config, &[len]).err().unwrap();
        let told = Optimizer::<f32>::memory(&config, &[len]).unwrap_err();
        for error in [made, told] {
            assert!(matches!(error, Error::OutOfMemory { bytes: u64::MAX, .. }), "{len}: {error}");
            assert!(error.to_string().contains("overflows"), "{error}");
        }
    }
    assert!(Optimizer::<f32>::new(&config, &[usize::MAX, usize::MAX]).is_err());
}

#[test]
fn a_state_of_a_longer_model_is_refused() {
    let mut model = Model::<f32>::new(&Config::default().with_history_size(3), &[5]);
    (0..4).for_each(|number| model.step(number));
    let good = model.state();
    // A block of 2³² + 5 elements: on 32 bits it must not become 5.
    let mut state = good.clone();
    let [head, second, _] = part_ends(&state);
    let dims = head + 4;
    state[dims..dims + 8].copy_from_slice(&((1_u64 << 32) + 5).to_le_bytes());
    let checksum = crc32fast::hash(&[&state[..head], &state[dims..second]].concat());
    state[second..second + 4].copy_from_slice(&checksum.to_le_bytes());

    let end = state.len() - 4;
    let checksum = crc32fast::hash(&[&state[..head], &state[dims..second], &state[second + 4..end]].concat());
    state[end..].copy_from_slice(&checksum.to_le_bytes());

    let error = model.optimizer.state_load(&state).unwrap_err();
    assert!(matches!(error, Error::DimensionMismatch { .. }), "{error}");
    assert!(error.to_string().contains("4294967301"), "{error}");
    assert!(model.state() == good, "a refused state changed something");
    if usize::BITS == 32 {
        let error = Optimizer::<f32>::from_state(&state[..]).err().unwrap();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    }
}

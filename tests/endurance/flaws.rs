//! Planted flaws, which the checks of these runs have to find.

use crate::examine::Examiner;
use crate::gradients::Gradients;
use crate::memory::Watch;
use crate::oracle::saved::Parts;
use lmada::{Config, Optimizer};

const DIMS: &[usize] = &[300, 20];

pub fn are_seen() {
    wrong_products_are();
    leaks_are();
}

/// An entry of C with twice the allowed error and with half of it; an entry that breaks the symmetry; a NaN.
fn wrong_products_are() {
    let config = Config::default().with_threads(1);
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
    let gram = Parts::of(&state).start;
    let place = |i: usize, j: usize| gram + 8 * (i * k + j);
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

/// Leaks: a byte a step in the long runs of small models, 100 bytes a step in those of large models, a mapping now and
/// then. Memory taken once, late, is no leak.
fn leaks_are() {
    let watched = |count: u64, lose: &mut dyn FnMut(u64)| {
        let mut watch = Watch::new(count / 5, count - 1);
        for round in 0..count {
            lose(round);
            watch.look_after(round);
        }
        watch.growth()
    };
    for (count, size) in [(1_000_000, 1), (10_000, 100)] {
        let mut lost: Vec<Box<[u8]>> = Vec::with_capacity(count as usize);
        let growth = watched(count, &mut |_| lost.push(vec![1; size].into_boxed_slice()));
        assert!(growth.is_err(), "{count} blocks of {size} bytes were lost unseen");
    }
    let mut mapped = Vec::with_capacity(1000);
    let growth = watched(1000, &mut |round| mapped.push(page(round % 2 == 0)));
    assert!(growth.is_err_and(|flaw| flaw.contains("map")), "1000 mappings were lost unseen");
    mapped.into_iter().for_each(release);
    let mut once = Vec::new();
    let growth = watched(1000, &mut |round| {
        if round == 700 {
            once = vec![1_u8; 3 << 20];
        }
    });
    // Resident memory may fall meanwhile: the system may take back unused pages.
    assert!(growth.is_ok_and(|growth| growth.allocated > 2 << 20), "what was taken once is no leak");
}

/// Maps a page. Mappings with different protections are not merged.
fn page(readable: bool) -> *mut libc::c_void {
    let protection = if readable { libc::PROT_READ } else { libc::PROT_NONE };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the system's choice touches no memory in use.
    let start = unsafe { libc::mmap(core::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    start
}

fn release(page: *mut libc::c_void) {
    // SAFETY: `page` made this mapping, and nothing refers to it.
    unsafe { libc::munmap(page, 4096) };
}

//! The results have the same bits on any number of threads, in one array or in tensors, and after a save and load.

mod common;

use common::{Model, Random, assert_same, cuts, every_kind_and_format, gradient};
use lmada::{Config, Element, HistoryFormat, Optimizer};

/// Lengths of blocks: one large enough for several threads, several others, and 0.
const BLOCKS: &[&[usize]] = &[&[320_001], &[70_000, 3, 0, 150_123, 1024, 99_999], &[37], &[1, 0, 2, 1024, 1025]];

fn threads_do_not_show<T: Element>() {
    for config in every_kind_and_format::<T>() {
        for dims in BLOCKS {
            let mut alone = Model::<T>::new(&config, dims);
            let with = |threads| Model::<T>::new(&config.with_threads(threads), dims);
            let mut others = [2, 3, 7].map(with);
            for number in 0..8 {
                alone.step(number);
                others.iter_mut().for_each(|other| other.step(number));
            }
            for (other, threads) in others.iter().zip([2, 3, 7]) {
                assert_same(&alone, other, &format!("{threads} threads, {dims:?}, {config:?}"));
            }
        }
    }
}

#[test]
fn threads_do_not_show_f32() {
    threads_do_not_show::<f32>();
}

#[test]
fn threads_do_not_show_f64() {
    threads_do_not_show::<f64>();
}

fn tensors_step_as_one_array<T: Element>() {
    let mut random = Random(3);
    for (index, config) in every_kind_and_format::<T>().enumerate() {
        let dims = [&[5000usize, 0, 3000][..], &[8191], &[12, 1, 1]][index % 3];
        let mut whole = Model::<T>::new(&config, dims);
        let mut listed = Model::<T>::new(&config, dims);
        for number in 0..12 {
            whole.step(number);
            let grads = gradient::<T>(listed.params.len(), number);
            let ends = cuts(grads.len(), 1 + random.below(90), &mut random);
            let grad_list: Vec<&[T]> = ends.windows(2).map(|cut| &grads[cut[0]..cut[1]]).collect();
            let mut param_list: Vec<&mut [T]> = Vec::new();
            let mut rest = &mut listed.params[..];
            for cut in ends.windows(2) {
                let (tensor, after) = rest.split_at_mut(cut[1] - cut[0]);
                param_list.push(tensor);
                rest = after;
            }
            listed.optimizer.step_tensors(&mut param_list, &grad_list).unwrap();
        }
        assert_same(&whole, &listed, &format!("{dims:?}, {config:?}"));
    }
}

#[test]
fn tensors_step_as_one_array_f32() {
    tensors_step_as_one_array::<f32>();
}

#[test]
fn tensors_step_as_one_array_f64() {
    tensors_step_as_one_array::<f64>();
}

fn saved_runs_go_on<T: Element>() {
    for (index, config) in every_kind_and_format::<T>().enumerate() {
        let dims = [&[3000usize, 0, 17][..], &[1024], &[5]][index % 3];
        let k = config.history_size as usize;
        // Before the window is full, when it has just become full, and later.
        for saved_after in [0, 1, k - 1, k, 2 * k + 3] {
            let mut kept = Model::<T>::new(&config, dims);
            (0..saved_after).for_each(|number| kept.step(number));
            kept.optimizer.set_lr(0.123).unwrap();
            // The loading optimizer has steps of another run, so everything has to be replaced, and other options
            // without effect.
            let mut loaded = Model::<T>::new(&config.with_threads(2).with_lr(9.0), dims);
            (100..100 + k + 1).for_each(|number| loaded.step(number));
            loaded.optimizer.state_load(&kept.state()).unwrap();
            loaded.params.copy_from_slice(&kept.params);
            assert_eq!(loaded.optimizer.stats().unwrap().steps, saved_after as u64);
            assert_same(&kept, &loaded, &format!("loaded after {saved_after} steps, {config:?}"));
            for number in saved_after..saved_after + 2 * k {
                kept.step(number);
                loaded.step(number);
            }
            assert_same(&kept, &loaded, &format!("gone on after {saved_after} steps, {config:?}"));
        }
    }
}

#[test]
fn saved_runs_go_on_f32() {
    saved_runs_go_on::<f32>();
}

/// Numbers of 8 significant bits whose squares add up to 4²⁴ times 2⁻⁴⁸: sums rounded in different orders are on both
/// sides of a power of two.
fn on_the_edge(dim: usize, random: &mut impl FnMut() -> f64) -> Vec<f32> {
    let cut = |x: u64| x >> x.ilog2().saturating_sub(7) << x.ilog2().saturating_sub(7);
    let (mut left, mut numbers) = (1_u64 << 48, Vec::new());
    while left > 0 {
        let drawn = if numbers.len() + 40 < dim { cut(2f64.powf(22.0 * random()) as u64) } else { cut(left.isqrt()) };
        if drawn * drawn <= left {
            left -= drawn * drawn;
            numbers.push(drawn as f32 * 2f32.powi(-24));
        }
    }
    assert!(numbers.len() <= dim);
    numbers.resize(dim, 0.0);
    numbers
}

#[test]
fn saved_runs_go_on_at_norms_of_powers_of_two() {
    let mut state = 5_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1 << 24) as f64
    };
    for turn in 0..40 {
        let dim = [300, 1000, 5000][turn % 3];
        let config = Config::default().with_history_format(HistoryFormat::Bf16).with_history_size(4).with_eps(0.0);
        let mut kept = Optimizer::<f32>::new(&config, &[dim]).unwrap();
        let mut direction = vec![0.0; dim];
        kept.direction(&mut direction, &on_the_edge(dim, &mut random)).unwrap();
        let mut state = vec![0; kept.state_size()];
        kept.state_save(&mut state).unwrap();
        let mut loaded = Optimizer::<f32>::new(&config, &[dim]).unwrap();
        loaded.state_load(&state).unwrap();
        for _ in 0..4 {
            let gradient: Vec<f32> =
                (0..dim).map(|_| ((random() - 0.5) * 10f64.powf(-4.0 * random())) as f32).collect();
            let after = [&mut kept, &mut loaded].map(|optimizer| {
                optimizer.direction(&mut direction, &gradient).unwrap();
                let mut state = vec![0; optimizer.state_size()];
                optimizer.state_save(&mut state).unwrap();
                (state, direction.clone())
            });
            assert!(after[0] == after[1], "turn {turn}");
        }
    }
}

#[test]
fn saved_runs_go_on_f64() {
    saved_runs_go_on::<f64>();
}

#[test]
fn reset_is_as_new() {
    for config in every_kind_and_format::<f32>() {
        let mut fresh = Model::<f32>::new(&config, &[700, 30]);
        let mut used = Model::<f32>::new(&config, &[700, 30]);
        (50..62).for_each(|number| used.step(number));
        used.optimizer.reset();
        used.params.copy_from_slice(&fresh.params);
        for number in 0..8 {
            fresh.step(number);
            used.step(number);
        }
        assert_same(&fresh, &used, &format!("{config:?}"));
    }
}

//! Options that change between steps, and options at the ends of their ranges: averages keep their values, and finite
//! numbers stay finite.

use crate::common;

use common::gradient;
use lmada::{Clip, Config, Error, HistoryFormat, Momentum, Optimizer};

/// Returns the largest relative difference of the numbers of `a` and `b`.
fn change(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (b / a - 1.0).abs()).fold(0.0, f64::max)
}

/// If every gradient is the same, an average does not depend on its beta. So a change of the beta, or a load into an
/// optimizer with another beta, changes a step only because the first updates were longer.
#[test]
fn averages_keep_their_value_when_their_beta_changes() {
    let base = Config::default().with_history_size(3).with_threads(1);
    type WithBeta = fn(Config, f64) -> Config;
    let kinds: [(Config, WithBeta); 6] = [
        (base.with_momentum_kind(Momentum::Update), |config, beta| config.with_momentum(beta)),
        (base.with_momentum_kind(Momentum::Gradient), |config, beta| config.with_momentum(beta)),
        (base.with_clip_kind(Clip::GraftEmaNorm), |config, beta| config.with_clip_beta(beta)),
        (base.with_clip_kind(Clip::GraftEmaVector), |config, beta| config.with_clip_beta(beta)),
        (base.with_diagonal_beta(0.9).with_clip_kind(Clip::GraftInput), |config, beta| config.with_diagonal_beta(beta)),
        (base.with_diagonal_beta(0.9), |config, beta| config.with_diagonal_beta(beta)),
    ];
    let g: Vec<f64> = gradient(40, 3);
    for (index, (config, with)) in kinds.into_iter().enumerate() {
        for (old, new) in [(0.9, 0.9999), (0.9999, 0.5), (0.5, 0.9)] {
            let mut optimizer = Optimizer::<f64>::new(&with(config, old), &[25, 15]).unwrap();
            let mut before = vec![0.0; 40];
            for _ in 0..30 {
                optimizer.direction(&mut before, &g).unwrap();
            }
            let mut state = vec![0; optimizer.state_size()];
            optimizer.state_save(&mut state).unwrap();
            let mut loaded = Optimizer::<f64>::new(&with(config, new), &[25, 15]).unwrap();
            loaded.state_load(&state).unwrap();
            optimizer.set_config(&with(config, new)).unwrap();
            for optimizer in [&mut optimizer, &mut loaded] {
                let mut after = vec![0.0; 40];
                optimizer.direction(&mut after, &g).unwrap();
                let changed = change(&before, &after);
                assert!(changed < 0.05, "kind {index}, {old} to {new}: {changed:e}");
            }
        }
    }
}

#[test]
fn averaged_params_keep_their_value_when_their_beta_changes() {
    let config = Config::default().with_lr(0.0).with_average_beta(0.9).with_threads(1);
    let mut optimizer = Optimizer::<f32>::new(&config, &[4]).unwrap();
    let mut w = [1.0, -2.0, f32::MAX, 1e-30];
    let mut average = [0.0; 4];
    for beta in [0.9, 0.9999, 0.5] {
        optimizer.set_config(&config.with_average_beta(beta)).unwrap();
        for _ in 0..5 {
            optimizer.step(&mut w, &[1.0; 4]).unwrap();
            optimizer.averaged_params(&mut average).unwrap();
            assert!(average.iter().zip(&w).all(|(p, w)| (p / w - 1.0).abs() < 1e-5), "{beta}: {average:?}");
        }
    }
}

/// Gradients scaled so small that their squares underflow count as 0.
#[test]
fn scales_whose_squares_underflow_move_nothing() {
    for (scale, clip) in [(1e-170, 0.0), (1.0, 1e-170), (1e-200, 0.0), (1e-158, 0.0)] {
        for eps in [1e-180, 1e-300, 0.0] {
            let config = Config::default().with_eps(eps).with_power(1.0).with_clip_kind(Clip::Norm).with_clip_norm(1.0);
            let config = config.with_grad_scale(scale).with_grad_clip_norm(clip).with_threads(1);
            let mut optimizer = Optimizer::<f32>::new(&config, &[4]).unwrap();
            let mut w = [1.0_f32; 4];
            for _ in 0..4 {
                match optimizer.step(&mut w, &[1.0, 2.0, 3.0, -4.0]) {
                    Ok(()) | Err(Error::NonFinite { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            assert!(w.iter().all(|w| (w - 1.0).abs() <= 0.05), "{scale:e}, {clip:e}, {eps:e}: {w:?}");
        }
    }
}

/// Gradients given so small count as 0 too.
#[test]
fn gradients_whose_squares_underflow_move_nothing() {
    for size in [1e-160, 1e-165, 1e-200, 1e-310] {
        for (eps, lr) in [(1e-300, 1e200), (1e-180, 1.0), (0.0, 1e300)] {
            let config = Config::default().with_eps(eps).with_power(1.0).with_lr(lr).with_threads(1);
            let mut optimizer = Optimizer::<f64>::new(&config, &[4]).unwrap();
            let mut w = [1.0; 4];
            for _ in 0..4 {
                let result = optimizer.step(&mut w, &[1.0, 2.0, 3.0, -4.0].map(|x| size * x));
                assert!(matches!(result, Ok(()) | Err(Error::NonFinite { .. })));
            }
            assert_eq!(w, [1.0; 4], "{size:e}, eps {eps:e}, lr {lr:e}");
        }
    }
}

#[test]
fn weights_of_any_size_leave_a_state_that_loads() {
    let config = Config::default().with_threads(1);
    for (options, sizes) in [
        (config.with_grad_clip_norm(1e-30), [1e140, 1.0, 1e-3]),
        (config.with_grad_scale(1e30), [1e-160, 1.0, 1e-20]),
        (config.with_grad_scale(1e-100), [1e140, 1e-60, 1.0]),
    ] {
        let mut optimizer = Optimizer::<f64>::new(&options, &[4]).unwrap();
        let mut w = [1.0; 4];
        for (number, size) in sizes.into_iter().enumerate() {
            let g = [1.3, -0.4, 2.0, 1.0].map(|x: f64| size * (x + number as f64 * x * x));
            optimizer.step(&mut w, &g).unwrap();
        }
        let mut state = vec![0; optimizer.state_size()];
        optimizer.state_save(&mut state).unwrap();
        optimizer.state_load(&state).unwrap();
        Optimizer::<f64>::from_state(&state[..]).unwrap();
    }
}

#[test]
fn options_at_the_ends_of_their_ranges_give_no_nan() {
    let config = Config::default().with_threads(1);
    let orthogonal = config.with_momentum_kind(Momentum::Gradient).with_orthogonal_scale(1.7e308);
    let formats =
        [HistoryFormat::Full, HistoryFormat::Bf16, HistoryFormat::F16, HistoryFormat::Int8, HistoryFormat::Sparse];
    let diagonal =
        formats.map(|format| config.with_history_format(format).with_diagonal_beta(0.9).with_diagonal_eps(1e78));
    for config in [orthogonal].into_iter().chain(diagonal) {
        for g in [[0.0; 4], [1.0, 2.0, 3.0, -4.0]] {
            let mut optimizer = Optimizer::<f32>::new(&config, &[4]).unwrap();
            let mut w = [1.0_f32; 4];
            let result = optimizer.step(&mut w, &g);
            assert!(matches!(result, Ok(()) | Err(Error::NonFinite { .. })));
            assert!(w.iter().all(|w| w.is_finite()), "{config:?}: {w:?}");
            let mut state = vec![0; optimizer.state_size()];
            optimizer.state_save(&mut state).unwrap();
            optimizer.state_load(&state).unwrap();
        }
    }
}

/// If v is in the span of a centered window, its complement is only rounding. A large learning rate makes it too long.
#[test]
fn rounding_times_a_huge_learning_rate_is_refused() {
    let config = Config::default().with_centered(true).with_orthogonal_scale(0.5).with_power(1.0).with_rank_tol(0.0);
    let config = config.with_history_size(5).with_lr(1e30).with_threads(1);
    let g: Vec<f32> = gradient::<f32>(4096, 1).iter().map(|g| 1e28 * g).collect();
    for zeros in 1..4 {
        let mut optimizer = Optimizer::<f32>::new(&config, &[4096]).unwrap();
        let mut w = vec![1.0_f32; 4096];
        for _ in 0..zeros {
            optimizer.step(&mut w, &vec![0.0; 4096]).unwrap();
        }
        let result = optimizer.step(&mut w, &g);
        assert!(matches!(result, Ok(()) | Err(Error::NonFinite { .. })));
        assert!(w.iter().all(|w| w.is_finite()), "after {zeros} zeros");
    }
}

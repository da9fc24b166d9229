//! Every option, and pairs of options, on every stream, against the oracle.

use crate::oracle;
use crate::settings;

use lmada::{Config, Momentum, Optimizer};
use oracle::Oracle;
use oracle::compare::{Case, Tally, compare, distance};
use oracle::number::{Number, narrow, round, widen};
use oracle::streams::{Random, Stream};
use oracle::svd::norm;
use oracle::tolerance::{Doubt, Rounding};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use settings::{Setting, any_setting, configuration};

/// Compares every step in both element types. Streams that mix scales are not added to `tally`.
fn add(tally: &mut Tally, config: Config, stream: Stream, dim: usize, seed: u64, steps: usize) {
    let case = Case { config, stream, dim, seed, steps, every: 1, rounding: Rounding::Whole };
    let (single, double) = (compare::<f32>(&case), compare::<f64>(&case));
    if !stream.mixes_scales() {
        tally.add(single);
        tally.add(double);
    }
}

/// Checks that the tolerances were small enough to prove something.
fn expect_firm(tally: Tally, share: f64) {
    println!("{tally:?}");
    let all = tally.firm + tally.loose + tally.refused;
    assert!(tally.firm as f64 > share * all as f64, "{tally:?}");
}

#[test]
fn defaults() {
    let mut tally = Tally::default();
    for stream in Stream::ALL {
        for (dim, k) in [(1, 1), (1, 5), (2, 1), (3, 8), (40, 6), (257, 12)] {
            let config = configuration(k, &[]).unwrap();
            add(&mut tally, config, stream, dim, 1, 3 * k + 8);
        }
    }
    expect_firm(tally, 0.99);
}

#[test]
fn every_option() {
    let mut tally = Tally::default();
    for setting in Setting::all() {
        for stream in Stream::ALL {
            for (dim, k) in [(1, 3), (5, 9), (60, 7)] {
                let config = configuration(k, &[setting]).unwrap_or_else(|| panic!("{setting:?} alone is refused"));
                add(&mut tally, config, stream, dim, 2, 3 * k + 5);
            }
        }
    }
    expect_firm(tally, 0.95);
}

/// Options that have an effect only together with others.
#[test]
fn every_pair_of_options() {
    let all = Setting::all();
    let mut tally = Tally::default();
    for (i, &first) in all.iter().enumerate() {
        for (j, &second) in all.iter().enumerate().skip(i + 1) {
            let (dim, k) = [(7, 4), (2, 3), (30, 5)][i % 3];
            let Some(config) = configuration(k, &[first, second]) else { continue };
            // Each pair runs on three of the streams; neighbouring pairs have the others.
            for turn in 0..3 {
                let stream = Stream::ALL[(i + j + turn * Stream::ALL.len() / 3) % Stream::ALL.len()];
                add(&mut tally, config, stream, dim, 3, 3 * k + 3);
            }
        }
    }
    expect_firm(tally, 0.95);
}

#[test]
fn random_pairs_of_options() {
    let sizes = prop_oneof![
        8 => (1usize..=60, 1usize..=10),
        3 => (1usize..=20, 10usize..=25),
        2 => (60usize..=1500, 1usize..=12),
    ];
    let streams = proptest::sample::select(&Stream::ALL[..]);
    let strategy = (proptest::collection::vec(any_setting(), 2), sizes, streams, any::<u64>());
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20),
        ..ProptestConfig::default()
    });
    let tally = std::cell::Cell::new(Tally::default());
    let result = runner.run(&strategy, |(settings, (dim, k), stream, seed)| {
        let Some(config) = configuration(k, &settings) else { return Ok(()) };
        let mut sum = tally.get();
        add(&mut sum, config, stream, dim, seed, 3 * k + 4);
        tally.set(sum);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    expect_firm(tally.get(), 0.9);
}

/// Steps 8 and 9, which `direction` leaves out.
fn moves<T: Number>(lr: f64, weight_decay: f64, momentum_kind: Momentum) {
    let (dim, k) = (50, 6);
    let config = Config::default()
        .with_lr(lr)
        .with_weight_decay(weight_decay)
        .with_momentum_kind(momentum_kind)
        .with_history_size(k)
        .with_threads(1);
    let mut library = Optimizer::<T>::new(&config, &[dim]).unwrap();
    let mut oracle = Oracle::new(&config, dim, round::<T>);
    let mut doubt = Doubt::default();
    let mut gradients = Stream::Drifting.start(dim, 4);
    let mut w: Vec<T> = narrow(&Random(5).vector(dim, 10.0));
    let mut lr = lr;
    for step in 0..3 * k + 3 {
        if step == k {
            lr *= 0.5;
            library.set_lr(lr).unwrap();
        }
        let g: Vec<T> = narrow(&gradients.draw());
        let before = widen(&w);
        library.step(&mut w, &g).unwrap();
        let outcome = oracle.step(&widen(&g));
        let radii = doubt.step::<T>(&oracle, &outcome);
        let keep = 1.0 - lr * weight_decay;
        let expected: Vec<f64> = before.iter().zip(&outcome.direction).map(|(w, u)| w * keep - lr * u).collect();
        // The decay and the result are rounded, in addition to the direction's error.
        let rounding = T::UNIT * (2.0 * norm(&before) + 2.0 * norm(&expected));
        let error = distance(&widen(&w), &expected);
        let allowed = lr * radii.direction + rounding;
        assert!(error <= allowed, "lr {lr}, weight decay {weight_decay}: off by {error:e}, allowed {allowed:e}");
    }
}

#[test]
fn learning_rate_and_weight_decay() {
    for momentum in [Momentum::None, Momentum::Gradient, Momentum::Update, Momentum::Window] {
        for (lr, weight_decay) in [(0.0, 0.0), (0.0, 0.1), (1e-3, 0.0), (1e-3, 0.1), (0.1, 1.0), (10.0, 0.01)] {
            moves::<f32>(lr, weight_decay, momentum);
            moves::<f64>(lr, weight_decay, momentum);
        }
    }
}

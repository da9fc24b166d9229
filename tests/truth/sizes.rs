//! Small and large dimensions and windows, norms over many decades, against the oracle.

use crate::oracle;
use crate::settings;

use lmada::{Clip, Momentum};
use oracle::compare::{Case, Tally, compare};
use oracle::number::Number;
use oracle::streams::Stream;
use oracle::tolerance::Rounding;
use settings::{Setting, configuration};

fn check<T: Number>(settings: &[Setting], stream: Stream, (dim, k): (usize, usize), every: usize) -> Tally {
    let config = configuration(k, settings).unwrap();
    let case = Case { config, stream, dim, seed: 6, steps: 3 * k + 2, every, rounding: Rounding::Whole };
    let tally = compare::<T>(&case);
    println!("{stream:?} {dim}x{k}: {tally:?}");
    assert!(tally.firm > 0 && tally.loose == 0 && tally.refused == 0, "{stream:?} {dim}x{k}: {tally:?}");
    tally
}

/// Windows longer and shorter than the dimension.
#[test]
fn every_shape() {
    for dim in [1, 2, 7, 33, 100] {
        for k in [1usize, 2, 10, 31, 100] {
            let every = k.div_ceil(4);
            check::<f32>(&[], Stream::White, (dim, k), every);
            check::<f64>(&[], Stream::Drifting, (dim, k), every);
            let momentum = Setting::Momentum(Momentum::Gradient, 0.9);
            check::<f32>(&[momentum, Setting::OrthogonalScale(1.0)], Stream::White, (dim, k), every);
            check::<f64>(&[Setting::Centered], Stream::White, (dim, k), every);
        }
    }
}

/// A window has every size up to its own while it fills.
#[test]
fn every_window() {
    for k in 1..=70 {
        check::<f32>(&[], Stream::White, (100, k), k.div_ceil(2));
    }
}

#[test]
fn ten_thousand_dimensions() {
    let dim = 10_000;
    for stream in [Stream::White, Stream::BadlyScaled, Stream::Collinear, Stream::Huge] {
        check::<f32>(&[], stream, (dim, 10), 6);
        check::<f64>(&[], stream, (dim, 10), 9);
    }
    let graft = Setting::ClipEma(Clip::GraftEmaVector, 1.0, 0.9);
    check::<f32>(&[graft, Setting::Momentum(Momentum::Update, 0.9)], Stream::Drifting, (dim, 5), 1);
    check::<f32>(&[], Stream::CollinearLarge, (dim, 30), 30);
}

#[test]
fn ten_thousand_dimensions_and_a_window_of_a_hundred() {
    check::<f32>(&[], Stream::Collinear, (10_000, 100), 151);
    check::<f64>(&[], Stream::White, (9_999, 100), 151);
    check::<f32>(&[Setting::Momentum(Momentum::Gradient, 0.9)], Stream::Drifting, (10_000, 100), 151);
}

/// A short gradient keeps its precision beside long ones (docs/guarantees.md).
fn check_graded<T: Number>(settings: &[Setting], stream: Stream, (dim, k): (usize, usize)) {
    let config = configuration(k, settings).unwrap();
    let mut tally = Tally::default();
    for seed in 0..5 {
        let case = Case { config, stream, dim, seed, steps: 3 * k + 2, every: 3, rounding: Rounding::Graded };
        tally.add(compare::<T>(&case));
    }
    println!("{stream:?} {dim}x{k}: {tally:?}");
    assert!(tally.firm > 9 * tally.loose && tally.refused == 0, "{stream:?} {dim}x{k}: {tally:?}");
}

#[test]
fn norms_over_twelve_decades() {
    for (dim, k) in [(1000, 30), (100, 10)] {
        for settings in [&[][..], &[Setting::Eps(1e-12)], &[Setting::Eps(0.0), Setting::RankTol(0.0)]] {
            check_graded::<f32>(settings, Stream::Decades, (dim, k));
            check_graded::<f64>(settings, Stream::Decades, (dim, k));
            check_graded::<f32>(settings, Stream::Spikes, (dim, k));
            check_graded::<f64>(settings, Stream::Spikes, (dim, k));
        }
    }
}

/// Long gradients that are orthogonal to each other and nearly orthogonal to short ones: a reduction to tridiagonal
/// form would mix their rows.
#[test]
fn short_gradients_between_long_ones() {
    for (decades, epsilons) in [(4, [1e-6, 1e-2, 0.0]), (8, [100.0, 1e4, 0.0])] {
        for (dim, k) in [(5, 3), (1000, 10), (100, 30)] {
            for eps in epsilons {
                // For v in the span, and with another power, which takes the general way.
                for settings in [&[Setting::Eps(eps)][..], &[Setting::Eps(eps), Setting::Power(0.4)]] {
                    check_graded::<f32>(settings, Stream::Between(decades), (dim, k));
                    check_graded::<f64>(settings, Stream::Between(decades), (dim, k));
                }
            }
        }
    }
}

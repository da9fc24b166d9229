//! The norms of clips and grafts, in windows whose rank is below their number of gradients. An error of the norm makes
//! a direction too long or too short.

use crate::oracle;
use crate::settings;

use lmada::{Clip, Config, Momentum, Optimizer};
use oracle::Oracle;
use oracle::compare::{Case, Tally, compare, describe, distance};
use oracle::number::{Number, narrow, round, widen};
use oracle::streams::Stream;
use oracle::svd::norm;
use oracle::tolerance::{Doubt, Rounding};
use settings::{Setting, configuration};

const CLIPS: [Clip; 6] =
    [Clip::Norm, Clip::EmaNorm, Clip::GraftEmaNorm, Clip::EmaVector, Clip::GraftEmaVector, Clip::GraftInput];
const AVERAGES: [Clip; 2] = [Clip::EmaVector, Clip::GraftEmaVector];
const MOMENTA: [Momentum; 4] = [Momentum::None, Momentum::Gradient, Momentum::Update, Momentum::Window];

/// Returns the largest relative error of a direction, over gradients along one line.
fn on_a_line<T: Number>(clip_beta: f64) -> f64 {
    let config = Config::default().with_clip_kind(Clip::GraftEmaVector).with_clip_beta(clip_beta).with_threads(1);
    let mut library = Optimizer::<T>::new(&config, &[5]).unwrap();
    let mut oracle = Oracle::new(&config, 5, round::<T>);
    let mut direction = vec![T::default(); 5];
    let errors = [-496.0, -560.0, 100.5, -235.0, 119.0, 384.0].map(|length| {
        let g: Vec<T> = narrow(&[1.0, 0.3, 0.2, 0.5, 0.7].map(|x| length * x));
        library.direction(&mut direction, &g).unwrap();
        let expected = oracle.step(&widen(&g)).direction;
        distance(&widen(&direction), &expected) / norm(&expected)
    });
    errors.into_iter().fold(0.0, f64::max)
}

/// Updates and their average are along one line, so a graft changes only their length. With a recurrence for `Mᵀē` f32
/// directions had errors of 4e-2, and with ‖u‖² from C alone f64 directions had errors of 9e-5.
#[test]
fn gradients_on_a_line() {
    for clip_beta in [0.99, 0.9] {
        assert!(on_a_line::<f64>(clip_beta) < 1e-7);
        // Rounding to f32 moves gradients off the line by less than ε, about as much as the rounding of C: the
        // documented limit of 2⁻⁵³·σ²max/ε, with σ²max = 1.47e6.
        assert!(on_a_line::<f32>(clip_beta) < 2e-5 + 1.6e-4);
    }
}

fn lengths<T: Number>(config: &Config, dim: usize, stream: Stream, length: f64, tally: &mut Tally) {
    let mut library = Optimizer::<T>::new(config, &[dim]).unwrap();
    let mut oracle = Oracle::new(config, dim, round::<T>);
    let mut doubt = Doubt::new(Rounding::Whole);
    let mut gradients = stream.start(dim, dim as u64);
    let mut direction = vec![T::default(); dim];
    for step in 0..24 {
        let g: Vec<T> = narrow(&gradients.draw().iter().map(|x| length * x).collect::<Vec<_>>());
        library.direction(&mut direction, &g).unwrap();
        let outcome = oracle.step(&widen(&g));
        let radii = doubt.step::<T>(&oracle, &outcome);
        let error = distance(&widen(&direction), &outcome.direction);
        assert!(
            error <= radii.direction,
            "step {step} of {dim} {stream:?} of norm {length}, {config:?}: off by {error:e}, allowed {:e}\n{}",
            radii.direction,
            describe(&outcome)
        );
        let firm = radii.direction <= 1e-3 * norm(&outcome.direction);
        *(if firm { &mut tally.firm } else { &mut tally.loose }) += 1;
    }
}

/// Up to 10 gradients in up to 10 dimensions. The rank is the dimension, or the number of gradients in the cycle.
#[test]
fn windows_of_few_dimensions() {
    let mut tally = Tally::default();
    for clip_kind in CLIPS {
        for momentum_kind in MOMENTA {
            let (clip_norm, clip_factor, clip_beta) = (0.3, 0.7, 0.9);
            let clip = Config::default()
                .with_clip_kind(clip_kind)
                .with_clip_norm(clip_norm)
                .with_clip_factor(clip_factor)
                .with_clip_beta(clip_beta);
            let config = clip.with_momentum_kind(momentum_kind).with_threads(1);
            for length in [1e-3, 1.0, 1e2, 1e4] {
                for dim in [1, 2, 3, 5, 8, 10] {
                    for stream in [Stream::White, Stream::Cyclic] {
                        lengths::<f32>(&config, dim, stream, length, &mut tally);
                        lengths::<f64>(&config, dim, stream, length, &mut tally);
                    }
                }
            }
        }
    }
    println!("{tally:?}");
    // Cyclic gradients with gradient momentum have a larger tolerance: the documented limit of an f32 buffer.
    assert!(tally.loose * 20 < tally.firm, "{tally:?}");
}

/// Coordinates over six decades in a window of lower rank, with every other option.
#[test]
fn averages_of_updates_on_badly_scaled_windows() {
    for clip_kind in AVERAGES {
        for (factor, beta) in [(1.0, 0.99), (0.1, 0.5), (2.0, 0.0)] {
            for other in Setting::all() {
                let Some(config) = configuration(3, &[other, Setting::ClipEma(clip_kind, factor, beta)]) else {
                    continue;
                };
                let stream = Stream::BadlyScaled;
                let case = Case { config, stream, dim: 2, seed: 3, steps: 12, every: 1, rounding: Rounding::Whole };
                compare::<f32>(&case);
                compare::<f64>(&case);
            }
        }
    }
}

/// Two gradients along one line up to 1e-8, whose large coefficients cancel. By rounding, the third has no part beside
/// the first; its part beside the second matters. The expected numbers are from 60-digit arithmetic.
#[test]
fn what_is_left_of_a_nearly_dependent_gradient_counts() {
    let gradients = [
        [0.9999999973404022, 0.9999999889413289, 0.9999999654172849],
        [-0.016791104562031364, -0.25154324739543704, 0.4826885741702425],
        [0.25, 0.25, 0.25],
    ];
    let config = Config::default().with_history_size(3).with_history_decay(0.5).with_threads(1);
    for (clip_kind, scale) in [(Clip::Norm, 1.0), (Clip::EmaVector, 0.954661943784891)] {
        let mut library = Optimizer::<f64>::new(&config.with_clip_kind(clip_kind), &[3]).unwrap();
        for g in &gradients {
            library.direction(&mut [0.0; 3], g).unwrap();
        }
        let stats = library.stats().unwrap();
        assert!((stats.update_norm / 0.7071057917927717 - 1.0).abs() < 1e-9, "{clip_kind:?}: {}", stats.update_norm);
        assert!((stats.scale / scale - 1.0).abs() < 1e-9, "{clip_kind:?}: {}", stats.scale);
    }
}

//! Windows in long runs, against the oracle: the same gradient for ever, a huge gradient that enters and leaves, a
//! block of zeros for thousands of steps.

use crate::oracle;
use crate::settings;

use lmada::{Momentum, Optimizer};
use oracle::Oracle;
use oracle::compare::{Case, Tally, compare, distance};
use oracle::number::{Number, narrow, round, widen};
use oracle::streams::Stream;
use oracle::tolerance::Rounding;
use settings::{Setting, configuration};

fn check<T: Number>(
    settings: &[Setting],
    stream: Stream,
    (dim, k): (usize, usize),
    steps: usize,
    every: usize,
) -> Tally {
    let config = configuration(k, settings).unwrap();
    let tally = compare::<T>(&Case { config, stream, dim, seed: 8, steps, every, rounding: Rounding::Graded });
    println!("{stream:?} {dim}x{k}, {settings:?}: {tally:?}");
    assert!(tally.firm + tally.loose > 0 && tally.refused == 0, "{stream:?} {dim}x{k}: {tally:?}");
    tally
}

/// All columns are equal: one direction, or none with centering.
#[test]
fn the_same_gradient_ten_thousand_times() {
    let momentum = Setting::Momentum(Momentum::Gradient, 0.9);
    for settings in [
        &[][..],
        &[Setting::RankTol(0.0)],
        &[Setting::Centered, Setting::RankTol(0.0)],
        &[Setting::Centered, Setting::RankTol(0.0), Setting::Eps(0.0), Setting::OrthogonalScale(0.5)],
        &[Setting::Centered, Setting::RankTol(0.0), momentum, Setting::OrthogonalScale(1.0)],
        &[Setting::Eps(0.0), Setting::RankTol(0.0), Setting::HistoryDecay(0.9)],
    ] {
        for k in [1, 10, 30] {
            check::<f32>(settings, Stream::Same, (20, k), 10_000, 997);
            check::<f64>(settings, Stream::Same, (20, k), 10_000, 997);
        }
    }
}

/// From before the huge gradient until some steps after it has left the window.
#[test]
fn one_gradient_of_1e30_among_those_of_1e_minus_3() {
    for (k, every) in [(10, 1), (100, 13)] {
        let (huge, steps) = (k + 3, 2 * k + 8);
        for settings in [&[][..], &[Setting::EpsRelative(1e-9)], &[Setting::Eps(0.0)], &[Setting::Centered]] {
            check::<f32>(settings, Stream::OneHuge(huge), (150, k), steps, every);
            check::<f64>(settings, Stream::OneHuge(huge), (150, k), steps, every);
        }
        let momentum = Setting::Momentum(Momentum::Window, 0.9);
        check::<f32>(&[momentum], Stream::OneHuge(huge), (150, k), steps, every);
    }
}

/// The window is full of zeros when the first gradient comes.
#[test]
fn zeros_for_ten_thousand_steps_and_then_gradients() {
    let settings = [
        &[][..],
        &[Setting::Eps(0.0)],
        &[Setting::Momentum(Momentum::Gradient, 0.9), Setting::OrthogonalScale(1.0)],
        &[Setting::Centered],
    ];
    for settings in settings {
        check::<f32>(settings, Stream::Late(10_000), (40, 10), 10_030, 2);
        check::<f64>(settings, Stream::Late(10_000), (40, 10), 10_030, 2);
    }
}

/// The same with a second block that is never zero and must not matter.
#[test]
fn a_block_of_zeros_for_ten_thousand_steps() {
    const ZEROS: usize = 10_000;
    let (dims, config) = ([33, 40], configuration(10, &[]).unwrap());
    let mut library = Optimizer::<f32>::new(&config, &dims).unwrap();
    let streams = [Stream::White, Stream::Late(ZEROS)];
    let mut gradients: Vec<_> = streams.iter().zip(dims).map(|(stream, dim)| stream.start(dim, 5)).collect();
    let mut oracles = dims.map(|dim| Oracle::new(&config, dim, round::<f32>));
    let mut direction = vec![0.0f32; dims.iter().sum()];
    for step in 0..ZEROS + 25 {
        let g: Vec<Vec<f32>> = gradients.iter_mut().map(|gradients| narrow(&gradients.draw())).collect();
        library.direction(&mut direction, &g.concat()).unwrap();
        let (first, second) = direction.split_at(dims[0]);
        for ((oracle, g), found) in oracles.iter_mut().zip(&g).zip([first, second]) {
            if step + 2 < ZEROS {
                oracle.skip(&widen(g));
                continue;
            }
            let expected = oracle.step(&widen(g)).direction;
            let error = distance(&widen(found), &expected);
            assert!(error <= 2e-6 * oracle::svd::norm(&expected), "step {step}: off by {error:e}");
        }
    }
}

//! Every history format with every option, on every stream, against the oracle, which works with the gradient as
//! stored. The tolerances are those of the full format.

use crate::oracle;
use crate::settings;

use lmada::{Clip, Config, HistoryFormat, Momentum};
use oracle::compare::{Case, Tally, compare};
use oracle::streams::Stream;
use oracle::tolerance::Rounding;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use settings::{Setting, any_setting, configuration};

const FORMATS: [HistoryFormat; 4] =
    [HistoryFormat::Bf16, HistoryFormat::F16, HistoryFormat::Int8, HistoryFormat::Sparse];

const DENSITIES: [f64; 4] = [0.01, 0.1, 0.5, 1.0];

fn streams() -> impl Iterator<Item = Stream> {
    // Long gradients that rounding made nearly equal, with short ones between them, are at the limit of the Gram
    // matrix's precision.
    let known = |stream: &Stream| !matches!(stream, Stream::Between(_));
    Stream::ALL.into_iter().filter(known).chain(Stream::UNEVEN)
}

/// The sum of the results of comparisons, over streams whose norms do not mix scales.
fn add(tally: &mut Tally, case: &Case) {
    let found = compare::<f32>(case);
    if !case.stream.mixes_scales() {
        tally.add(found);
    }
}

fn case(config: Config, format: HistoryFormat, stream: Stream, dim: usize, turn: usize) -> Case {
    let config = config.with_history_format(format).with_density(DENSITIES[turn % 4]);
    let steps = 3 * config.history_size as usize + 5;
    Case { config, stream, dim, seed: 9, steps, every: 1, rounding: Rounding::Whole }
}

/// Checks that the tolerances were small enough to prove something.
fn expect_firm(what: &str, tally: Tally, share: f64) {
    println!("{what}: {tally:?}");
    let all = tally.firm + tally.loose + tally.refused;
    assert!(tally.firm as f64 > share * all as f64, "{what}: {tally:?}");
}

#[test]
fn defaults() {
    for format in FORMATS {
        let mut tally = Tally::default();
        for (turn, stream) in streams().enumerate() {
            for (dim, k) in [(1, 1), (1, 5), (2, 1), (5, 8), (60, 6), (257, 12), (300, 5), (700, 6)] {
                add(&mut tally, &case(configuration(k, &[]).unwrap(), format, stream, dim, turn + k));
            }
        }
        expect_firm(&format!("{format:?}"), tally, 0.95);
    }
}

#[test]
fn every_option() {
    for format in FORMATS {
        let mut tally = Tally::default();
        for (first, setting) in Setting::all().into_iter().enumerate() {
            for (second, stream) in streams().enumerate() {
                for (dim, k) in [[(1, 3), (60, 7)], [(5, 9), (300, 4)]][(first + second) % 2] {
                    let config = configuration(k, &[setting]).unwrap();
                    add(&mut tally, &case(config, format, stream, dim, first / 2 + second / 4));
                }
            }
        }
        expect_firm(&format!("{format:?}"), tally, 0.9);
    }
}

#[test]
fn random_pairs_of_options() {
    let sizes = prop_oneof![
        6 => (1usize..=60, 1usize..=10),
        3 => (200usize..=800, 1usize..=6),
    ];
    let streams = proptest::sample::select(streams().collect::<Vec<_>>());
    let formats = proptest::sample::select(&FORMATS[..]);
    let settings = proptest::collection::vec(any_setting(), 2);
    let strategy = (settings, sizes, streams, formats, 0usize..4, any::<u64>());
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(21),
        ..ProptestConfig::default()
    });
    let tally = std::cell::Cell::new(Tally::default());
    let result = runner.run(&strategy, |(settings, (dim, k), stream, format, turn, seed)| {
        let Some(config) = configuration(k, &settings) else { return Ok(()) };
        let mut sum = tally.get();
        add(&mut sum, &Case { seed, ..case(config, format, stream, dim, turn) });
        tally.set(sum);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    expect_firm("pairs", tally.get(), 0.85);
}

/// More than one group of sparse and more than one tile, the last one short.
#[test]
fn several_units() {
    let shapes = [
        (4097, vec![]),
        (9000, vec![Setting::Momentum(Momentum::Update, 0.9)]),
        (9000, vec![Setting::Momentum(Momentum::Gradient, 0.9), Setting::OrthogonalScale(0.5)]),
        (4097, vec![Setting::ClipEma(Clip::GraftEmaVector, 1.0, 0.9), Setting::Centered]),
        (8192, vec![Setting::Momentum(Momentum::Window, 0.8)]),
    ];
    for format in FORMATS {
        let mut tally = Tally::default();
        for (turn, stream) in streams().enumerate() {
            let (dim, settings) = &shapes[turn % 5];
            let config = configuration(4, settings).unwrap();
            add(&mut tally, &Case { steps: 9, ..case(config, format, stream, *dim, turn / 5) });
        }
        expect_firm(&format!("{format:?}"), tally, 0.8);
    }
}

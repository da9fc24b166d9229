//! The stored columns, read from saved states, against the documented formats.

use crate::oracle;

use lmada::{Config, Error, HistoryFormat, Optimizer};
use oracle::formats::{self, BF16_MAX, SCALED, SPARSE, Store, absmax, exponent};
use oracle::number::{narrow, widen};
use oracle::saved::{Bytes, wide_f16};
use oracle::streams::{Random, Stream};

const SCALED_FORMATS: [HistoryFormat; 2] = [HistoryFormat::F16, HistoryFormat::Int8];

/// The window of an optimizer with one block and no averages: the end of its saved state.
struct Saved {
    /// By slot: the stored numbers of each column, with their scales.
    columns: Vec<Vec<(f64, f64)>>,
    feedback: Vec<f32>,
}

fn saved(optimizer: &Optimizer<f32>) -> Saved {
    let mut state = vec![0; optimizer.state_size()];
    optimizer.state_save(&mut state).unwrap();
    let (config, dim) = (optimizer.config(), optimizer.dim());
    let units = |unit: usize| (0..dim).step_by(unit).map(move |start| unit.min(dim - start));
    let (column, rest) = match config.history_format {
        HistoryFormat::Full => (4 * dim, 0),
        HistoryFormat::Bf16 => (2 * dim, 0),
        HistoryFormat::F16 => (8 * units(SCALED).count() + 2 * dim, 0),
        HistoryFormat::Int8 => (8 * units(SCALED).count() + dim, 0),
        HistoryFormat::Sparse => {
            (units(SPARSE).map(|len| 4 * formats::kept(config.density, len)).sum::<usize>(), 4 * dim)
        }
        other => unreachable!("{other:?} is not known here"),
    };
    let k = config.history_size as usize;
    let end = state.len() - 4; // of the contents, before their checksum
    let mut bytes = Bytes(&state[end - k * column - rest..end]);
    let columns = (0..k).map(|_| {
        let mut column = Vec::with_capacity(dim);
        bytes.column(&config, dim, |number, scale| column.push((number, scale)));
        column
    });
    let columns = columns.collect();
    let feedback = (0..rest / 4).map(|_| f32::from_le_bytes(bytes.take())).collect();
    assert!(bytes.0.is_empty());
    Saved { columns, feedback }
}

/// Steps on these gradients and compares the window with the oracle's, bit for bit.
fn check(format: HistoryFormat, density: f64, k: usize, gradients: &[Vec<f32>]) -> Saved {
    let dim = gradients[0].len();
    let config =
        Config::default().with_history_format(format).with_density(density).with_history_size(k as u32).with_threads(1);
    let mut optimizer = Optimizer::<f32>::new(&config, &[dim]).unwrap();
    let mut store = Store::new(&config, dim);
    let mut expected: Vec<Option<(Vec<f64>, Vec<f64>)>> = vec![None; k];
    let (mut direction, mut taken) = (vec![0.0; dim], 0);
    for (step, g) in gradients.iter().enumerate() {
        let result = optimizer.direction(&mut direction, g);
        match store.take(&widen(g)) {
            Some(stored) => {
                result.unwrap();
                expected[taken % k] = Some((widen(g), stored));
                taken += 1;
            }
            None => assert!(matches!(result, Err(Error::NonFinite { .. })), "{format:?}, step {step}: {result:?}"),
        }
    }
    let found = saved(&optimizer);
    for (slot, column) in found.columns.iter().enumerate() {
        let Some((g, expected)) = &expected[slot] else { continue };
        assert_eq!(column.len(), dim);
        for (i, (&(number, scale), expected)) in column.iter().zip(expected).enumerate() {
            let value = number * scale;
            assert!(
                value == *expected,
                "{format:?}, slot {slot}, element {i}: {:e} as {value:e}, not {expected:e}",
                g[i]
            );
            assert_eq!(f64::from(value as f32), value, "{format:?}: {value:e} is no f32");
        }
        check_bounds(format, g, column);
    }
    let expected: Vec<u32> = narrow::<f32>(store.feedback()).iter().map(|e| e.to_bits()).collect();
    assert!(found.feedback.iter().map(|e| e.to_bits()).eq(expected), "{format:?}: the feedback differs");
    found
}

/// Checks the documented accuracy, without rounding.
fn check_bounds(format: HistoryFormat, g: &[f64], column: &[(f64, f64)]) {
    match format {
        HistoryFormat::Full | HistoryFormat::Sparse => {}
        HistoryFormat::Bf16 => {
            for (&x, &(stored, _)) in g.iter().zip(column) {
                let half = if x == 0.0 { 0.0 } else { 2f64.powi(exponent(x).max(-126) - 8) };
                let saturated = x.abs() > BF16_MAX && stored == BF16_MAX.copysign(x);
                assert!((x - stored).abs() <= half || saturated, "{x:e} is stored as {stored:e}");
            }
        }
        HistoryFormat::F16 | HistoryFormat::Int8 => {
            for (g, column) in g.chunks(SCALED).zip(column.chunks(SCALED)) {
                let (most, scale) = (absmax(g), column[0].1);
                assert_eq!(scale == 0.0, most == 0.0);
                if scale == 0.0 {
                    assert!(column.iter().all(|&(number, _)| number == 0.0));
                    continue;
                }
                let fraction_bits = scale.to_bits() << 12;
                if format == HistoryFormat::F16 {
                    assert_eq!(fraction_bits, 0, "{scale:e} is no power of two");
                    let least = f64::from(f32::MIN_POSITIVE);
                    let fits = (16384.0..32768.0).contains(&(most / scale)) || scale == least && most < 16384.0 * least;
                    assert!(fits, "{scale:e} for {most:e}");
                } else {
                    assert_eq!(fraction_bits << 15, 0, "{scale:e} has more than 16 significant bits");
                }
                for (x, (number, _)) in g.iter().zip(column) {
                    let half = match format {
                        HistoryFormat::F16 if *x == 0.0 => 0.0,
                        HistoryFormat::F16 => 2f64.powi(exponent(x / scale).max(-14) - 11) * scale,
                        // The quotient is at most 127.5, and is rounded to f32 twice.
                        _ => (0.5 + 127.5 * 1.2e-7) * scale,
                    };
                    assert!((x - number * scale).abs() <= half, "{x:e} is stored as {number} times {scale:e}");
                }
            }
        }
        other => unreachable!("{other:?} is not known here"),
    }
}

#[test]
fn streams_are_stored_as_documented() {
    let formats = [HistoryFormat::Bf16, HistoryFormat::F16, HistoryFormat::Int8];
    for stream in Stream::ALL.into_iter().chain(Stream::UNEVEN) {
        for dim in [1, 5, 255, 256, 257, 600, 4095, 4097, 9000] {
            let mut gradients = stream.start(dim, 3);
            let gradients: Vec<Vec<f32>> = (0..5).map(|_| narrow(&gradients.draw())).collect();
            for format in formats {
                check(format, 0.01, 3, &gradients);
            }
            for density in [0.01, 0.1, 0.37, 1.0, 1e-9] {
                check(HistoryFormat::Sparse, density, 3, &gradients);
            }
        }
    }
}

/// Entries that are left out add up until they are among the largest: nothing is lost.
#[test]
fn every_entry_is_stored_in_its_turn() {
    for dim in [7usize, 300, 5000] {
        let g: Vec<f32> = (0..dim).map(|i| 1.0 + 0.5 * (i as f32 / dim as f32)).collect();
        let rounds = 2 * dim.div_ceil(formats::kept(0.01, dim));
        let columns = check(HistoryFormat::Sparse, 0.01, rounds, &vec![g; rounds]).columns;
        assert!((0..dim).all(|i| columns.iter().any(|column| column[i].0 != 0.0)));
    }
}

/// Numbers beside each finite bf16, and each midpoint of two with its neighbours.
#[test]
fn every_bf16() {
    let low = [0u32, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
    let all = (0..1u32 << 16).flat_map(|high| low.map(|low| f32::from_bits(high << 16 | low)));
    check(HistoryFormat::Bf16, 0.01, 1, &[all.filter(|x| x.is_finite()).collect()]);
    // With density 1 sparse stores the same numbers.
    let all = (0..1u32 << 16).flat_map(|high| low.map(|low| f32::from_bits(high << 16 | low)));
    check(HistoryFormat::Sparse, 1.0, 1, &[all.filter(|x| x.is_finite()).collect()]);
}

/// Groups with the largest number, midpoints of two numbers of the format, and their neighbours, at any scale.
fn between(numbers: &[f32], largest: f32, by: f64, random: &mut Random) -> Vec<f32> {
    let mut halfway: Vec<f32> = Vec::new();
    for pair in numbers.windows(2) {
        let middle = ((f64::from(pair[0]) + f64::from(pair[1])) / 2.0 * by) as f32;
        let sign = [1.0, -1.0][random.below(2)];
        halfway.extend([middle.next_down(), middle, middle.next_up()].map(|x| sign * x));
    }
    let largest = (f64::from(largest) * by) as f32;
    halfway.chunks(SCALED - 1).flat_map(|rest| core::iter::once(largest).chain(rest.iter().copied())).collect()
}

#[test]
fn every_f16() {
    let mut random = Random(4);
    // Up to 2^15, as in a group.
    let numbers: Vec<f32> = (0..30u16 << 10).map(|bits| wide_f16(bits) as f32).collect();
    let largest = *numbers.last().unwrap();
    for by in [1.0, -1.0, 2f64.powi(-14), 2f64.powi(-149), 2f64.powi(-141), 2f64.powi(-100), 2f64.powi(113)] {
        check(HistoryFormat::F16, 0.01, 1, &[between(&numbers, largest, by, &mut random)]);
    }
}

#[test]
fn every_int8() {
    let mut random = Random(5);
    for turn in 0..2000 {
        let largest = match turn {
            0..200 => (f64::from(f32::MAX) * random.uniform()) as f32,
            200..400 => (f64::from(f32::MIN_POSITIVE) * random.uniform()) as f32,
            400..600 => f32::from_bits(turn - 399),
            _ => f32::from_bits((random.bits() % 0x7f7f_ffff) as u32 + 1),
        };
        let scale = formats::int8_scale(&[largest.into()]);
        let numbers: Vec<f32> = (0..=127).map(|n| (f64::from(n) * scale) as f32).collect();
        let unit = between(&numbers, largest, 1.0, &mut random);
        let unit = unit.into_iter().filter(|x| x.abs() <= largest).take(SCALED).collect();
        check(HistoryFormat::Int8, 0.01, 1, &[unit]);
    }
}

/// The numbers at the ends of f32, in separate groups and together.
#[test]
fn extremes() {
    let ends = [f32::MAX, f32::MIN, f32::MIN_POSITIVE, -f32::MIN_POSITIVE, 1e-45, -1e-45, 0.0, -0.0, 1.0, -1.0];
    let alone: Vec<f32> = ends.iter().flat_map(|&x| [x; SCALED]).collect();
    let pairs: Vec<f32> = ends.iter().flat_map(|&x| ends.map(|y| [[x; 128], [y; 128]])).flatten().flatten().collect();
    let together: Vec<f32> = (0..1000).map(|i| ends[i % 10]).collect();
    for g in [alone, pairs, together] {
        for format in SCALED_FORMATS.into_iter().chain([HistoryFormat::Bf16]) {
            check(format, 0.01, 2, &[g.clone(), g.clone(), g.iter().map(|x| -x).collect()]);
        }
        for density in [0.01, 0.5, 1.0] {
            check(HistoryFormat::Sparse, density, 2, &[g.clone(), g.iter().map(|x| -x).collect()]);
        }
    }
}

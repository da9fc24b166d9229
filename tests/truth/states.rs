//! Damaged, foreign and forged states are refused for the right reason, and change nothing.

use crate::common;

use common::{COMPRESSED, Model, OPTIONS, Random, every_kind_and_format, part_ends};
use lmada::{Clip, Config, Error, Momentum};

/// Offsets of the version and of the number of options, 4 bytes each.
const VERSION: usize = 8;
const COUNT: usize = 12;

fn small(momentum_kind: Momentum, clip_kind: Clip) -> Config {
    Config::default().with_history_size(3).with_momentum_kind(momentum_kind).with_clip_kind(clip_kind).with_threads(1)
}

fn model(config: &Config, dims: &[usize], steps: usize) -> Model<f32> {
    let mut model = Model::new(config, dims);
    (0..steps).for_each(|number| model.step(number));
    model
}

/// CRC-32 (ISO-HDLC), bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// Writes valid checksums for the present contents, at their places in the undamaged state `good` and at the end.
fn seal(state: &mut [u8], good: &[u8]) {
    let [head, lens, _] = part_ends(good);
    let mut covered = Vec::new();
    let mut start = 0;
    for end in [head, lens, state.len().saturating_sub(4)] {
        if start <= end && end + 4 <= state.len() {
            covered.extend_from_slice(&state[start..end]);
            state[end..end + 4].copy_from_slice(&checksum(&covered).to_le_bytes());
            start = end + 4;
        }
    }
}

#[test]
fn the_form_is_that_of_these_tests() {
    let state = model(&small(Momentum::Gradient, Clip::EmaVector), &[5, 2], 4).state();
    let mut sealed = state.clone();
    seal(&mut sealed, &state);
    assert!(sealed == state);
}

/// Loads a state, which has to be refused and to change nothing.
fn refusal(model: &mut Model<f32>, state: &[u8], what: &str) -> Error {
    let (before, stats) = (model.state(), model.optimizer.stats().unwrap());
    let error = model.optimizer.state_load(state).expect_err(what);
    assert!(model.state() == before, "{what}: the state changed");
    assert_eq!(model.optimizer.stats().unwrap(), stats, "{what}: the stats changed");
    error
}

fn expect_bad(model: &mut Model<f32>, state: &[u8], what: &str) {
    let error = refusal(model, state, what);
    assert!(matches!(error, Error::BadState { .. }), "{what}: {error}");
}

#[test]
fn every_damaged_byte_is_noticed() {
    for (config, dims) in [
        (small(Momentum::Gradient, Clip::EmaVector), &[5usize, 2][..]),
        (small(Momentum::None, Clip::GraftEmaNorm), &[4]),
    ] {
        let mut holder = model(&config, dims, 4);
        let state = model(&config, dims, 7).state();
        for position in 0..state.len() {
            for damage in [0x01, 0x80, 0xff] {
                let mut damaged = state.clone();
                damaged[position] ^= damage;
                expect_bad(&mut holder, &damaged, &format!("byte {position} of {}", state.len()));
            }
        }
        holder.optimizer.state_load(&state).unwrap();
        assert!(holder.state() == state);
    }
}

#[test]
fn only_the_exact_length_is_taken() {
    let config = small(Momentum::Update, Clip::GraftEmaVector);
    let mut holder = model(&config, &[5, 0, 2], 4);
    let state = model(&config, &[5, 0, 2], 7).state();
    for len in 0..state.len() {
        expect_bad(&mut holder, &state[..len], &format!("cut to {len}"));
        // Cut short, with a valid checksum.
        let mut cut = state[..len].to_vec();
        seal(&mut cut, &state);
        expect_bad(&mut holder, &cut, &format!("cut to {len} and sealed"));
    }
    for extra in [1, 4, 8, 1000] {
        let mut long = state.clone();
        long.resize(state.len() + extra, 0);
        expect_bad(&mut holder, &long, &format!("{extra} bytes too long"));
        seal(&mut long, &state);
        expect_bad(&mut holder, &long, &format!("{extra} bytes too long and sealed"));
    }
    let mut random = Random(9);
    for len in [0, 1, 15, 16, 17, state.len()] {
        let noise: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
        expect_bad(&mut holder, &noise, "noise");
    }
}

#[test]
fn states_of_other_optimizers_are_refused_by_name() {
    let base = small(Momentum::None, Clip::None);
    let mut holder = model(&base, &[5, 2], 4);
    let mut refused = |config: &Config, dims: &[usize]| {
        let state = model(config, dims, 4).state();
        refusal(&mut holder, &state, &format!("{config:?} {dims:?}"))
    };
    let mismatch = |error: Error, word: &str| {
        assert!(matches!(error, Error::DimensionMismatch { .. }) && error.to_string().contains(word), "{error}");
    };
    mismatch(refused(&base.with_history_size(4), &[5, 2]), "history_size");
    mismatch(refused(&base, &[5, 3]), "dims[1]");
    mismatch(refused(&base, &[2, 5]), "dims[0]");
    mismatch(refused(&base, &[7]), "blocks");
    mismatch(refused(&base, &[5, 2, 0]), "blocks");
    let invalid = |error: Error, word: &str| {
        assert!(matches!(error, Error::InvalidArgument { .. }) && error.to_string().contains(word), "{error}");
    };
    invalid(refused(&base.with_momentum_kind(Momentum::Update), &[5, 2]), "momentum_kind");
    invalid(refused(&base.with_clip_kind(Clip::Norm), &[5, 2]), "clip_kind");
    invalid(refused(&base.with_density(0.02), &[5, 2]), "density");
    for history_format in COMPRESSED {
        invalid(refused(&base.with_history_format(history_format), &[5, 2]), "history_format");
    }
    let state = Model::<f64>::new(&base, &[5, 2]).state();
    invalid(refusal(&mut holder, &state, "f64"), "dtype");

    // Everything else may differ.
    let other =
        base.with_lr(0.5).with_eps(1e-3).with_power(1.0).with_centered(true).with_weight_decay(0.1).with_threads(2);
    let state = model(&other, &[5, 2], 4).state();
    holder.optimizer.state_load(&state).unwrap();
    assert_eq!(holder.optimizer.config().lr, 0.5);
}

/// Forged contents with valid checksums. A refused state changes nothing. After an accepted state every step succeeds
/// or is refused.
#[test]
fn hostile_contents_are_refused_or_harmless() {
    for config in every_kind_and_format::<f32>() {
        let config = config.with_history_size(3);
        let mut holder = model(&config, &[4, 1], 4);
        let state = model(&config, &[4, 1], 7).state();
        let words: [u64; 6] = [0, u64::MAX, f64::NAN.to_bits(), f64::MAX.to_bits(), (-1.0f64).to_bits(), 1 << 53];
        for position in (VERSION..state.len()).step_by(4) {
            for word in words {
                let mut hostile = state.clone();
                let len = (state.len() - position).min(8);
                hostile[position..position + len].copy_from_slice(&word.to_le_bytes()[..len]);
                seal(&mut hostile, &state);
                let before = holder.state();
                match holder.optimizer.state_load(&hostile) {
                    Err(_) => assert!(holder.state() == before, "byte {position}: the state changed"),
                    Ok(()) => {
                        for number in 0..4 {
                            let grads = common::gradient::<f32>(5, number);
                            let (params, saved) = (holder.params.clone(), holder.state());
                            match holder.optimizer.step(&mut holder.params, &grads) {
                                Ok(()) => {}
                                Err(Error::NonFinite { .. }) => {
                                    assert!(holder.params == params && holder.state() == saved, "byte {position}");
                                }
                                Err(other) => panic!("byte {position}, {word:x}: {other}"),
                            }
                        }
                    }
                }
                holder.optimizer.state_load(&state).unwrap();
                holder.params = common::gradient(5, 999);
            }
        }
    }
}

#[test]
fn hostile_numbers_are_refused() {
    let config = small(Momentum::Gradient, Clip::EmaVector);
    let mut holder = model(&config, &[4], 5);
    let state = model(&config, &[4], 5).state();
    let [head, lens, end] = part_ends(&state);
    // The counts are last before the first checksum.
    let (lr, steps, averaged, blocks, groups) = (OPTIONS + 8 * 4, head - 32, head - 24, head - 16, head - 8);
    let weight = head + 4 + 8;
    let u64_at = |state: &[u8], at: usize| u64::from_le_bytes(state[at..at + 8].try_into().unwrap());
    assert_eq!((u64_at(&state, steps), u64_at(&state, blocks)), (5, 1), "the layout has changed: mend this test");
    assert_eq!((u64_at(&state, averaged), u64_at(&state, groups)), (0, 0), "the layout has changed: mend this test");
    assert_eq!(f64::from_bits(u64_at(&state, weight)), 1.0, "the layout has changed: mend this test");
    assert_eq!(f64::from_bits(u64_at(&state, lr)), config.lr);
    let (gram, last) = (lens + 4, end - 4);
    let put = |at: usize, bytes: &[u8]| {
        let mut hostile = state.clone();
        hostile[at..at + bytes.len()].copy_from_slice(bytes);
        seal(&mut hostile, &state);
        hostile
    };
    let wide = |at: usize, x: f64| put(at, &x.to_le_bytes());
    for (hostile, what) in [
        (put(VERSION, &2u32.to_le_bytes()), "an earlier version"),
        (put(VERSION, &4u32.to_le_bytes()), "a later version"),
        (put(COUNT, &0u32.to_le_bytes()), "no options"),
        (put(COUNT, &u32::MAX.to_le_bytes()), "too many options"),
        (put(OPTIONS, &2u64.to_le_bytes()), "an element type of no number"),
        (put(OPTIONS, &(1u64 << 32).to_le_bytes()), "an element type of no number"),
        (put(OPTIONS + 8, &0u64.to_le_bytes()), "a window of nothing"),
        (put(OPTIONS + 8, &(1u64 << 32 | 3).to_le_bytes()), "a window of no size"),
        (put(OPTIONS + 8 * 8, &2u64.to_le_bytes()), "a flag neither off nor on"),
        (put(steps, &u64::MAX.to_le_bytes()), "too many steps"),
        (put(blocks, &0u64.to_le_bytes()), "no blocks"),
        (put(averaged, &6u64.to_le_bytes()), "more averaged steps than steps"),
        (put(groups, &1u64.to_le_bytes()), "a group that is not there"),
        (put(groups, &u64::MAX.to_le_bytes()), "too many groups"),
        (wide(weight, f64::NAN), "a weight NaN"),
        (wide(weight + 8, -1.0), "a weight negative"),
        (wide(lr, f64::NAN), "lr NaN"),
        (wide(lr, -1.0), "lr negative"),
        (wide(lr, f64::INFINITY), "lr infinite"),
        (wide(gram, f64::NAN), "an entry of C NaN"),
        (wide(gram, -1.0), "a squared norm negative"),
        (wide(gram + 8, f64::INFINITY), "an entry of C infinite"),
        (put(last, &f32::NAN.to_le_bytes()), "an element of the averages NaN"),
        (put(last - 4 * 4, &f32::INFINITY.to_le_bytes()), "an element of the averages infinite"),
        (put(last - 4 * 9, &f32::NEG_INFINITY.to_le_bytes()), "an element of the window infinite"),
    ] {
        expect_bad(&mut holder, &hostile, what);
    }
}

#[test]
fn saving_needs_the_exact_room() {
    let holder = model(&small(Momentum::None, Clip::None), &[4], 5);
    let size = holder.optimizer.state_size();
    for len in [0, size - 1, size + 1] {
        let mut buffer = vec![0xa5; len];
        let error = holder.optimizer.state_save(&mut buffer).unwrap_err();
        assert!(matches!(error, Error::DimensionMismatch { .. }), "{error}");
        assert!(buffer.iter().all(|&byte| byte == 0xa5));
    }
    // The size does not depend on the steps taken.
    assert_eq!(model(&small(Momentum::None, Clip::None), &[4], 0).optimizer.state_size(), size);
}

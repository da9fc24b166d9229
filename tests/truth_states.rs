//! Saved states that are damaged, foreign or hostile: refused for the right reason, and nothing changed by them.

mod common;

use common::{COMPRESSED, Model, Random, every_kind_and_format};
use lmada::{Clip, Config, Error, Momentum};

const CHECKSUM: usize = 8;
const VERSION: usize = 12;

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

/// A valid checksum around whatever the contents are now.
fn seal(state: &mut [u8]) {
    let sum = checksum(&state[VERSION..]);
    state[CHECKSUM..VERSION].copy_from_slice(&sum.to_le_bytes());
}

/// Loads it and expects a refusal that changes nothing.
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
        // Cut short by someone who knows how the checksum is made.
        if len > VERSION + 4 {
            let mut cut = state[..len].to_vec();
            seal(&mut cut);
            expect_bad(&mut holder, &cut, &format!("cut to {len} and sealed"));
        }
    }
    for extra in [1, 4, 8, 1000] {
        let mut long = state.clone();
        long.resize(state.len() + extra, 0);
        expect_bad(&mut holder, &long, &format!("{extra} bytes too long"));
        seal(&mut long);
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

/// A valid checksum around contents that no optimizer wrote. What is refused changes nothing; what is taken may step as
/// it likes, but steps or refuses.
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
                seal(&mut hostile);
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
    // After the prelude: six u32 of shape, density, the number of blocks and their lengths; then steps and lr.
    let steps = 16 + 6 * 4 + 8 + 8 + 8;
    let u64_at = |state: &[u8], at: usize| u64::from_le_bytes(state[at..at + 8].try_into().unwrap());
    assert_eq!(u64_at(&state, steps), 5, "the layout has changed: mend this test");
    assert_eq!(f64::from_bits(u64_at(&state, steps + 8)), config.lr);
    let (gram, last) = (steps + 16, state.len() - 4);
    let put = |at: usize, bytes: &[u8]| {
        let mut hostile = state.clone();
        hostile[at..at + bytes.len()].copy_from_slice(bytes);
        seal(&mut hostile);
        hostile
    };
    let wide = |at: usize, x: f64| put(at, &x.to_le_bytes());
    for (hostile, what) in [
        (put(VERSION, &1u32.to_le_bytes()), "an earlier version"),
        (put(VERSION, &3u32.to_le_bytes()), "a later version"),
        (put(steps, &u64::MAX.to_le_bytes()), "too many steps"),
        (wide(steps + 8, f64::NAN), "lr NaN"),
        (wide(steps + 8, -1.0), "lr negative"),
        (wide(steps + 8, f64::INFINITY), "lr infinite"),
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

//! Bytes that claim to be a saved state: a real one with hostile contents and matching checksums, or any bytes. A
//! refused state leaves the handle unchanged, bit for bit. An accepted state is saved again with the same bytes, and
//! later calls return the same status on every handle that loaded it. As a stream the bytes create a handle or none.

use lmada::Dtype;
use lmada::capi::*;

use crate::form::{COUNT, MAGIC, OPTIONS, VERSION, average_alike, loaded, part_ends, seal};
use crate::handle::{Handle, Real, Status};
use crate::input::Input;
use crate::options;
use crate::oracle::number::bits;

/// Largest number of changes of an input.
const EDITS: usize = 12;

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.pick(&[Dtype::F32, Dtype::F32, Dtype::F64]) {
        Dtype::F32 => load::<f32>(&mut input),
        Dtype::F64 => load::<f64>(&mut input),
        other => unreachable!("{other:?} is not known here"),
    }
}

fn load<T: Real>(input: &mut Input<'_>) {
    let config = options::good(input, T::DTYPE);
    let dims = options::dims(input);
    let source = Model::<T>::new(&config, &dims, input);
    // A handle with another past, sometimes with another layout of the state.
    let (mut subject, mut twin, alike) = match input.byte() % 8 {
        0 => {
            let (config, dims) = (options::good(input, T::DTYPE), options::dims(input));
            let seed = input.random().0;
            (Model::<T>::of_past(&config, &dims, 2, seed), Model::of_past(&config, &dims, 2, seed), false)
        }
        steps => {
            let (steps, seed) = (usize::from(steps - 1), input.random().0);
            let new = || Model::of_past(&config, &dims, steps, seed);
            (new(), new(), true)
        }
    };
    let saved = source.state();
    let state = edited(input, &saved);
    as_shares(&mut twin, &state);
    as_stream::<T>(&saved, &state);
    let status = subject.handle.load(&state);
    if state == saved && alike {
        assert_eq!(status, LMADA_OK, "a good state was refused: {}", crate::handle::last_error());
    }
    match status {
        LMADA_OK => {
            let now = subject.state();
            let same = loaded(&now) == loaded(&state) || !average_alike(&now, &state);
            assert!(same, "a state that was loaded is not that which is saved");
            assert_eq!(twin.handle.load(&state), LMADA_OK);
            goes_on(&mut subject, &mut twin);
            is_as_new(subject, &config, &dims, alike);
        }
        LMADA_ERROR_BAD_STATE | LMADA_ERROR_DIMENSION_MISMATCH | LMADA_ERROR_INVALID_ARGUMENT => {
            assert!(subject.state() == twin.state(), "a refused state has changed the handle");
            assert_eq!(subject.step(1), LMADA_OK);
            assert_eq!(twin.step(1), LMADA_OK);
            assert!(subject.state() == twin.state() && bits(&subject.params) == bits(&twin.params));
        }
        other => panic!("load answers {other}"),
    }
}

/// Loads the bytes as states of shares: alone, and after another state. The handle does not change.
fn as_shares<T: Real>(model: &mut Model<T>, state: &[u8]) {
    let (before, params) = (model.state(), model.params.clone());
    for (states, first) in [(&[state][..], 0), (&[&before, state], 0), (&[state, &before], 1)] {
        let status = model.handle.load_shares(&vec![first; model.blocks], states);
        match status {
            LMADA_OK => {
                let status = model.step(5);
                assert!(status == LMADA_OK || status == LMADA_ERROR_NON_FINITE, "a step answers {status}");
                assert_eq!(model.handle.load(&before), LMADA_OK);
                model.params.clone_from(&params);
            }
            LMADA_ERROR_BAD_STATE | LMADA_ERROR_DIMENSION_MISMATCH | LMADA_ERROR_INVALID_ARGUMENT => {
                assert!(model.state() == before, "refused states of shares have changed the handle");
            }
            other => panic!("load_shares answers {other}"),
        }
    }
}

/// Reads the bytes as a stream: it creates a handle with the state that was read, or none.
fn as_stream<T: Real>(saved: &[u8], state: &[u8]) {
    match Handle::<T>::of_state(state) {
        Ok((handle, read)) => {
            let again = handle.save().expect("no step is open");
            assert!(again == state[..read], "a handle made of a state has another");
            assert!(handle.write().expect("no step is open") == again, "a state is written otherwise than saved");
            handle.stats();
        }
        Err(status) => {
            assert!(state != saved, "a good state was refused: {}", crate::handle::last_error());
            assert!(
                [LMADA_ERROR_BAD_STATE, LMADA_ERROR_CALLBACK, LMADA_ERROR_OUT_OF_MEMORY].contains(&status),
                "create_from_state answers {status}"
            );
        }
    }
}

/// Steps, in one call and in phases, and reads the stats.
fn goes_on<T: Real>(subject: &mut Model<T>, twin: &mut Model<T>) {
    for seed in 0..2 {
        same_stats(subject, twin);
        let status = subject.step(seed);
        assert!(status == LMADA_OK || status == LMADA_ERROR_NON_FINITE, "a step answers {status}");
        assert_eq!(twin.step(seed), status);
        assert!(bits(&subject.params) == bits(&twin.params), "the same state steps in two ways");
    }
    let status = subject.step_in_phases(2);
    assert_eq!(twin.step_in_phases(2), status);
    same_stats(subject, twin);
    assert!(bits(&subject.params) == bits(&twin.params) && subject.state() == twin.state());
}

fn same_stats<T: Real>(subject: &Model<T>, twin: &Model<T>) {
    let numbers = |model: &Model<T>| {
        let lmada_stats_t { steps, rank, eig_max, eig_min, update_norm, .. } = model.handle.stats();
        (steps, rank, [eig_max, eig_min, update_norm].map(f64::to_bits))
    };
    assert_eq!(numbers(subject), numbers(twin));
}

/// Checks that a reset keeps only the learning rate of the state.
fn is_as_new<T: Real>(mut subject: Model<T>, config: &lmada::Config, dims: &[usize], alike: bool) {
    assert_eq!(subject.handle.call(lmada_reset), LMADA_OK);
    if !alike {
        return;
    }
    let mut new = Model::<T>::of_past(config, dims, 0, 0);
    for model in [&mut subject, &mut new] {
        // Small enough for any weight decay.
        assert_eq!(model.handle.set_lr(1.0 / 1024.0), LMADA_OK);
        model.params.fill(T::of(1.0));
    }
    for seed in 0..2 {
        assert_eq!(subject.step(seed), new.step(seed));
    }
    let differs = subject.state().iter().zip(new.state()).position(|(a, b)| *a != b);
    assert!(differs.is_none(), "byte {differs:?} of the state is not as new: {config:?}, {dims:?}");
    assert!(bits(&subject.params) == bits(&new.params), "a reset is not as new: {config:?}, {dims:?}");
}

struct Model<T> {
    handle: Handle<T>,
    params: Vec<T>,
    blocks: usize,
}

impl<T: Real> Model<T> {
    fn new(config: &lmada::Config, dims: &[usize], input: &mut Input<'_>) -> Self {
        let steps = input.below(2 * config.history_size as usize + 3);
        Self::of_past(config, dims, steps, input.random().0)
    }

    fn of_past(config: &lmada::Config, dims: &[usize], steps: usize, seed: u64) -> Self {
        let config = config.with_lr(config.lr.min(1.0));
        let handle = Handle::new(&options::to_c(&config), dims);
        let mut model = Self { handle, params: vec![T::of(1.0); dims.iter().sum()], blocks: dims.len() };
        for step in 0..steps {
            assert_eq!(model.step(seed + step as u64), LMADA_OK);
        }
        model
    }

    fn gradient(&self, seed: u64) -> Vec<T> {
        let mut x = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut entry = || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            T::of(x as i64 as f64 / i64::MAX as f64)
        };
        self.params.iter().map(|_| entry()).collect()
    }

    fn step(&mut self, seed: u64) -> Status {
        let gradient = self.gradient(seed);
        self.handle.step(&mut self.params, &gradient)
    }

    /// Takes a step in two pieces; a refused step is cancelled.
    fn step_in_phases(&mut self, seed: u64) -> Status {
        let gradient = self.gradient(seed);
        let cut = gradient.len() / 2;
        assert_eq!(self.handle.call(lmada_begin), LMADA_OK);
        for (offset, piece) in [(cut, &gradient[cut..]), (0, &gradient[..cut])] {
            assert_eq!(self.handle.feed(offset, piece), LMADA_OK);
        }
        let status = self.handle.call(lmada_solve);
        if status != LMADA_OK {
            assert_eq!(status, LMADA_ERROR_NON_FINITE);
            assert_eq!(self.handle.call(lmada_cancel), LMADA_OK);
            return status;
        }
        let (front, back) = self.params.split_at_mut(cut);
        assert_eq!(self.handle.apply(0, front, &gradient[..cut]), LMADA_OK);
        assert_eq!(self.handle.apply(cut, back, &gradient[cut..]), LMADA_OK);
        assert_eq!(self.handle.call(lmada_end), LMADA_OK);
        status
    }

    fn state(&self) -> Vec<u8> {
        self.handle.save().expect("no step is open")
    }
}

const REALS: [f64; 16] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    -0.0,
    0.0,
    1.0,
    -1.0,
    1e300,
    -1e300,
    1e-310,
    f64::MAX,
    f64::MIN_POSITIVE,
    3e38,
    1e-40,
    1.5,
    1e16,
];
const COUNTS: [u64; 12] =
    [0, 1, 2, 3, 7, 255, 65535, u32::MAX as u64, 1 << 53, (1 << 53) - 1, u64::MAX, i64::MAX as u64];

/// Returns the state with the changes of the input, mostly with matching checksums.
fn edited(input: &mut Input<'_>, saved: &[u8]) -> Vec<u8> {
    let mut state = saved.to_vec();
    let seals = !input.rarely(16);
    if input.rarely(16) {
        state = input.rest().to_vec();
        if seals && state.len() >= OPTIONS {
            state[..8].copy_from_slice(MAGIC);
            state[VERSION].copy_from_slice(&saved[VERSION]);
            state[COUNT].copy_from_slice(&saved[COUNT]);
        }
    }
    for _ in 0..EDITS {
        if input.is_empty() || state.is_empty() {
            break;
        }
        edit(input, &mut state);
    }
    if seals {
        seal(&mut state, part_ends(saved));
    }
    state
}

fn edit(input: &mut Input<'_>, state: &mut Vec<u8>) {
    let kind = input.byte() % 12;
    let len = state.len().min(65536);
    // Fields are at multiples of 4, except after an odd number of shorter ones.
    let place = match input.byte() {
        // The options, the lengths, the counts and the first of the sums.
        near @ 0..128 => OPTIONS + usize::from(near) * 4,
        128..252 => input.below(len) / 4 * 4,
        _ => input.below(len),
    };
    let mut put = |bytes: &[u8]| {
        let left = state.len().saturating_sub(place).min(bytes.len());
        if left > 0 {
            state[place..place + left].copy_from_slice(&bytes[..left]);
        }
    };
    match kind {
        0 => put(&[input.byte()]),
        1..3 => put(&input.pick(&REALS).to_le_bytes()),
        3 => put(&(input.pick(&REALS) as f32).to_le_bytes()),
        4 => put(&input.pick(&COUNTS).to_le_bytes()),
        5 => put(&(input.pick(&COUNTS) as u32).to_le_bytes()),
        6 => put(&input.array::<2>()),
        7 => put(&input.array::<4>()),
        8 => put(&input.array::<8>()),
        9 => state.truncate(place),
        10 => state.resize(state.len() + 1 + input.below(64), input.byte()),
        _ => {
            let (from, count) = (input.below(len), input.below(64));
            let copy: Vec<u8> = state.iter().skip(from).take(count).copied().collect();
            let left = state.len().saturating_sub(place).min(copy.len());
            if left > 0 {
                state[place..place + left].copy_from_slice(&copy[..left]);
            }
        }
    }
}

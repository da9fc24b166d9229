//! States saved on x86-64 load on every machine and are saved again with the same bytes, and training continues as on
//! x86-64: on big-endian machines, on 32 bits, with any instruction set.
//!
//! The states are in `tests/data/states-x86_64.bin`, one of each kind and format. A new version of the saved form needs
//! a new file: on x86-64, `LMADA_WRITE_STATES=1 cargo test --test saved_elsewhere` writes it.

mod common;

use common::{Model, every_kind_and_format};
use lmada::{Element, Optimizer};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/states-x86_64.bin");
const DIMS: [usize; 3] = [40, 0, 7];
/// Number of steps before the save (more than the window holds), and after.
const BEFORE: usize = 7;
const AFTER: usize = 5;

/// A record of the file: a state, the parameters at the save, and those after more steps.
struct Kept {
    state: Vec<u8>,
    params: Vec<f64>,
    later: Vec<f64>,
}

fn models<T: Element>() -> impl Iterator<Item = Model<T>> {
    every_kind_and_format::<T>().map(|config| Model::new(&config, &DIMS))
}

fn values<T: Element>(params: &[T]) -> Vec<f64> {
    params.iter().map(|x| x.to_f64()).collect()
}

fn keep<T: Element>(mut model: Model<T>) -> Kept {
    (0..BEFORE).for_each(|number| model.step(number));
    let (state, params) = (model.state(), values(&model.params));
    (BEFORE..BEFORE + AFTER).for_each(|number| model.step(number));
    Kept { state, params, later: values(&model.params) }
}

/// Writes a record: the length of the state, the state, the numbers; all little-endian.
fn write(kept: &Kept, file: &mut Vec<u8>) {
    file.extend((kept.state.len() as u64).to_le_bytes());
    file.extend(&kept.state);
    for number in kept.params.iter().chain(&kept.later) {
        file.extend(number.to_le_bytes());
    }
}

fn read(file: &mut &[u8]) -> Kept {
    let mut take = |len: usize| {
        let (bytes, rest) = file.split_at(len);
        *file = rest;
        bytes
    };
    let len = u64::from_le_bytes(take(8).try_into().unwrap()) as usize;
    let state = take(len).to_vec();
    let mut numbers = || {
        let bytes = take(8 * DIMS.iter().sum::<usize>());
        bytes.chunks(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    Kept { state, params: numbers(), later: numbers() }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn goes_on<T: Element>(file: &mut &[u8]) {
    for (index, model) in models::<T>().enumerate() {
        let Kept { state, params, later } = read(file);
        let what = format!("{} {index}", std::any::type_name::<T>());
        let optimizer = Optimizer::<T>::from_state(&state[..]).unwrap();
        let mut loaded = Model { optimizer, params: params.iter().map(|&x| T::from_f64(x)).collect() };
        assert!(loaded.state() == state, "{what}: saved again, other bytes");
        let mut again = model;
        again.optimizer.state_load(&state).unwrap();
        again.params.clone_from(&loaded.params);
        assert!(again.state() == state, "{what}: loaded and saved again, other bytes");

        (BEFORE..BEFORE + AFTER).for_each(|number| loaded.step(number));
        (BEFORE..BEFORE + AFTER).for_each(|number| again.step(number));
        assert_eq!(values(&again.params), values(&loaded.params), "{what}");
        let found = values(&loaded.params);
        let (moved, apart) = (distance(&params, &later), distance(&found, &later));
        let promise = if size_of::<T>() == 4 { 1e-5 } else { 1e-9 };
        assert!(moved > 0.0 && apart <= promise * moved, "{what}: moved {moved:e}, {apart:e} apart");
    }
}

#[test]
fn states_of_x86_64_go_on_here() {
    if std::env::var_os("LMADA_WRITE_STATES").is_some() {
        assert_eq!(std::env::consts::ARCH, "x86_64", "the file has states of x86-64");
        let mut file = Vec::new();
        models::<f32>().for_each(|model| write(&keep(model), &mut file));
        models::<f64>().for_each(|model| write(&keep(model), &mut file));
        std::fs::write(FILE, file).unwrap();
    }
    let file = std::fs::read(FILE).unwrap();
    let mut rest = &file[..];
    goes_on::<f32>(&mut rest);
    goes_on::<f64>(&mut rest);
    assert!(rest.is_empty(), "the file has more states");
}

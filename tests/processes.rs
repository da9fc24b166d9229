//! A step in phases: pieces in any order, and parameters split over handles whose partials are summed by hand, agree
//! with one handle that takes the step whole.

mod common;

use common::{COMPRESSED, Model, Random, SPARSE_UNIT, assert_same, cuts, every_kind_and_format, gradient};
use lmada::{Config, Element, Error, HistoryFormat, Optimizer};

/// The parameters moved alike: relative to how far they have come, the promise for ordinary gradients. More gradients
/// than there are dimensions are dependent: the norm of an update, which a clip looks at, then moves with the last bit of
/// C by the documented `2⁻⁵³·σ²max/ε'`, where σ²max is at most the squares of five gradients in (−1.3, 1.3).
fn assert_close<T: Element>(start: &[T], one: &[T], many: &[T], what: &str) {
    let dependent = if one.len() < 5 { f64::EPSILON / 2.0 * (5.0 * one.len() as f64 * 1.3 * 1.3) / 1e-6 } else { 0.0 };
    let promise = if size_of::<T>() == 4 { 2e-6 } else { 1e-10 + dependent };
    let distance = |a: &[T], b: &[T]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a.to_f64() - b.to_f64()).powi(2)).sum::<f64>().sqrt()
    };
    // Parameters are rounded at each step, however short that is.
    let rounding = promise / 20.0 * distance(one, &vec![T::default(); one.len()]);
    let (moved, apart) = (distance(start, one), distance(one, many));
    assert!(moved > 0.0 && apart <= promise * moved + rounding, "{what}: moved {moved:e}, {apart:e} apart");
}

fn pieces_in_any_order<T: Element>() {
    let mut random = Random(11);
    for (index, config) in every_kind_and_format::<T>().enumerate() {
        let dims = [&[20_000usize, 0, 1500][..], &[4097], &[7, 6]][index % 3];
        let mut whole = Model::<T>::new(&config, dims);
        let mut pieced = Model::<T>::new(&config, dims);
        let start = whole.params.clone();
        for number in 0..13 {
            whole.step(number);
            step_in_pieces(&mut pieced, number, &mut random);
        }
        assert_close(&start, &whole.params, &pieced.params, &format!("{dims:?}, {config:?}"));
        assert_eq!(whole.optimizer.stats().unwrap().steps, pieced.optimizer.stats().unwrap().steps);
    }
}

/// Feeds in one cut and order, applies in another.
fn step_in_pieces<T: Element>(model: &mut Model<T>, number: usize, random: &mut Random) {
    let dim = model.params.len();
    let grads = gradient::<T>(dim, number);
    let optimizer = &mut model.optimizer;
    optimizer.begin().unwrap();
    for piece in shuffled_pieces(dim, random) {
        optimizer.feed(piece.start, &grads[piece]).unwrap();
    }
    optimizer.solve().unwrap();
    for piece in shuffled_pieces(dim, random) {
        optimizer.apply(piece.start, &mut model.params[piece.clone()], &grads[piece]).unwrap();
    }
    optimizer.end().unwrap();
}

fn shuffled_pieces(dim: usize, random: &mut Random) -> Vec<core::ops::Range<usize>> {
    let ends = cuts(dim, 1 + random.below(12), random);
    let mut pieces: Vec<_> = ends.windows(2).map(|cut| cut[0]..cut[1]).collect();
    for last in (1..pieces.len()).rev() {
        pieces.swap(last, random.below(last + 1));
    }
    pieces
}

#[test]
fn pieces_in_any_order_f32() {
    pieces_in_any_order::<f32>();
}

#[test]
fn pieces_in_any_order_f64() {
    pieces_in_any_order::<f64>();
}

/// What the window holds of a gradient, and what sparse keeps back, does not depend on how it came in and went out: not
/// on pieces that cut the units of the format, nor on their order, which only the sums know.
#[test]
fn pieces_store_what_the_whole_stores() {
    let mut random = Random(12);
    for history_format in COMPRESSED {
        for dim in [5, 256, 300, 4096, 4097, 9001, 20_000] {
            let config = Config::default()
                .with_history_format(history_format)
                .with_history_size(3)
                .with_density(0.05)
                .with_threads(2);
            // All but the window, and a checksum at the end.
            let head = Optimizer::<f32>::new(&config, &[0]).unwrap().state_size() - 4;
            let [mut whole, mut pieced] = [(); 2].map(|()| Model::<f32>::new(&config, &[dim]));
            for number in 0..7 {
                whole.step(number);
                step_in_pieces(&mut pieced, number, &mut random);
                let [stored, stored_in_pieces] = [whole.state(), pieced.state()].map(|state| {
                    let end = state.len() - 4;
                    state[head..end].to_vec()
                });
                assert!(stored == stored_in_pieces, "{history_format:?}, {dim}, step {number}: not the same is stored");
            }
        }
    }
}

#[test]
fn one_piece_is_the_whole_step_bit_for_bit() {
    for config in every_kind_and_format::<f32>() {
        let mut whole = Model::<f32>::new(&config, &[3000, 7]);
        let mut phased = Model::<f32>::new(&config, &[3000, 7]);
        for number in 0..9 {
            whole.step(number);
            let grads = gradient::<f32>(3007, number);
            phased.optimizer.begin().unwrap();
            phased.optimizer.feed(0, &grads).unwrap();
            assert!(phased.optimizer.partials().unwrap().len() <= 2 * (2 * 5 + 16));
            phased.optimizer.solve().unwrap();
            phased.optimizer.apply(0, &mut phased.params, &grads).unwrap();
            phased.optimizer.end().unwrap();
        }
        assert_same(&whole, &phased, &format!("{config:?}"));
    }
}

/// The shares of one model on several handles, as processes would have them.
struct Processes<T: Element> {
    handles: Vec<Optimizer<T>>,
    /// For each handle, its part of each block.
    parts: Vec<Vec<core::ops::Range<usize>>>,
    /// Where the blocks start.
    starts: Vec<usize>,
}

impl<T: Element> Processes<T> {
    /// Each block of `dims` is cut at random into as many parts as there are processes; some may be empty. What is
    /// stored in units is cut between them.
    fn new(config: &Config, dims: &[usize], count: usize, random: &mut Random) -> Self {
        let unit = if config.history_format == HistoryFormat::Full { 1 } else { SPARSE_UNIT };
        let mut parts = vec![Vec::new(); count];
        let (mut first, mut starts) = (0, Vec::new());
        for &len in dims {
            starts.push(first);
            let mut ends: Vec<usize> = (1..count).map(|_| first + random.below(len + 1) / unit * unit).collect();
            ends.extend([first, first + len]);
            ends.sort_unstable();
            for (process, cut) in ends.windows(2).enumerate() {
                parts[process].push(cut[0]..cut[1]);
            }
            first += len;
        }
        let lens = |parts: &Vec<core::ops::Range<usize>>| parts.iter().map(ExactSizeIterator::len).collect::<Vec<_>>();
        let handles = parts.iter().map(|parts| Optimizer::new(config, &lens(parts)).unwrap()).collect();
        Self { handles, parts, starts }
    }

    /// Feeds everybody's share and adds up the partials, the same totals for all.
    fn feed_and_sum(&mut self, grads: &[T]) {
        let mut totals: Vec<f64> = Vec::new();
        for (handle, parts) in self.handles.iter_mut().zip(&self.parts) {
            handle.begin().unwrap();
            let mut offset = 0;
            for part in parts {
                handle.feed(offset, &grads[part.clone()]).unwrap();
                offset += part.len();
            }
            let partials = handle.partials().unwrap();
            totals.resize(partials.len(), 0.0);
            totals.iter_mut().zip(partials.iter()).for_each(|(total, part)| *total += part);
        }
        self.handles.iter_mut().for_each(|handle| handle.partials().unwrap().copy_from_slice(&totals));
    }

    fn step(&mut self, params: &mut [T], grads: &[T]) {
        self.feed_and_sum(grads);
        for (handle, parts) in self.handles.iter_mut().zip(&self.parts) {
            handle.solve().unwrap();
            let mut offset = 0;
            for part in parts {
                handle.apply(offset, &mut params[part.clone()], &grads[part.clone()]).unwrap();
                offset += part.len();
            }
            handle.end().unwrap();
        }
    }
}

fn shares_agree_with_the_whole<T: Element>() {
    let mut random = Random(5);
    for (index, config) in every_kind_and_format::<T>().enumerate() {
        for count in 2..=5 {
            let large = if config.history_format == HistoryFormat::Full { 2500 } else { 20_000 };
            let dims = &[vec![large, 40, 0], vec![3], vec![9000]][(index + count) % 3];
            let mut whole = Model::<T>::new(&config, dims);
            let (start, dim) = (whole.params.clone(), whole.params.len());
            let mut params = start.clone();
            let mut processes = Processes::<T>::new(&config, dims, count, &mut random);
            for number in 0..12 {
                whole.step(number);
                processes.step(&mut params, &gradient::<T>(dim, number));
            }
            let what = format!("{count} handles, {dims:?}, {config:?}");
            assert_close(&start, &whole.params, &params, &what);
            let one = whole.optimizer.stats().unwrap();
            for handle in &mut processes.handles {
                let stats = handle.stats().unwrap();
                assert_eq!((stats.steps, stats.rank), (one.steps, one.rank), "{what}");
                assert!((stats.grad_norm / one.grad_norm - 1.0).abs() < 1e-12, "{what}");
            }
        }
    }
}

#[test]
fn shares_agree_with_the_whole_f32() {
    shares_agree_with_the_whole::<f32>();
}

#[test]
fn shares_agree_with_the_whole_f64() {
    shares_agree_with_the_whole::<f64>();
}

impl<T: Element> Processes<T> {
    fn states(&self) -> Vec<Vec<u8>> {
        let state = |handle: &Optimizer<T>| {
            let mut state = vec![0; handle.state_size()];
            handle.state_save(&mut state).unwrap();
            state
        };
        self.handles.iter().map(state).collect()
    }

    /// Puts together the states of other shares of the same model.
    fn load(&mut self, states: &[Vec<u8>]) {
        let states: Vec<&[u8]> = states.iter().map(Vec::as_slice).collect();
        for (handle, parts) in self.handles.iter_mut().zip(&self.parts) {
            let firsts: Vec<usize> = parts.iter().zip(&self.starts).map(|(part, start)| part.start - start).collect();
            handle.state_load_shares(&firsts, &states).unwrap();
        }
    }
}

/// Saved by some, loaded by others and saved again, all is as it was when it comes back; on the way it is trained on.
fn shares_are_split_anew<T: Element>() {
    let mut random = Random(6);
    for (index, config) in every_kind_and_format::<T>().enumerate() {
        let large = if config.history_format == HistoryFormat::Full { 2500 } else { 30_000 };
        let dims = &[vec![large, 40, 0], vec![3], vec![9000]][index % 3];
        let mut whole = Model::<T>::new(&config, dims);
        let (start, dim) = (whole.params.clone(), whole.params.len());
        let mut params = start.clone();
        let mut processes = Processes::<T>::new(&config, dims, 4, &mut random);
        let mut number = 0;
        for count in [4, 3, 1, 5] {
            let what = format!("{count} handles, {dims:?}, {config:?}");
            let states = processes.states();
            let mut others = Processes::<T>::new(&config, dims, count, &mut random);
            others.load(&states);
            processes.load(&others.states());
            assert!(processes.states() == states, "{what}: not the same after a round trip");
            processes = others;
            // The window is not full at first, and is in the middle of its round then.
            for _ in 0..4 {
                whole.step(number);
                processes.step(&mut params, &gradient::<T>(dim, number));
                number += 1;
            }
            assert_close(&start, &whole.params, &params, &what);
        }
    }
}

#[test]
fn shares_are_split_anew_f32() {
    shares_are_split_anew::<f32>();
}

#[test]
fn shares_are_split_anew_f64() {
    shares_are_split_anew::<f64>();
}

#[test]
fn all_refuse_what_one_of_them_got() {
    let config = Config::default().with_threads(1);
    let mut processes = Processes::<f32>::new(&config, &[90], 3, &mut Random(2));
    let mut params = vec![0.0; 90];
    processes.step(&mut params, &gradient(90, 0));
    let before = params.clone();
    let mut grads = gradient::<f32>(90, 1);
    grads[89] = f32::NAN;
    processes.feed_and_sum(&grads);
    for handle in &mut processes.handles {
        assert!(matches!(handle.solve(), Err(Error::NonFinite { count: 1, .. })));
        handle.cancel().unwrap();
    }
    assert_eq!(params, before);
    processes.step(&mut params, &gradient(90, 2));
    assert_ne!(params, before);
}

#[test]
fn processes_out_of_step_are_noticed() {
    let config = Config::default().with_threads(1);
    let mut processes = Processes::<f64>::new(&config, &[30], 2, &mut Random(2));
    let ahead = &mut processes.handles[1];
    let len = ahead.dim();
    ahead.step(&mut vec![0.0; len], &vec![1.0; len]).unwrap();
    processes.feed_and_sum(&gradient(30, 0));
    for handle in &mut processes.handles {
        assert!(matches!(handle.solve(), Err(Error::InvalidArgument { .. })));
        handle.cancel().unwrap();
    }
}

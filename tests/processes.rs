//! A step in phases, with pieces in any order, and with parameters split over handles whose partials the test adds up,
//! agrees with one handle that takes the whole step.

mod common;

use common::{COMPRESSED, Model, Random, SPARSE_UNIT, assert_same, cuts, every_kind_and_format, gradient};
use lmada::{Clip, Config, Element, Error, Group, HistoryFormat, Momentum, Optimizer};

/// Checks that the parameters agree, relative to their movement, to the precision promised for ordinary gradients. With
/// more gradients than dimensions the gradients are dependent. The norm of an update, which clips use, then depends on
/// the last bit of C by the documented `2⁻⁵³·σ²max/ε'`, where σ²max is at most the squares of five gradients in (−1.3,
/// 1.3).
fn assert_close<T: Element>(start: &[T], one: &[T], many: &[T], what: &str) {
    let dependent = if one.len() < 5 { f64::EPSILON / 2.0 * (5.0 * one.len() as f64 * 1.3 * 1.3) / 1e-6 } else { 0.0 };
    let promise = if size_of::<T>() == 4 { 2e-6 } else { 1e-10 + dependent };
    let distance = |a: &[T], b: &[T]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a.to_f64() - b.to_f64()).powi(2)).sum::<f64>().sqrt()
    };
    // Each step rounds the parameters, also if it is short.
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

/// Feeds the pieces of one cut in one order, and applies those of another cut in another order.
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

/// The stored gradient, and the feedback of sparse, do not depend on the pieces: neither on cuts through groups of the
/// format nor on the order. Only the sums do.
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
            // Everything before the window, and the checksum at the end, may differ.
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
            let columns = if matches!(config.clip_kind, Clip::EmaVector | Clip::GraftEmaVector) { 3 } else { 2 };
            assert!(phased.optimizer.partials().unwrap().len() <= 2 * (columns * 5 + 16));
            phased.optimizer.solve().unwrap();
            phased.optimizer.apply(0, &mut phased.params, &grads).unwrap();
            phased.optimizer.end().unwrap();
        }
        assert_same(&whole, &phased, &format!("{config:?}"));
    }
}

/// One model split over several handles, as over processes.
struct Processes<T: Element> {
    handles: Vec<Optimizer<T>>,
    /// For each handle, its share of each block.
    parts: Vec<Vec<core::ops::Range<usize>>>,
    /// Starts of the blocks.
    starts: Vec<usize>,
}

impl<T: Element> Processes<T> {
    /// Cuts each block of `dims` at random into a share for each process; shares may be empty. Cuts are between groups
    /// of the format.
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

    /// Feeds all shares and adds up the partials, with the same totals for all.
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

/// Each process sets the part of the parameter groups in its share. If their factors raise the learning rate, all
/// processes refuse a step that is too long for one of them.
#[test]
fn groups_are_split_as_the_shares_are() {
    let mut random = Random(15);
    let groups = [
        Group::new(20..3000).with_lr_scale(0.5).with_weight_decay_scale(2.0),
        Group::new(3000..4200).frozen(),
        Group::new(9000..9041).with_lr_scale(3.0),
    ];
    for config in every_kind_and_format::<f32>() {
        let dims = [9000, 41];
        let mut whole = Model::<f32>::new(&config, &dims);
        whole.optimizer.set_groups(&groups).unwrap();
        let (start, dim) = (whole.params.clone(), whole.params.len());
        let mut params = start.clone();
        let mut processes = Processes::<f32>::new(&config, &dims, 3, &mut random);
        for (handle, parts) in processes.handles.iter_mut().zip(&processes.parts) {
            let mut own = Vec::new();
            let mut offset = 0;
            for part in parts {
                for group in &groups {
                    let (first, end) = (group.offset.max(part.start), (group.offset + group.len).min(part.end));
                    if first < end {
                        let place = first - part.start + offset..end - part.start + offset;
                        let same = Group::new(place).with_lr_scale(group.lr_scale);
                        own.push(same.with_weight_decay_scale(group.weight_decay_scale));
                    }
                }
                offset += part.len();
            }
            handle.set_groups(&own).unwrap();
        }
        for number in 0..9 {
            whole.step(number);
            processes.step(&mut params, &gradient::<f32>(dim, number));
        }
        assert_close(&start, &whole.params, &params, &format!("{config:?}"));
        assert!(params[3000..4200] == start[3000..4200]);
    }
    // Only one process has parameters with the large learning rate.
    let config = Config::default().with_lr(1e38).with_threads(1);
    let mut processes = Processes::<f32>::new(&config, &[8, 0], 2, &mut random);
    let has_some = processes.handles.iter().position(|handle| handle.dim() > 0).unwrap();
    processes.handles[has_some].set_groups(&[Group::new(0..1).with_lr_scale(1e3)]).unwrap();
    processes.feed_and_sum(&gradient::<f32>(8, 1));
    for handle in &mut processes.handles {
        assert!(matches!(handle.solve(), Err(Error::NonFinite { .. })));
    }
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

    /// Loads the states of other shares of the same model.
    fn load(&mut self, states: &[Vec<u8>]) {
        let states: Vec<&[u8]> = states.iter().map(Vec::as_slice).collect();
        for (handle, parts) in self.handles.iter_mut().zip(&self.parts) {
            let firsts: Vec<usize> = parts.iter().zip(&self.starts).map(|(part, start)| part.start - start).collect();
            handle.state_load_shares(&firsts, &states).unwrap();
        }
    }
}

/// States saved by some processes, loaded by others and saved again return unchanged. The others also train.
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
            // The window is not full at first, and later the ring has wrapped around.
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

/// Takes a step over handles with one parameter each. All have to refuse it, and nothing may change. Returns the
/// message.
fn all_refuse(handles: &mut [Optimizer<f64>], what: &str) -> Vec<String> {
    let state = |handle: &Optimizer<f64>| {
        let mut state = vec![0; handle.state_size()];
        handle.state_save(&mut state).unwrap();
        state
    };
    let before: Vec<_> = handles.iter().map(state).collect();
    sum_over(handles);
    let refuse = |handle: &mut Optimizer<f64>| {
        let error = handle.solve().expect_err(what);
        assert!(matches!(error, Error::InvalidArgument { .. }), "{what}: {error}");
        handle.cancel().unwrap();
        error.to_string()
    };
    let words = handles.iter_mut().map(refuse).collect();
    assert!(handles.iter().map(state).eq(before), "{what}: something changed");
    words
}

fn all_accept(handles: &mut [Optimizer<f64>], what: &str) {
    sum_over(handles);
    for handle in handles {
        handle.solve().unwrap_or_else(|error| panic!("{what}: {error}"));
        handle.apply(0, &mut [0.0], &[1.0]).unwrap();
        handle.end().unwrap();
    }
}

fn sum_over(handles: &mut [Optimizer<f64>]) {
    let mut totals: Vec<f64> = Vec::new();
    for handle in handles.iter_mut() {
        handle.begin().unwrap();
        handle.feed(0, &[1.0]).unwrap();
        let partials = handle.partials().unwrap();
        totals.resize(partials.len(), 0.0);
        totals.iter_mut().zip(partials.iter()).for_each(|(total, part)| *total += part);
    }
    handles.iter_mut().for_each(|handle| handle.partials().unwrap().copy_from_slice(&totals));
}

/// One process differs from all others in any option, for several numbers of processes.
#[test]
fn processes_with_other_options_are_refused() {
    let usual = Config::default().with_threads(1);
    let others = [
        usual.with_density(0.02),
        usual.with_lr(0.01_f64.next_up()),
        usual.with_eps(0.0),
        usual.with_eps_relative(1e-300),
        usual.with_power(1.0),
        usual.with_eps_on_root(true),
        usual.with_rank_tol(0.0),
        usual.with_centered(true),
        usual.with_history_decay(0.9),
        usual.with_orthogonal_scale(0.5),
        usual.with_momentum_kind(Momentum::Update),
        usual.with_momentum(0.8),
        usual.with_bias_correction(false),
        usual.with_clip_kind(Clip::Norm),
        usual.with_clip_norm(2.0),
        usual.with_clip_factor(2.0),
        usual.with_clip_beta(0.9),
        usual.with_weight_decay(f64::from_bits(1)),
        usual.with_diagonal_beta(0.9),
        usual.with_diagonal_eps(1e-8),
    ];
    for other in others {
        let what = format!("{other:?}");
        for count in [2, 3, 1000] {
            for (most, odd, place) in [(usual, other, 0), (other, usual, count - 1), (usual, other, count / 2)] {
                let config = |index| if index == place { odd } else { most };
                let mut handles: Vec<_> =
                    (0..count).map(|index| Optimizer::new(&config(index), &[1]).unwrap()).collect();
                for words in all_refuse(&mut handles, &what) {
                    assert!(words.contains("options") && words.contains("learning rate"), "{words}");
                }
                handles.remove(place);
                all_accept(&mut handles, &what);
            }
        }
    }
}

#[test]
fn processes_with_other_learning_rates_are_refused() {
    let config = Config::default().with_threads(1);
    let mut handles: Vec<Optimizer<f64>> = (0..4).map(|_| Optimizer::new(&config, &[1]).unwrap()).collect();
    all_accept(&mut handles, "as made");
    handles[2].set_lr(0.2).unwrap();
    all_refuse(&mut handles, "one has another");
    handles.iter_mut().for_each(|handle| handle.set_lr(0.2).unwrap());
    all_accept(&mut handles, "all have another");
    // Two and two: the sums may be those of another pair.
    handles[..2].iter_mut().for_each(|handle| handle.set_lr(0.1).unwrap());
    all_refuse(&mut handles, "two and two");
    handles[..2].iter_mut().for_each(|handle| handle.set_lr(0.2).unwrap());
    all_accept(&mut handles, "the same again");
}

#[test]
fn processes_may_differ_in_threads_and_in_the_sign_of_zero() {
    let config = Config::default().with_threads(1).with_eps_relative(0.0).with_lr(0.0);
    let others = [config, config.with_threads(3), config.with_eps_relative(-0.0), config.with_lr(-0.0)];
    let mut handles: Vec<Optimizer<f64>> = others.iter().map(|config| Optimizer::new(config, &[1]).unwrap()).collect();
    all_accept(&mut handles, "the same options");
    handles[0].set_lr(-0.0).unwrap();
    all_accept(&mut handles, "the same learning rate");
}

/// Steps 1, 2 and 3: the sum of the step numbers is three times the second.
#[test]
fn a_process_with_the_average_of_step_numbers_refuses_too() {
    let config = Config::default().with_threads(1);
    let mut handles: Vec<Optimizer<f64>> = (0..3).map(|_| Optimizer::new(&config, &[1]).unwrap()).collect();
    for (index, handle) in handles.iter_mut().enumerate() {
        (0..index).for_each(|_| handle.step(&mut [0.0], &[1.0]).unwrap());
    }
    for words in all_refuse(&mut handles, "1, 2 and 3") {
        assert!(words.contains("step"), "{words}");
    }
}

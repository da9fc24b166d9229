//! A sequence of calls on a handle. A model knows the result of each call. The oracle of the truth tests knows the
//! parameters. A twin gets no wrong calls, steps in one array instead of tensors, and may use two threads; it has to
//! stay equal bit for bit.
//!
//! Functions other than steps (groups, changing options, averages, preconditioning) are drawn too, and pieces of a step
//! with a gradient in bfloat16 or applied as a direction.

mod around;
mod gradients;
mod pieces;
mod rule;
mod stepping;
mod wrong;

use lmada::Config;
use lmada::capi::*;

use crate::form::{loaded, without_threads};
use crate::handle::{Handle, Real, Status};
use crate::input::Input;
use crate::options;
use crate::oracle::number::bits;
use around::{Average, decay_in_range};
use rule::Rule;
use stepping::Open;

/// Largest number of calls of an input.
const CALLS: usize = 40;
/// Number of states kept for later loads.
const STATES: usize = 3;

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    // The highest values of the first byte select what was added later, so that older inputs keep their meaning.
    let first = input.byte();
    let averages = (216..246).contains(&first);
    let average_beta = if averages { [0.5, 0.9, 0.999][usize::from(first / 3 % 3)] } else { 0.0 };
    let mixed = first >= 231;
    match first % 3 {
        0 | 1 => World::<f32>::new(&mut input, average_beta, mixed).run(&mut input),
        _ => World::<f64>::new(&mut input, average_beta, mixed).run(&mut input),
    }
}

/// A handle and its parameters.
struct Subject<T> {
    handle: Handle<T>,
    params: Vec<T>,
}

/// The known facts about a handle's state.
#[derive(Clone)]
struct Known {
    steps: u64,
    lr: f64,
    /// The oracle; `None` if it could not follow.
    rule: Option<Rule>,
    /// Whether the caller replaced the partials by sums that no processes can have.
    spoilt: bool,
    groups: Vec<lmada_group_t>,
    average: Average,
}

struct World<T> {
    config: Config,
    dims: Vec<usize>,
    dim: usize,
    subject: Subject<T>,
    twin: Subject<T>,
    known: Known,
    /// Statistics of the last step, or of the step under way.
    gradient: Vec<T>,
    open: Option<Open<T>>,
    /// Whether pieces of all kinds are drawn.
    mixed: bool,
    /// Saved states, with the options that the handle had.
    saved: Vec<(Vec<u8>, Known, Config)>,
    /// Numbers of refused steps, of the subject and the twin; 0 for a new handle.
    refused: [u64; 2],
    /// Index of the first non-finite element in the last refused gradient; `None` if it is not known.
    bad: Option<u64>,
}

impl<T: Real> World<T> {
    fn new(input: &mut Input<'_>, average_beta: f64, mixed: bool) -> Self {
        let config = options::good(input, T::DTYPE).with_average_beta(average_beta);
        let dims = options::dims(input);
        let dim = dims.iter().sum();
        let params: Vec<T> = (0..dim).map(|index| T::of((index % 5) as f64 - 1.5)).collect();
        let subject = |threads| {
            let config = options::to_c(&config.with_threads(threads));
            Subject { handle: Handle::new(&config, &dims), params: params.clone() }
        };
        let known = Known {
            steps: 0,
            lr: config.lr,
            rule: first_rule::<T>(&config, &dims),
            spoilt: false,
            groups: Vec::new(),
            average: Average::default(),
        };
        Self {
            subject: subject(1),
            twin: subject(2),
            known,
            gradient: vec![T::of(1.0); dim],
            open: None,
            mixed,
            saved: Vec::new(),
            refused: [0, 0],
            bad: Some(u64::MAX),
            config,
            dims,
            dim,
        }
    }

    fn run(mut self, input: &mut Input<'_>) {
        for _ in 0..CALLS {
            if input.is_empty() {
                break;
            }
            let call = input.byte();
            if call >= 240 {
                self.around(call - 240, input);
                continue;
            }
            match call % 24 {
                0..4 => self.step(input),
                4..6 => self.step_tensors(input),
                6 => self.direction(input),
                7..9 => self.begin(input),
                9 => self.feed(input),
                10 => self.feed_rest(input),
                11 => self.partials(input),
                12..14 => self.solve(),
                14 => self.apply(input),
                15 => self.apply_rest(input),
                16 => self.end(),
                17 => self.cancel(),
                18 => self.reset(input),
                19 => self.set_lr(input),
                20 => self.save(input),
                21 => self.load(input),
                22 => self.stats(),
                _ => self.wrong_call(input),
            }
        }
        self.finish();
    }

    /// Checks that both have the same state and can step.
    fn finish(mut self) {
        self.close();
        let state = self.subject.handle.save().expect("no step is open");
        self.check_twin(state);
        self.gradient.fill(T::of(0.25));
        self.take_step(0..0, |subject, gradient| subject.handle.step(&mut subject.params, gradient));
        self.stats();
    }

    /// Ends the open step, if there is one, by a call that is possible.
    fn close(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.is_applying()) {
            self.apply_missing(usize::MAX);
            self.end();
        }
        if self.open.is_some() {
            self.cancel();
        }
        assert!(self.open.is_none());
    }

    /// Makes the same call on both, and compares the results.
    fn both(&mut self, mut call: impl FnMut(&mut Subject<T>) -> Status) -> Status {
        let status = call(&mut self.subject);
        assert_eq!(status, call(&mut self.twin), "the twin answers otherwise");
        status
    }

    fn reset(&mut self, input: &mut Input<'_>) {
        if !input.rarely(3) {
            return;
        }
        assert_eq!(self.both(|subject| subject.handle.call(lmada_reset)), LMADA_OK);
        let rule = first_rule::<T>(&self.config, &self.dims);
        let groups = core::mem::take(&mut self.known.groups);
        self.known = Known { steps: 0, lr: self.known.lr, rule, spoilt: false, groups, average: Average::default() };
        (self.refused, self.bad) = ([0, 0], Some(u64::MAX));
        self.open = None;
    }

    fn set_lr(&mut self, input: &mut Input<'_>) {
        let lr = input.pick(&[1.0, 0.1, 0.0, -0.0, 1e30, f64::MAX, -1.0, -1e-300, f64::INFINITY, f64::NAN]);
        let mut errors = self.unless_idle();
        if !(lr.is_finite() && lr >= 0.0 && decay_in_range(&self.known.groups, lr, self.config.weight_decay)) {
            errors.push(LMADA_ERROR_INVALID_ARGUMENT);
        }
        let status = self.subject.handle.set_lr(lr);
        if expect(status, &errors) {
            assert_eq!(self.twin.handle.set_lr(lr), LMADA_OK);
            self.known.lr = lr;
        }
    }

    fn save(&mut self, input: &mut Input<'_>) {
        match self.subject.handle.save() {
            Err(status) => assert!(!expect(status, &self.unless_idle())),
            Ok(state) => {
                assert!(expect(LMADA_OK, &self.unless_idle()));
                self.check_twin(state.clone());
                let place = input.below(STATES);
                self.saved.truncate(STATES);
                let entry = (state, self.known.clone(), self.config);
                if place < self.saved.len() { self.saved[place] = entry } else { self.saved.push(entry) }
            }
        }
    }

    /// Checks that the twin has the same state. It may use another number of threads.
    fn check_twin(&self, state: Vec<u8>) {
        let other = self.twin.handle.save().expect("no step is open");
        assert!(without_threads(state) == without_threads(other), "the states differ");
    }

    /// Loads a state that was saved before, into this handle or a new one, or creates a handle from it.
    fn load(&mut self, input: &mut Input<'_>) {
        if self.saved.is_empty() {
            return;
        }
        let (state, known, config) = &self.saved[input.below(self.saved.len())];
        let alike = |config: &Config| config.with_lr(0.0).with_threads(1);
        let same = alike(config) == alike(&self.config);
        if input.rarely(4) && self.open.is_none() && !known.spoilt && same {
            (self.refused[0], self.bad) = (0, None);
            self.subject.handle = if input.rarely(2) {
                Handle::of_state(state).expect("a good state").0
            } else {
                Handle::new(&options::to_c(&self.config), &self.dims)
            };
        }
        let status = self.subject.handle.load(state);
        // Replaced sums may have left numbers that no state can hold.
        if known.spoilt && status == LMADA_ERROR_BAD_STATE {
            return;
        }
        let mut errors = self.unless_idle();
        let decays = decay_in_range(&known.groups, known.lr, self.config.weight_decay);
        if config.clip_kind != self.config.clip_kind || !decays {
            errors.push(LMADA_ERROR_INVALID_ARGUMENT);
        }
        if expect(status, &errors) {
            assert_eq!(self.twin.handle.load(state), LMADA_OK);
            let again = self.subject.handle.save().expect("no step is open");
            let is_same = if same {
                without_threads(again) == without_threads(state.clone())
            } else {
                loaded(&again) == loaded(state)
            };
            assert!(is_same, "a state that was loaded is not that which is saved");
            self.known = known.clone();
            if !same {
                self.known.rule = None;
                self.known.average.forget();
            }
        }
    }

    fn stats(&mut self) {
        let (stats, other) = (self.subject.handle.stats(), self.twin.handle.stats());
        // The memory held depends on the calls made.
        let numbers = |stats: &lmada_stats_t| {
            let lmada_stats_t { steps, history_len, rank, lr, .. } = *stats;
            let reals = [stats.grad_norm, stats.update_norm, stats.scale, stats.eig_max, stats.eig_min];
            (steps, history_len, rank, lr.to_bits(), reals.map(f64::to_bits))
        };
        assert_eq!(numbers(&stats), numbers(&other), "the twin's stats are others");
        assert_eq!(stats.lr.to_bits(), self.known.lr.to_bits());
        assert_eq!([stats.refused, other.refused], self.refused, "steps refused");
        if let Some(bad) = self.bad {
            assert_eq!([stats.non_finite_index, other.non_finite_index], [bad, bad], "the first bad element");
        }
        let under_way = self.open.as_ref().is_some_and(|open| open.is_solved());
        let steps = self.known.steps + u64::from(under_way);
        let held = steps.min(self.config.history_size.into());
        assert_eq!((stats.steps, u64::from(stats.history_len)), (steps, held));
        assert!(u64::from(stats.rank) <= held * self.dims.len() as u64);
        if !self.known.spoilt && self.open.is_none() {
            let reals = [stats.grad_norm, stats.update_norm, stats.scale, stats.eig_max, stats.eig_min];
            assert!(reals.iter().all(|&x| x.is_finite() && x >= 0.0), "{stats:?}");
        }
    }

    /// Returns the expected status of a call that is not allowed in an open step.
    fn unless_idle(&self) -> Vec<Status> {
        if self.open.is_some() { vec![LMADA_ERROR_WRONG_PHASE] } else { vec![] }
    }

    /// Checks that the twin is equal. Parameters near overflow are reset.
    fn compare_params(&mut self, in_range: bool) {
        assert!(bits(&self.subject.params) == bits(&self.twin.params), "the parameters differ");
        let small = |w: &T| w.widen().abs() < 1e30;
        if !in_range || !self.subject.params.iter().all(small) {
            self.subject.params.fill(T::of(1.0));
            self.twin.params.fill(T::of(1.0));
        }
    }
}

/// Returns the rule from the start on, if the oracle is fast enough.
fn first_rule<T: Real>(config: &Config, dims: &[usize]) -> Option<Rule> {
    // The oracle has no diagonal preconditioning: tests/truth/diagonal.rs has its own.
    let follows = dims.iter().sum::<usize>() <= 600 && config.diagonal_beta == 0.0;
    follows.then(|| Rule::new::<T>(config, dims))
}

/// Panics unless the status is one of `expected`, or OK if there are none. Returns whether the status is OK.
fn expect(status: Status, errors: &[Status]) -> bool {
    if errors.is_empty() {
        assert_eq!(status, LMADA_OK, "{}", crate::handle::last_error());
    } else {
        assert!(errors.contains(&status), "{status}, but one of {errors:?}: {}", crate::handle::last_error());
    }
    status == LMADA_OK
}

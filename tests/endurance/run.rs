//! One optimizer, many steps, and other calls in between.

use crate::examine::Examiner;
use crate::gradients::Gradients;
use crate::memory::{Usage, Watch};
use crate::oracle::streams::Random;
use crate::progress::Progress;
use lmada::{Config, Element, Error, Optimizer};

pub struct Plan {
    pub name: &'static str,
    pub config: Config,
    pub dims: &'static [usize],
    /// Whether steps go in phases, piece by piece.
    pub pieces: bool,
    pub steps: u64,
    /// Six of this many steps are other calls.
    pub pace: usize,
    /// Number of steps between two checks of the whole state.
    pub examined_every: u64,
}

/// How often each call happened.
#[derive(Default)]
pub struct Counts {
    pub refused: u64,
    pub directions: u64,
    pub loads: u64,
    pub resets: u64,
    pub cancelled: u64,
}

pub struct Report {
    pub counts: Counts,
    pub examined: u64,
    pub worst: f64,
    pub growth: Usage,
}

struct Subject<'p, T: Element> {
    plan: &'p Plan,
    optimizer: Optimizer<T>,
    params: Vec<T>,
    grads: Vec<T>,
    direction: Vec<T>,
    random: Random,
    /// Number of steps since the last reset or since the loaded state's start.
    steps: u64,
    state_bytes: u64,
    /// States: one kept for later, and those before and after a call that must change nothing.
    kept: Vec<u8>,
    kept_steps: Option<u64>,
    before: Vec<u8>,
    after: Vec<u8>,
    examiner: Examiner,
    counts: Counts,
}

/// Panics if a check fails.
pub fn run<T: Element>(plan: &Plan, progress: &mut Progress) -> Report {
    let mut subject = Subject::<T>::new(plan);
    let mut gradients = Gradients::new(subject.grads.len(), 1);
    // By then the window is full, and everything has been done once.
    let begin = (plan.steps / 5).max(3 * u64::from(plan.config.history_size));
    let mut watch = Watch::new(begin, plan.steps - 1);
    for step in 0..plan.steps {
        gradients.draw(&mut subject.grads);
        match subject.random.below(plan.pace) {
            0 => subject.refuse(),
            1 => subject.direct(),
            2 => subject.keep(),
            3 => subject.load(),
            4 => subject.cancel(),
            5 if subject.random.below(10) == 0 => subject.reset(),
            _ => subject.step(),
        }
        if step % plan.examined_every == plan.examined_every - 1 {
            subject.examine();
        }
        if step == begin {
            subject.examine();
        }
        watch.look_after(step);
        progress.tell(plan.name, step, plan.steps);
    }
    subject.examine();
    let growth = watch.growth().unwrap_or_else(|flaw| panic!("{}: {flaw}", plan.name));
    let Subject { examiner, counts, .. } = subject;
    Report { counts, examined: examiner.count, worst: examiner.worst, growth }
}

impl<'p, T: Element> Subject<'p, T> {
    fn new(plan: &'p Plan) -> Self {
        let mut optimizer = Optimizer::<T>::new(&plan.config, plan.dims).expect("a valid plan");
        let dim = optimizer.dim();
        let state = vec![1; optimizer.state_size()]; // zeros would take memory when first written
        let numbers = || vec![T::from_f64(1.0); dim];
        Self {
            params: numbers(),
            grads: numbers(),
            direction: numbers(),
            random: Random(2),
            steps: 0,
            state_bytes: optimizer.stats().expect("a spectrum").state_bytes,
            kept: state.clone(),
            kept_steps: None,
            before: state.clone(),
            after: state,
            examiner: Examiner::new(optimizer.state_size(), &plan.config, plan.dims),
            counts: Counts::default(),
            plan,
            optimizer,
        }
    }

    fn step(&mut self) {
        if self.plan.pieces {
            self.feed();
            self.optimizer.solve().expect("a good step");
            let (dim, cut) = (self.params.len(), self.cut());
            for piece in [cut..dim, 0..cut] {
                let (params, grads) = (&mut self.params[piece.clone()], &self.grads[piece.clone()]);
                self.optimizer.apply(piece.start, params, grads).expect("a solved step");
            }
            self.optimizer.end().expect("all is applied");
        } else {
            self.optimizer.step(&mut self.params, &self.grads).expect("a good step");
        }
        self.steps += 1;
    }

    /// Opens a step and feeds the gradient, in three pieces.
    fn feed(&mut self) {
        let (a, b) = (self.cut(), self.cut());
        let [a, b] = [a.min(b), a.max(b)];
        self.optimizer.begin().expect("no step is open");
        for piece in [a..b, 0..a, b..self.grads.len()] {
            self.optimizer.feed(piece.start, &self.grads[piece]).expect("a piece");
        }
    }

    fn cut(&mut self) -> usize {
        self.random.below(self.params.len() + 1)
    }

    /// A gradient with a NaN or an infinity somewhere.
    fn refuse(&mut self) {
        let place = self.random.below(self.grads.len());
        self.grads[place] = T::from_f64([f64::NAN, f64::INFINITY, f64::NEG_INFINITY][self.random.below(3)]);
        self.unchanged(|subject| {
            let result = if subject.plan.pieces {
                subject.feed();
                let result = subject.optimizer.solve();
                subject.optimizer.cancel().expect("a step is open");
                result
            } else {
                subject.optimizer.step(&mut subject.params, &subject.grads)
            };
            assert!(matches!(result, Err(Error::NonFinite { .. })), "{result:?}");
        });
        self.counts.refused += 1;
    }

    fn direct(&mut self) {
        self.optimizer.direction(&mut self.direction, &self.grads).expect("a good step");
        assert!(self.direction.iter().all(|x| x.to_f64().is_finite()), "a direction is not finite");
        self.steps += 1;
        self.counts.directions += 1;
    }

    fn keep(&mut self) {
        self.optimizer.state_save(&mut self.kept).expect("no step is open");
        self.kept_steps = Some(self.steps);
    }

    fn load(&mut self) {
        let Some(steps) = self.kept_steps else { return self.step() };
        self.optimizer.state_load(&self.kept).expect("a state of its own");
        self.optimizer.state_save(&mut self.after).expect("no step is open");
        assert!(self.kept == self.after, "a state that was loaded is saved otherwise");
        self.steps = steps;
        self.counts.loads += 1;
    }

    fn cancel(&mut self) {
        self.unchanged(|subject| {
            subject.feed();
            if subject.random.below(2) == 0 {
                subject.optimizer.solve().expect("a good step");
            }
            subject.optimizer.cancel().expect("a step is open");
        });
        self.counts.cancelled += 1;
    }

    fn reset(&mut self) {
        self.optimizer.reset();
        self.steps = 0;
        self.counts.resets += 1;
    }

    /// Makes a call that must not change the state.
    fn unchanged(&mut self, act: impl FnOnce(&mut Self)) {
        self.optimizer.state_save(&mut self.before).expect("no step is open");
        act(self);
        self.optimizer.state_save(&mut self.after).expect("no step is open");
        assert!(self.before == self.after, "the state has changed");
    }

    fn examine(&mut self) {
        let stats = self.optimizer.stats().expect("a spectrum");
        assert_eq!(stats.steps, self.steps);
        assert_eq!(stats.state_bytes, self.state_bytes, "the handle holds another amount of memory");
        let numbers = [stats.grad_norm, stats.update_norm, stats.scale, stats.eig_max, stats.eig_min];
        assert!(numbers.iter().all(|x| x.is_finite()), "{stats:?}");
        assert!(self.params.iter().all(|w| w.to_f64().is_finite()), "a parameter is not finite");
        let examined = self.examiner.examine(&self.optimizer, self.plan.dims);
        examined.unwrap_or_else(|flaw| panic!("{}, after {} steps: {flaw}", self.plan.name, self.steps));
    }
}

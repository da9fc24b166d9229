//! Diagonal preconditioning has no units: a loss times a constant gives the same steps, and lr means what it means in
//! Adam.

use crate::common;
use crate::oracle;

use common::{COMPRESSED, gradient};
use lmada::{Clip, Config, HistoryFormat, Momentum, Optimizer};
use oracle::compare::distance;
use oracle::number::{Number, narrow, widen};
use oracle::streams::Random;
use oracle::svd::norm;

const MOMENTA: [Momentum; 4] = [Momentum::None, Momentum::Gradient, Momentum::Update, Momentum::Window];
const CLIPS: [Clip; 4] = [Clip::None, Clip::Norm, Clip::EmaNorm, Clip::GraftEmaNorm];

/// The recommended setting with every kind of momentum and clip whose bounds are relative.
fn kinds() -> impl Iterator<Item = Config> {
    let pairs = MOMENTA.into_iter().flat_map(|momentum| CLIPS.map(|clip| (momentum, clip)));
    pairs.map(|(momentum_kind, clip_kind)| {
        Config::recommended()
            .with_history_size(5)
            .with_momentum_kind(momentum_kind)
            .with_clip_kind(clip_kind)
            .with_clip_norm(0.5)
            .with_clip_factor(0.8)
            .with_density(0.1)
            .with_threads(1)
    })
}

/// The ways to take a step.
#[derive(Clone, Copy, Debug)]
enum Way {
    Whole,
    Pieces,
    /// Two handles with a share each, whose partials are added up.
    Shares,
}

const BLOCKS: [usize; 3] = [600, 0, 31];
const DIM: usize = 631;

/// Returns parameters, from 0, after some steps with gradients times `factor`.
fn trajectory<T: Number>(config: &Config, way: Way, factor: f64) -> Vec<f64> {
    let mut params = vec![T::default(); DIM];
    let shares: &[[usize; 3]] = if matches!(way, Way::Shares) { &[[250, 0, 0], [350, 0, 31]] } else { &[BLOCKS] };
    let mut handles: Vec<_> = shares.iter().map(|dims| Optimizer::<T>::new(config, dims).unwrap()).collect();
    for number in 0..12 {
        let grads: Vec<f64> = gradient::<f64>(DIM, number).iter().map(|g| factor * g).collect();
        let grads: Vec<T> = narrow(&grads);
        match way {
            Way::Whole => handles[0].step(&mut params, &grads).unwrap(),
            Way::Pieces => {
                let handle = &mut handles[0];
                handle.begin().unwrap();
                for piece in [400..620, 0..400, 620..DIM] {
                    handle.feed(piece.start, &grads[piece]).unwrap();
                }
                handle.solve().unwrap();
                handle.apply(0, &mut params, &grads).unwrap();
                handle.end().unwrap();
            }
            Way::Shares => {
                let parts = [0..250, 250..DIM];
                let mut totals = Vec::new();
                for (handle, part) in handles.iter_mut().zip(parts.clone()) {
                    handle.begin().unwrap();
                    handle.feed(0, &grads[part]).unwrap();
                    let partials = handle.partials().unwrap();
                    totals.resize(partials.len(), 0.0);
                    totals.iter_mut().zip(partials.iter()).for_each(|(total, sum)| *total += sum);
                }
                for (handle, part) in handles.iter_mut().zip(parts) {
                    handle.partials().unwrap().copy_from_slice(&totals);
                    handle.solve().unwrap();
                    handle.apply(0, &mut params[part.clone()], &grads[part]).unwrap();
                    handle.end().unwrap();
                }
            }
        }
    }
    widen(&params)
}

fn same_steps<T: Number>(config: &Config, factors: &[f64], allowed: f64) {
    for way in [Way::Whole, Way::Pieces, Way::Shares] {
        let unscaled = trajectory::<T>(config, way, 1.0);
        for factor in factors {
            let scaled = trajectory::<T>(config, way, *factor);
            let off = distance(&scaled, &unscaled) / norm(&unscaled);
            assert!(off <= allowed, "times {factor:e} it is off by {off:e}: {way:?}, {config:?}");
        }
    }
}

/// Powers of four change no rounding, since their roots are powers of two. Only `diagonal_eps` makes a difference: at
/// the smallest factor 1e-14 of an average of squares, and 1e-8 for entries a thousandth of the usual size.
const POWERS_OF_FOUR: [f64; 4] = [1.0 / 67_108_864.0, 1.0 / 16_384.0, 16_384.0, 67_108_864.0];
const DECADES: [f64; 4] = [1e-8, 1e-4, 1e4, 1e8];

#[test]
fn gradients_times_a_number_make_the_same_steps() {
    for config in kinds() {
        same_steps::<f32>(&config, &POWERS_OF_FOUR, 2e-7);
        same_steps::<f32>(&config, &DECADES, 2e-6);
        same_steps::<f64>(&config, &POWERS_OF_FOUR, 1e-9);
        same_steps::<f64>(&config, &DECADES, 1e-9);
    }
}

#[test]
fn gradients_times_a_number_make_the_same_steps_in_every_format() {
    for config in kinds() {
        for history_format in COMPRESSED {
            same_steps::<f32>(&config.with_history_format(history_format), &POWERS_OF_FOUR, 2e-6);
        }
    }
}

/// Logistic regression on synthetic data, in minibatches: rows of features, the last one 1, times the sign of their
/// class.
struct Task {
    rows: Vec<Vec<f64>>,
}

impl Task {
    fn new(count: usize, features: usize) -> Self {
        let mut random = Random(5);
        let truth = random.vector(features, 3.0);
        let rows = (0..count).map(|_| {
            let x: Vec<f64> = (0..features).map(|_| random.normal()).collect();
            let score = x.iter().zip(&truth).map(|(x, t)| x * t).sum::<f64>() + 0.3 * random.normal();
            let scale = |i: usize| 2f64.powi(i as i32 % 5 - 2);
            x.iter().enumerate().map(|(i, x)| score.signum() * x * scale(i)).collect()
        });
        Self { rows: rows.collect() }
    }

    /// Computes the mean loss over some rows, and its gradient.
    fn loss(&self, w: &[f64], rows: impl ExactSizeIterator<Item = usize>) -> (f64, Vec<f64>) {
        let share = 1.0 / rows.len() as f64;
        let (mut loss, mut gradient) = (0.0, vec![0.0; w.len()]);
        for row in rows {
            let row = &self.rows[row];
            let margin = row.iter().zip(w).map(|(x, w)| x * w).sum::<f64>();
            loss += share * (-margin).exp().ln_1p();
            let pull = share / (1.0 + margin.exp());
            gradient.iter_mut().zip(row).for_each(|(g, x)| *g -= pull * x);
        }
        (loss, gradient)
    }

    /// Returns the loss after training with the loss times `factor`.
    fn train<T: Number>(&self, config: &Config, factor: f64) -> f64 {
        let dim = self.rows[0].len();
        let mut optimizer = Optimizer::<T>::new(config, &[dim]).unwrap();
        let mut random = Random(6);
        let mut params = vec![T::default(); dim];
        for _ in 0..400 {
            let batch: Vec<usize> = (0..16).map(|_| random.below(self.rows.len())).collect();
            let (_, g) = self.loss(&widen(&params), batch.into_iter());
            let g: Vec<f64> = g.iter().map(|g| factor * g).collect();
            optimizer.step(&mut params, &narrow(&g)).unwrap();
        }
        self.loss(&widen(&params), 0..self.rows.len()).0
    }
}

/// With steps as long as the root of the loss's unit, one of these runs diverged and the other did not move.
#[test]
fn a_loss_times_a_number_trains_alike() {
    let task = Task::new(500, 40);
    let start = task.loss(&[0.0; 40], 0..500).0;
    let config = Config::recommended().with_threads(1);
    let unscaled = task.train::<f32>(&config, 1.0);
    assert!(unscaled < 0.3 * start, "{unscaled:e} of {start:e}");
    for factor in [1e-8, 1e-4, 1e4, 1e8] {
        let (single, double) = (task.train::<f32>(&config, factor), task.train::<f64>(&config, factor));
        for scaled in [single, double] {
            assert!((scaled / unscaled - 1.0).abs() <= 1e-3, "times {factor:e}: {scaled:e} in place of {unscaled:e}");
        }
    }
}

/// Returns Adam's direction (Kingma and Ba 2015) for a constant gradient.
struct Adam {
    beta1: f64,
    beta2: f64,
    m: Vec<f64>,
    v: Vec<f64>,
    steps: i32,
}

impl Adam {
    fn direction(&mut self, g: &[f64]) -> Vec<f64> {
        self.steps += 1;
        let Self { beta1, beta2, steps, .. } = *self;
        self.m.iter_mut().zip(g).for_each(|(m, g)| *m = beta1 * *m + (1.0 - beta1) * g);
        self.v.iter_mut().zip(g).for_each(|(v, g)| *v = beta2 * *v + (1.0 - beta2) * g * g);
        let corrected = self.m.iter().zip(&self.v);
        let corrected = corrected.map(|(m, v)| (m / (1.0 - beta1.powi(steps)), v / (1.0 - beta2.powi(steps))));
        // Without an ε, 0 stays 0.
        corrected.map(|(m, v)| if v == 0.0 { 0.0 } else { m / v.sqrt() }).collect()
    }
}

fn is_adams<T: Number>(momentum_kind: Momentum) {
    let config = Config::recommended()
        .with_history_size(1)
        .with_momentum_kind(momentum_kind)
        // Window momentum may not decay more slowly than the window.
        .with_momentum(0.8)
        .with_eps_relative(0.0)
        .with_threads(1);
    let mut random = Random(3);
    let scale = |i: usize| 10f64.powi(i as i32 % 17 - 8);
    let g: Vec<f64> = (0..300).map(|i| if i % 10 == 0 { 0.0 } else { random.normal() * scale(i) }).collect();
    let g: Vec<T> = narrow(&g);
    let wide = widen(&g);
    let mut adam = Adam { beta1: 0.8, beta2: 0.99, m: vec![0.0; 300], v: vec![0.0; 300], steps: 0 };
    let mut optimizer = Optimizer::<T>::new(&config, &[300]).unwrap();
    let mut direction = vec![T::default(); 300];
    for step in 0..30 {
        optimizer.direction(&mut direction, &g).unwrap();
        let off = |(u, adam): (&T, &f64)| (u.widen() - adam).abs();
        let worst = direction.iter().zip(&adam.direction(&wide)).map(off).fold(0.0, f64::max);
        assert!(worst <= T::PROMISE, "{momentum_kind:?}, step {step}: {worst:e}");
    }
}

#[test]
fn with_a_window_of_one_and_a_constant_gradient_it_is_adam() {
    for momentum_kind in MOMENTA {
        is_adams::<f32>(momentum_kind);
        is_adams::<f64>(momentum_kind);
    }
}

/// The RMS change of a parameter is about lr, as with Adam.
#[test]
fn lr_is_the_change_of_a_parameter() {
    let config = Config::recommended().with_threads(1).with_weight_decay(0.0);
    let mut optimizer = Optimizer::<f32>::new(&config, &[5000]).unwrap();
    for number in 0..60 {
        let mut params = vec![0.0; 5000];
        optimizer.step(&mut params, &gradient::<f32>(5000, number)).unwrap();
        let change = norm(&widen(&params)) / 5000f64.sqrt();
        // The average of independent updates is shorter than one of them.
        assert!((0.1 * config.lr..1.5 * config.lr).contains(&change), "step {number}: {change:e}");
    }
}

/// κ and u are 0 while all gradients are 0. The first other gradient steps as if the zeros had not been.
#[test]
fn without_gradients_there_is_no_step() {
    for config in kinds() {
        let mut optimizer = Optimizer::<f32>::new(&config, &BLOCKS).unwrap();
        let mut direction = vec![1.0f32; DIM];
        for _ in 0..7 {
            optimizer.direction(&mut direction, &[0.0; DIM]).unwrap();
            assert!(direction.iter().all(|u| *u == 0.0), "{config:?}");
            let stats = optimizer.stats().unwrap();
            assert_eq!((stats.update_norm, stats.scale), (0.0, 1.0), "{config:?}");
        }
        optimizer.direction(&mut direction, &gradient(DIM, 0)).unwrap();
        assert!(direction.iter().all(|u| u.is_finite()) && norm(&widen(&direction)) > 0.0, "{config:?}");
    }
}

/// Steps are finite, and at most a hundred times as long as Adam's, for all numbers of the type.
#[test]
fn magnitudes_at_the_ends_of_the_range() {
    fn run<T: Number>(magnitudes: &[f64]) {
        for (index, config) in kinds().enumerate() {
            for magnitude in magnitudes {
                let mut optimizer = Optimizer::<T>::new(&config, &BLOCKS).unwrap();
                let mut direction = vec![T::default(); DIM];
                for number in 0..9 {
                    // One sign and magnitude, many, and alternating with ordinary gradients.
                    let g: Vec<f64> = match index % 3 {
                        0 => vec![*magnitude; DIM],
                        1 => gradient::<f64>(DIM, number).iter().map(|g| g * magnitude / 1.5).collect(),
                        _ => gradient::<f64>(DIM, number)
                            .iter()
                            .map(|g| if number % 2 == 0 { g * magnitude / 1.5 } else { *g })
                            .collect(),
                    };
                    let result = optimizer.direction(&mut direction, &narrow::<T>(&g));
                    let what = format!("{magnitude:e}, step {number}, {config:?}");
                    result.unwrap_or_else(|error| panic!("{what}: {error}"));
                    let wide = widen(&direction);
                    assert!(wide.iter().all(|u| u.is_finite()), "{what}");
                    assert!(norm(&wide) <= 100.0 * (DIM as f64).sqrt(), "{what}: {:e}", norm(&wide));
                }
            }
        }
    }
    run::<f32>(&[1e-45, 1e-38, 1e-30, 1e30, 3e38, f32::MAX.into()]);
    run::<f64>(&[5e-324, 1e-300, 1e-30, 1e30, 1e150]);
}

/// The overflow check uses the largest possible scale, 3e7 here.
#[test]
fn ordinary_steps_are_not_refused() {
    const DIM: usize = 1_000_000;
    for momentum_kind in MOMENTA {
        let config = Config::recommended().with_history_size(2).with_momentum_kind(momentum_kind).with_lr(10.0);
        for factor in [1e-8, 1.0, 1e8] {
            let mut optimizer = Optimizer::<f32>::new(&config, &[DIM]).unwrap();
            let mut params = vec![0.0f32; DIM];
            for number in 0..3 {
                let mut g = gradient::<f32>(DIM, number);
                g.iter_mut().enumerate().for_each(|(i, g)| *g *= if i % 3 == number { 0.0 } else { factor as f32 });
                optimizer.step(&mut params, &g).unwrap();
            }
            assert!(params.iter().all(|w| w.is_finite()));
        }
    }
}

/// Without κ the step has the length of its input, which is Adam's step.
#[test]
fn grafted_to_the_input_it_has_no_units_either() {
    for momentum_kind in MOMENTA {
        let config = kinds().next().unwrap().with_clip_kind(Clip::GraftInput).with_momentum_kind(momentum_kind);
        same_steps::<f32>(&config, &POWERS_OF_FOUR, 2e-7);
        assert_eq!(config.history_format, HistoryFormat::Full);
        same_steps::<f64>(&config, &DECADES, 1e-9);
    }
}

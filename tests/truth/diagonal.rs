//! Diagonal preconditioning, one step at a time, against an independent computation. The test reads the state before a
//! step from its saved form. It computes S and κ number by number in f64, and the update by a tall SVD of the stored
//! columns. Then it checks the state after the step. The columns are those that the library stored, and are first
//! compared with S·g: for nearly parallel columns, another rounding of S would give another update.
//!
//! Norms are taken before S and κ, where the library promises its precision.

use crate::oracle;

use lmada::{Clip, Config, Dtype, Error, HistoryFormat, Momentum, Optimizer};
use oracle::Oracle;
use oracle::compare::distance;
use oracle::diagonal::{Scales, scales};
use oracle::formats::{self, SCALED, SPARSE};
use oracle::number::{Number, narrow, round, widen};
use oracle::saved::{Bytes, Parts};
use oracle::streams::Stream;
use oracle::svd::norm;
use oracle::tolerance::{Doubt, Rounding};

/// A saved state of one block with diagonal preconditioning.
struct State {
    steps: u64,
    norms: (f64, u64),
    /// Columns by slot, as stored.
    columns: Vec<Vec<f64>>,
    /// Weights by slot.
    weights: Vec<f64>,
    feedback: Vec<f64>,
    momentum: Vec<f64>,
    root: Vec<f64>,
}

impl State {
    fn of<T: Number>(optimizer: &Optimizer<T>) -> Self {
        let (config, dim) = (optimizer.config(), optimizer.dim());
        let k = config.history_size as usize;
        let mut bytes = vec![0; optimizer.state_size()];
        optimizer.state_save(&mut bytes).unwrap();
        let Parts { steps, dims, weights, contents: mut bytes, .. } = Parts::of(&bytes);
        assert_eq!(dims, [(dim as u64).to_le_bytes()]);
        bytes.0 = &bytes.0[k * k * 8..];
        let norms = (bytes.f64(), bytes.u64());
        // Skips the bound on b, and three statistics.
        bytes.0 = &bytes.0[4 * 8..];
        let column = |bytes: &mut Bytes<'_>| {
            let mut column = Vec::new();
            bytes.column(&config, dim, |number, scale| column.push(number * scale));
            column
        };
        let columns = (0..k).map(|_| column(&mut bytes)).collect();
        let mut array = |kept: bool| -> Vec<f64> {
            let dtype = if size_of::<T>() == 4 { Dtype::F32 } else { Dtype::F64 };
            if kept { (0..dim).map(|_| bytes.element(dtype)).collect() } else { Vec::new() }
        };
        let feedback = array(config.history_format == HistoryFormat::Sparse);
        let momentum = array(matches!(config.momentum_kind, Momentum::Gradient | Momentum::Update));
        let root = array(true);
        assert!(bytes.0.is_empty());
        Self { steps, norms, columns, weights, feedback, momentum, root }
    }

    /// Returns the weighted columns, oldest first.
    fn window(&self) -> Vec<Vec<f64>> {
        let k = self.columns.len() as u64;
        let seen = |slot: usize| self.columns[slot].iter().map(|x| self.weights[slot] * x).collect();
        (self.steps.saturating_sub(k)..self.steps).map(|step| seen((step % k) as usize)).collect()
    }

    fn newest_slot(&self) -> usize {
        ((self.steps - 1) % self.columns.len() as u64) as usize
    }

    /// Returns the columns as stored, oldest first.
    fn newest(&self) -> &[f64] {
        &self.columns[self.newest_slot()]
    }

    fn newest_weight(&self) -> f64 {
        self.weights[self.newest_slot()]
    }
}

fn times(x: &[f64], y: &[f64]) -> Vec<f64> {
    x.iter().zip(y).map(|(x, y)| x * y).collect()
}

fn over(x: &[f64], y: &[f64]) -> Vec<f64> {
    x.iter().zip(y).map(|(x, y)| x / y).collect()
}

fn mean(beta: f64, old: &[f64], new: &[f64]) -> Vec<f64> {
    old.iter().zip(new).map(|(old, new)| beta * old + (1.0 - beta) * new).collect()
}

/// Relative error of 1 − β₂^t in f64, with β₂ up to 0.99.
const CORRECTION: f64 = 1e-14;

/// Compares numbers within this many units in the last place of the element type.
fn near<T: Number>(found: &[f64], expected: &[f64], units: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let allowed = (units * 2.0 * T::UNIT + CORRECTION) * expected.abs() + 2.0 * T::LEAST;
        assert!((found - expected).abs() <= allowed, "{what}: {found:e} at {i} in place of {expected:e}");
    }
}

/// Checks the column stored of `scaled`, whose numbers have an error of a few units in the last place.
fn is_stored<T: Number>(config: &Config, scaled: &[f64], before: &State, after: &State, what: &str) {
    let (column, slack) = (after.newest(), 1.0 + 1e-5);
    let within = |start: usize, unit: &[f64], error: &dyn Fn(f64) -> f64| {
        for (i, x) in unit.iter().enumerate() {
            let found = column[start + i];
            assert!((found - x).abs() <= slack * error(*x) + 3e-45, "{what}: {found:e} at {} of {x:e}", start + i);
        }
    };
    match config.history_format {
        HistoryFormat::Full => near::<T>(column, scaled, 4.0, what),
        HistoryFormat::Bf16 => within(0, scaled, &|x| x.abs() / 256.0),
        HistoryFormat::F16 => {
            for (index, unit) in scaled.chunks(SCALED).enumerate() {
                let scale = formats::f16_scale(unit);
                within(index * SCALED, unit, &|x| (x.abs() / 2048.0).max(scale * 2f64.powi(-25)) * slack);
            }
        }
        HistoryFormat::Int8 => {
            for (index, unit) in scaled.chunks(SCALED).enumerate() {
                let scale = formats::int8_scale(unit);
                within(index * SCALED, unit, &|x| scale * 0.5 + x.abs() * 1e-4);
            }
        }
        HistoryFormat::Sparse => {
            let a: Vec<f64> = before.feedback.iter().zip(scaled).map(|(e, g)| e + g).collect();
            // a has an error of a few units in the last place of its larger term.
            let doubt = before.feedback.iter().zip(scaled).map(|(e, g)| 4.0 * T::UNIT * e.abs().max(g.abs()) + 3e-45);
            let doubt: Vec<f64> = doubt.collect();
            let units = a.chunks(SPARSE).zip(column.chunks(SPARSE)).zip(after.feedback.chunks(SPARSE));
            for (((a, column), feedback), doubt) in units.zip(doubt.chunks(SPARSE)) {
                let kept = formats::kept(config.density, a.len());
                let stored = |i: &usize| column[*i] != 0.0;
                let least = (0..a.len()).filter(stored).map(|i| a[i].abs()).fold(f64::INFINITY, f64::min);
                let most = (0..a.len()).filter(|i| !stored(i)).map(|i| a[i].abs()).fold(0.0, f64::max);
                let count = (0..a.len()).filter(stored).count();
                assert!(count <= kept && (count == kept || most == 0.0) && most <= slack * least, "{what}");
                for (i, a) in a.iter().enumerate() {
                    let rest = a - column[i];
                    assert!((feedback[i] - rest).abs() <= 2.0 * doubt[i], "{what}: feedback {i}");
                    assert!(column[i] == 0.0 || rest.abs() <= a.abs() / 256.0 + 2.0 * doubt[i], "{what}: {i}");
                }
            }
        }
        other => unreachable!("{other:?} is not known here"),
    }
}

/// The counts of a run.
#[derive(Default)]
struct Tally {
    firm: usize,
    loose: usize,
    refused: usize,
}

fn run<T: Number>(config: &Config, stream: Stream, dim: usize, seed: u64, steps: usize, tally: &mut Tally) {
    let mut optimizer = Optimizer::<T>::new(config, &[dim]).unwrap();
    let mut gradients = stream.start(dim, seed);
    let mut direction = vec![T::default(); dim];
    for step in 0..steps {
        let g: Vec<T> = narrow(&gradients.draw());
        let before = State::of(&optimizer);
        let what = format!("step {step}, {stream:?}, d = {dim}, {config:?}");
        match optimizer.direction(&mut direction, &g) {
            Ok(()) => look(config, &mut optimizer, &before, &widen(&g), &widen(&direction), &what, tally),
            Err(error) => {
                assert!(may_refuse::<T>(config, &before, &widen(&g)), "{what}: {error}");
                assert!(matches!(error, Error::NonFinite { .. }), "{what}: {error}");
                tally.refused += 1;
            }
        }
    }
}

/// Returns the scales of the step after this state.
fn scales_after(config: &Config, before: &State, g: &[f64]) -> Scales {
    scales(config, &times(&before.root, &before.root), before.steps + 1, g)
}

/// Returns the factor on a gradient before it is stored.
fn stored_factor(config: &Config) -> f64 {
    if config.history_format == HistoryFormat::Sparse { config.grad_scale } else { 1.0 }
}

/// Creates the oracle for one step from a state, on scaled gradients. It does not know update momentum.
fn oracle_for<T: Number>(config: &Config, before: &State, s: &[f64]) -> (Oracle, Doubt) {
    let plain = config.with_history_format(HistoryFormat::Full).with_diagonal_beta(0.0).with_momentum_kind(
        match config.momentum_kind {
            Momentum::Update => Momentum::None,
            other => other,
        },
    );
    // Sparse stores gradients with the factor.
    let plain = plain.with_grad_scale(1.0 / stored_factor(config) * config.grad_scale);
    let momentum =
        if config.momentum_kind == Momentum::Gradient { times(s, &before.momentum) } else { vec![0.0; s.len()] };
    // S and the product S·m are each off by at most a unit in the last place.
    let doubt = Doubt::of_momentum(Rounding::Whole, 4.0 * T::UNIT * config.momentum * norm(&momentum));
    (Oracle::resumed(&plain, round::<T>, before.window(), before.steps, momentum, before.norms), doubt)
}

fn look<T: Number>(
    config: &Config,
    optimizer: &mut Optimizer<T>,
    before: &State,
    g: &[f64],
    direction: &[f64],
    what: &str,
    tally: &mut Tally,
) {
    let after = State::of(optimizer);
    assert_eq!(after.steps, before.steps + 1);
    let Scales { q, s, kappa } = scales_after(config, before, g);
    // A root far below that of ε_d may count as 0 in f32.
    let nothing = if size_of::<T>() == 4 { 1e-19 * config.diagonal_eps.sqrt() } else { 0.0 };
    let roots = after.root.iter().zip(&q).map(|(found, q)| if q.sqrt() < nothing { q.sqrt() } else { *found });
    let expected = q.iter().map(|q| q.sqrt()).collect::<Vec<_>>();
    near::<T>(&roots.collect::<Vec<_>>(), &expected, 2.0, &format!("{what}: root"));
    assert!(after.root.iter().zip(&q).all(|(found, q)| q.sqrt() >= nothing || *found <= nothing), "{what}: root");
    let factor = stored_factor(config);
    let scaled: Vec<f64> = times(&s, g).iter().map(|x| factor * x).collect();
    is_stored::<T>(config, &scaled, before, &after, what);
    let (given, longest) = (config.grad_scale / factor, config.grad_clip_norm);
    let clipped = if longest > 0.0 { given.min(longest / norm(after.newest())) } else { given };
    assert!((after.newest_weight() / clipped - 1.0).abs() < 1e-12, "{what}: weight {:e}", after.newest_weight());

    let (mut oracle, mut doubt) = oracle_for::<T>(config, before, &s);
    let outcome = oracle.step(after.newest());
    let radii = doubt.step::<T>(&oracle, &outcome);
    let mut expected: Vec<f64> = outcome.direction.iter().map(|u| kappa * u).collect();
    let mut allowed = kappa * radii.direction;
    // S and the roots in κ are rounded to the element type, and so are the results.
    allowed += (5.0 * T::UNIT + CORRECTION) * norm(&expected);
    if kappa != 1.0 {
        // κ² with and without the roots that may count as 0.
        let lost = q.iter().map(|q| q.sqrt()).filter(|root| *root < nothing).sum::<f64>();
        let correction = 1.0 - config.diagonal_beta.powi(after.steps as i32);
        let least = (kappa * kappa - lost / correction.sqrt()).max(0.0).sqrt();
        allowed += (kappa - least) * norm(&outcome.direction);
    }
    if config.momentum_kind == Momentum::Update {
        // From the b before the step.
        let b = mean(config.momentum, &before.momentum, &times(&s, &expected));
        let weight = if config.bias_correction { 1.0 - config.momentum.powi(after.steps as i32) } else { 1.0 };
        let rounded = 4.0 * T::UNIT * norm(&over(&b, &s));
        allowed = (1.0 - config.momentum) * allowed + rounded;
        let off = distance(&over(&after.momentum, &s), &over(&b, &s));
        assert!(off <= allowed, "{what}: b is off by {off:e}, allowed {allowed:e}");
        expected = b.iter().map(|b| b / weight).collect();
        expected = over(&expected, &s);
        allowed = allowed / weight + rounded + CORRECTION * norm(&expected);
    }
    if config.momentum_kind == Momentum::Gradient {
        let seen: Vec<f64> = over(after.newest(), &s).iter().map(|x| after.newest_weight() * x).collect();
        let m = mean(config.momentum, &before.momentum, &seen);
        let allowed = 8.0 * T::UNIT * (norm(&before.momentum) + norm(&seen)) + T::LEAST;
        assert!(distance(&after.momentum, &m) <= allowed, "{what}: m");
    }
    let off = distance(&over(direction, &s), &expected);
    let floor = T::LEAST * norm(&s.iter().map(|s| 1.0 / s).collect::<Vec<_>>());
    assert!(off <= allowed + floor, "{what}: off by {off:e} of {:e}, allowed {allowed:e}", norm(&expected));
    let stats = optimizer.stats().unwrap();
    assert!((stats.grad_norm - norm(g)).abs() <= 1e-6 * norm(g), "{what}: grad_norm {:e}", stats.grad_norm);
    assert!((stats.update_norm - outcome.update_norm).abs() <= radii.update_norm, "{what}: update_norm");
    assert!((stats.scale - outcome.scale).abs() <= radii.scale + 1e-9 * outcome.scale, "{what}: scale");
    if allowed <= 1e-3 * norm(&expected) || off == 0.0 { tally.firm += 1 } else { tally.loose += 1 }
}

/// Whether the library must refuse a step: the largest possible scale is that of parameters without a gradient so far.
fn may_refuse<T: Number>(config: &Config, before: &State, g: &[f64]) -> bool {
    let Scales { s, kappa, .. } = scales_after(config, before, g);
    let (mut oracle, mut doubt) = oracle_for::<T>(config, before, &s);
    let scaled: Vec<f64> = times(&s, g).iter().map(|x| stored_factor(config) * x).collect();
    let outcome = oracle.step(&scaled);
    let radii = doubt.step::<T>(&oracle, &outcome);
    let length = outcome.scale * outcome.update_norm + radii.direction;
    config.lr.max(1.0) * kappa * length * config.diagonal_eps.powf(-0.25) > T::MAX / 2.0
}

const FORMATS: [HistoryFormat; 5] =
    [HistoryFormat::Full, HistoryFormat::Bf16, HistoryFormat::F16, HistoryFormat::Int8, HistoryFormat::Sparse];
const MOMENTA: [Momentum; 4] = [Momentum::None, Momentum::Gradient, Momentum::Update, Momentum::Window];
const CLIPS: [Clip; 5] = [Clip::None, Clip::Norm, Clip::EmaNorm, Clip::GraftEmaNorm, Clip::GraftInput];

/// Every kind of momentum with every allowed clip; other options in turn.
fn configs(k: u32) -> impl Iterator<Item = Config> {
    let kinds = MOMENTA.into_iter().flat_map(|momentum| CLIPS.map(|clip| (momentum, clip)));
    kinds.enumerate().map(move |(index, (momentum_kind, clip_kind))| {
        Config::default()
            .with_history_size(k)
            .with_momentum_kind(momentum_kind)
            .with_momentum([0.8, 0.5, 0.95][index % 3])
            .with_bias_correction(index % 4 != 3)
            .with_clip_kind(clip_kind)
            .with_clip_norm(0.3)
            .with_clip_factor(0.8)
            .with_clip_beta(0.9)
            .with_history_decay([1.0, 0.97][index % 2])
            .with_orthogonal_scale([0.0, 0.5, 0.0][index % 3])
            .with_eps([1e-6, 0.0, 1e-2][index / 3 % 3])
            .with_eps_relative([0.0, 1e-9, 0.0][index / 3 % 3])
            .with_diagonal_beta([0.99, 0.9, 0.5][index / 2 % 3])
            .with_diagonal_eps([1e-16, 1e-30, 1e-8][index / 3 % 3])
            .with_grad_scale([1.0, 0.02, 1.0, 30.0][index % 4])
            .with_grad_clip_norm([0.0, 0.0, 0.7, 2.0][index % 4])
            .with_threads(1)
    })
}

/// Checks that the tolerances were small enough to prove something.
fn expect_firm(tally: &Tally, share: f64) {
    let all = tally.firm + tally.loose + tally.refused;
    println!("{} of {all} firm, {} refused", tally.firm, tally.refused);
    assert!(tally.firm as f64 >= share * all as f64, "only {} of {all} are firm", tally.firm);
}

#[test]
fn every_kind_on_every_stream() {
    let mut tally = Tally::default();
    for (index, config) in configs(5).enumerate() {
        for stream in Stream::ALL {
            for dim in [1, 7, 60] {
                let config = config.with_momentum(config.momentum.min(config.history_decay));
                run::<f32>(&config, stream, dim, index as u64, 14, &mut tally);
                run::<f64>(&config, stream, dim, index as u64, 14, &mut tally);
            }
        }
    }
    expect_firm(&tally, 0.8);
}

#[test]
fn every_format() {
    let mut tally = Tally::default();
    for (index, config) in configs(4).enumerate() {
        for history_format in FORMATS {
            let config = config.with_history_format(history_format).with_density(0.2);
            for dim in [3, 300, 4500] {
                run::<f32>(&config, Stream::ALL[index % 3], dim, index as u64, 9, &mut tally);
            }
        }
    }
    expect_firm(&tally, 0.8);
}

/// With a window of one gradient the direction is Adam's (Kingma and Ba 2015, without momentum). Its length is
/// smoothed: the average of squares replaces the gradient.
#[test]
fn a_window_of_one_is_adam() {
    let (beta, eps, eps_window) = (0.9, 1e-16, 1e-6);
    let config = Config::default().with_history_size(1).with_diagonal_beta(beta).with_eps(eps_window);
    let mut optimizer = Optimizer::<f64>::new(&config, &[50]).unwrap();
    let mut gradients = Stream::ALL[0].start(50, 3);
    let mut second = vec![0.0; 50];
    let mut direction = vec![0.0; 50];
    for step in 1..40 {
        let g = gradients.draw();
        optimizer.direction(&mut direction, &g).unwrap();
        second.iter_mut().zip(&g).for_each(|(v, g)| *v = beta * *v + (1.0 - beta) * g * g);
        let root = |v: f64| (v / (1.0 - beta.powi(step)) + eps).sqrt();
        let length = g.iter().zip(&second).map(|(g, v)| g * g / root(*v)).sum::<f64>();
        let smoothed = second.iter().map(|v| (v / (1.0 - beta.powi(step))).sqrt()).sum::<f64>();
        for ((u, g), v) in direction.iter().zip(&g).zip(&second) {
            let adam = g / root(*v);
            let expected = adam * (smoothed / (length + eps_window)).sqrt();
            assert!((u - expected).abs() <= 1e-10 * expected.abs(), "step {step}: {u:e}, {expected:e}");
        }
    }
}

/// With [`Clip::GraftInput`] it is exactly Adam's step.
#[test]
fn a_window_of_one_with_the_inputs_length_is_adam_itself() {
    let beta = 0.99;
    let config = Config::default().with_history_size(1).with_diagonal_beta(beta).with_clip_kind(Clip::GraftInput);
    let mut optimizer = Optimizer::<f32>::new(&config, &[33]).unwrap();
    let mut gradients = Stream::ALL[0].start(33, 4);
    let mut second = vec![0.0; 33];
    let mut direction = vec![0.0; 33];
    for step in 1..60 {
        let g: Vec<f32> = narrow(&gradients.draw());
        optimizer.direction(&mut direction, &g).unwrap();
        for ((u, g), v) in direction.iter().zip(widen(&g)).zip(&mut second) {
            *v = beta * *v + (1.0 - beta) * g * g;
            let adam = g / (*v / (1.0 - f64::powi(beta, step)) + 1e-16).sqrt();
            assert!((f64::from(*u) - adam).abs() <= 2e-6 * adam.abs(), "step {step}: {u:e}, {adam:e}");
        }
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let on = Config::default().with_diagonal_beta(0.99);
    let refused = |config: Config, name: &str| {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
    };
    refused(on.with_centered(true), "config.centered");
    refused(on.with_clip_kind(Clip::EmaVector), "config.clip_kind");
    refused(on.with_clip_kind(Clip::GraftEmaVector), "config.clip_kind");
    for beta in [1.0, -0.1, f64::NAN, f64::INFINITY] {
        refused(on.with_diagonal_beta(beta), "config.diagonal_beta");
    }
    for eps in [0.0, -1e-8, f64::NAN, f64::INFINITY] {
        refused(on.with_diagonal_eps(eps), "config.diagonal_eps");
        refused(Config::default().with_diagonal_eps(eps), "config.diagonal_eps");
    }
    for good in [Config::default().with_centered(true), on, on.with_diagonal_beta(5e-324)] {
        good.validate().unwrap();
    }
}

//! The statistics of a step, and steps over several blocks, against the oracle.

use crate::oracle;
use crate::settings;

use lmada::{Clip, Config, HistoryFormat, Momentum, Optimizer, Stats};
use oracle::compare::{Case, Compared, distance, run};
use oracle::number::{Number, narrow, round, widen};
use oracle::spectrum::Spectrum;
use oracle::streams::Stream;
use oracle::svd::norm;
use oracle::tolerance::{Doubt, Rounding, gram_unit};
use oracle::{Oracle, Outcome};
use settings::{Setting, configuration};

/// The possible answers for the spectrum, given rounding.
struct Bounds {
    /// Smallest and largest possible rank.
    rank: (usize, usize),
    /// The ranges of the largest and the smallest eigenvalue.
    largest: (f64, f64),
    smallest: (f64, f64),
}

impl Bounds {
    fn new(config: &Config, spectrum: &Spectrum, held: usize) -> Self {
        // The error of an eigenvalue is the residual of QR (26 units of the largest were seen on 30 rows, 37 on 8);
        // noise floors are known up to a factor of 4.
        let slack = 64.0 * gram_unit(config) * spectrum.size;
        let floor = |reach: f64| held as f64 * f64::EPSILON * reach * reach;
        let mut bounds = Self { rank: (0, 0), largest: (0.0, 0.0), smallest: (f64::INFINITY, f64::INFINITY) };
        for d in &spectrum.directions {
            let sure = d.decided && d.present && d.lambda - slack > 4.0 * floor(d.reach);
            let possible = (d.present || !d.decided) && d.lambda + slack > floor(d.reach) / 4.0 && d.reach > 0.0;
            if sure {
                bounds.rank.0 += 1;
                bounds.largest.0 = bounds.largest.0.max(d.lambda - slack);
                bounds.smallest.1 = bounds.smallest.1.min(d.lambda + slack);
            }
            if possible {
                bounds.rank.1 += 1;
                bounds.largest.1 = bounds.largest.1.max(d.lambda + slack);
                bounds.smallest.0 = bounds.smallest.0.min(d.lambda - slack);
            }
        }
        bounds
    }

    fn check(&self, stats: &Stats) {
        let rank = stats.rank as usize;
        assert!(self.rank.0 <= rank && rank <= self.rank.1, "rank {rank}, not in {:?}", self.rank);
        let within = |x: f64, (from, to): (f64, f64)| from <= x && x <= to;
        if rank == 0 {
            assert_eq!((stats.eig_max, stats.eig_min), (0.0, 0.0));
        } else {
            assert!(within(stats.eig_max, self.largest), "eig_max {:e}, not in {:?}", stats.eig_max, self.largest);
            assert!(within(stats.eig_min, self.smallest), "eig_min {:e}, not in {:?}", stats.eig_min, self.smallest);
        }
    }
}

fn close(found: f64, expected: f64, radius: f64, what: &str) {
    let allowed = radius + 1e-12 * expected.abs();
    assert!((found - expected).abs() <= allowed, "{what} {found:e} for {expected:e}, allowed {allowed:e}");
}

fn check(compared: &Compared<'_>) {
    let Compared { outcome, oracle, radii, stats, grad_norm, .. } = compared;
    let held = oracle.window().len();
    assert_eq!((stats.steps, stats.history_len as usize), (oracle.steps, held));
    close(stats.grad_norm, *grad_norm, 0.0, "grad_norm");
    close(stats.update_norm, outcome.update_norm, radii.update_norm, "update_norm");
    close(stats.scale, outcome.scale, radii.scale, "scale");
    Bounds::new(&oracle.config, &outcome.spectrum, held).check(stats);
    assert!(stats.state_bytes > 0);
}

/// Settings that change the stats.
fn settings() -> Vec<Vec<Setting>> {
    use Setting::{Centered, ClipEma, ClipNorm, Eps, HistoryDecay, OrthogonalScale, RankTol};
    vec![
        vec![],
        vec![Eps(0.0)],
        vec![Centered],
        vec![Centered, OrthogonalScale(2.0)],
        vec![RankTol(0.3), Eps(0.0)],
        vec![HistoryDecay(0.7)],
        vec![ClipNorm(0.3)],
        vec![Setting::Momentum(Momentum::Gradient, 0.9), OrthogonalScale(0.5), RankTol(1e-3)],
        vec![Setting::Momentum(Momentum::Update, 0.9), ClipEma(Clip::GraftEmaNorm, 1.0, 0.9)],
        vec![Setting::Momentum(Momentum::Window, 0.8), ClipEma(Clip::EmaNorm, 0.7, 0.9)],
        vec![ClipEma(Clip::EmaVector, 0.7, 0.9)],
        vec![ClipEma(Clip::GraftEmaVector, 1.0, 0.5)],
    ]
}

/// Formats of the element type: compressed ones for f32 only.
fn formats<T: Number>() -> impl Iterator<Item = HistoryFormat> {
    let compressed = [HistoryFormat::Bf16, HistoryFormat::F16, HistoryFormat::Int8, HistoryFormat::Sparse];
    core::iter::once(HistoryFormat::Full).chain(compressed).take(if size_of::<T>() == 4 { 5 } else { 1 })
}

fn stats_of_one_block<T: Number>(history_format: HistoryFormat) {
    for settings in settings() {
        for stream in Stream::ALL {
            for (dim, k) in [(1, 3), (5, 8), (60, 6)] {
                let config = configuration(k, &settings).unwrap().with_history_format(history_format).with_density(0.2);
                let rounding = Rounding::Whole;
                let case = Case { config, stream, dim, seed: 8, steps: 3 * k + 4, every: 1, rounding };
                // Printed if the test fails.
                let result = std::panic::catch_unwind(|| run::<T>(&case, check));
                assert!(result.is_ok(), "{case:?}");
            }
        }
    }
}

#[test]
fn stats_of_one_block_f32() {
    formats::<f32>().for_each(stats_of_one_block::<f32>);
}

#[test]
fn stats_of_one_block_f64() {
    formats::<f64>().for_each(stats_of_one_block::<f64>);
}

/// Each block is like a separate optimizer; the stats combine them.
fn blocks<T: Number>(settings: &[Setting], history_format: HistoryFormat) {
    // The empty block has no oracle: its norms are 0, its scale 1, its rank 0.
    let dims = [5usize, 0, 40, 1, 17];
    let streams = [Stream::White, Stream::Zeros, Stream::Drifting, Stream::Spikes, Stream::CollinearLarge];
    let k = 6;
    let config = configuration(k, settings).unwrap().with_history_format(history_format).with_density(0.2);
    let dim: usize = dims.iter().sum();
    let mut library = Optimizer::<T>::new(&config, &dims).unwrap();
    let mut oracles: Vec<_> = (dims.iter().zip(streams).enumerate())
        .filter(|(_, (dim, _))| **dim > 0)
        .map(|(seed, (&dim, stream))| {
            let oracle = Oracle::new(&config, dim, round::<T>);
            (oracle, Doubt::new(Rounding::Whole), stream.start(dim, seed as u64))
        })
        .collect();
    let mut direction = vec![T::default(); dim];
    for step in 0..3 * k + 3 {
        let parts: Vec<Vec<T>> = oracles.iter_mut().map(|(.., stream)| narrow(&stream.draw())).collect();
        let grads: Vec<T> = parts.concat();
        library.direction(&mut direction, &grads).unwrap();
        let stats = library.stats().unwrap();
        let mut start = 0;
        let mut squares = (0.0, 0.0);
        let (mut scale, mut scale_radius) = (1.0f64, 0.0f64);
        let mut rank = (0, 0);
        let mut extremes = [(0.0f64, 0.0f64), (f64::INFINITY, f64::INFINITY)];
        for ((oracle, doubt, _), g) in oracles.iter_mut().zip(&parts) {
            let outcome: Outcome = oracle.step(&widen(g));
            let radii = doubt.step::<T>(oracle, &outcome);
            let error = distance(&widen(&direction[start..start + g.len()]), &outcome.direction);
            assert!(
                error <= radii.direction,
                "{history_format:?}, {settings:?}, step {step}, block at {start}: off by {error:e}, allowed {:e}",
                radii.direction
            );
            start += g.len();
            squares.0 += outcome.update_norm.powi(2);
            squares.1 += radii.update_norm.powi(2);
            scale = scale.min(outcome.scale);
            scale_radius = scale_radius.max(radii.scale);
            let bounds = Bounds::new(&oracle.config, &outcome.spectrum, oracle.window().len());
            rank = (rank.0 + bounds.rank.0, rank.1 + bounds.rank.1);
            extremes[0] = (extremes[0].0.max(bounds.largest.0), extremes[0].1.max(bounds.largest.1));
            extremes[1] = (extremes[1].0.min(bounds.smallest.0), extremes[1].1.min(bounds.smallest.1));
        }
        assert_eq!((stats.steps, stats.history_len as usize), (step as u64 + 1, (step + 1).min(k)));
        close(stats.grad_norm, norm(&widen(&grads)), 0.0, "grad_norm");
        close(stats.update_norm, squares.0.sqrt(), squares.1.sqrt(), "update_norm");
        close(stats.scale, scale, scale_radius, "scale");
        Bounds { rank, largest: extremes[0], smallest: extremes[1] }.check(&stats);
    }
}

#[test]
fn blocks_are_optimizers_of_their_own() {
    for settings in settings() {
        formats::<f32>().for_each(|format| blocks::<f32>(&settings, format));
        formats::<f64>().for_each(|format| blocks::<f64>(&settings, format));
    }
}

#[test]
fn stats_before_the_first_step_and_after_a_reset() {
    let mut library = Optimizer::<f32>::new(&configuration(3, &[]).unwrap(), &[4, 2]).unwrap();
    let fresh = library.stats().unwrap();
    let Stats { steps, history_len, rank, grad_norm, update_norm, scale, eig_max, eig_min, state_bytes, .. } = fresh;
    assert_eq!((steps, history_len, rank), (0, 0, 0));
    assert_eq!((grad_norm, update_norm, scale, eig_max, eig_min), (0.0, 0.0, 1.0, 0.0, 0.0));
    // k gradients at the least.
    assert!(state_bytes >= 3 * 6 * 4);
    library.step(&mut [1.0; 6], &[0.5; 6]).unwrap();
    assert_ne!(library.stats().unwrap(), fresh);
    library.reset();
    assert_eq!(library.stats().unwrap(), fresh);
}

/// The spectrum is computed when it is asked for: inside the step, after it, or only after a save and a load.
#[test]
fn stats_do_not_depend_on_when_they_are_asked_for() {
    for settings in settings() {
        let config = configuration(4, &settings).unwrap();
        let dims = [7usize, 0, 30];
        let [mut watched, mut ignored, mut loaded] = [(); 3].map(|()| Optimizer::<f32>::new(&config, &dims).unwrap());
        let mut stream = Stream::Drifting.start(37, 4);
        let (mut params, mut others) = (vec![0.5f32; 37], vec![0.5f32; 37]);
        for step in 0..11 {
            let grads: Vec<f32> = narrow(&stream.draw());
            let before = watched.stats().unwrap();
            watched.begin().unwrap();
            watched.feed(0, &grads).unwrap();
            assert_eq!(watched.stats().unwrap(), before, "{settings:?}, step {step}");
            watched.solve().unwrap();
            let under_way = watched.stats().unwrap();
            assert_eq!(under_way.steps, before.steps + 1);
            watched.apply(0, &mut params, &grads).unwrap();
            watched.end().unwrap();
            let after = watched.stats().unwrap();
            assert_eq!(after, under_way, "{settings:?}, step {step}");

            ignored.step(&mut others, &grads).unwrap();
            let mut state = vec![0; ignored.state_size()];
            ignored.state_save(&mut state).unwrap();
            loaded.state_load(&state).unwrap();
            assert_eq!(loaded.stats().unwrap(), after, "{settings:?}, step {step}, loaded");
            if step % 3 == 2 {
                assert_eq!(ignored.stats().unwrap(), after, "{settings:?}, step {step}");
            }
        }
    }
}

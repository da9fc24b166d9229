//! The factor on gradients and the clip of their norm, which are weights of columns, against gradients that the test
//! multiplies before.

use crate::common;

use common::{Model, Random, every_kind, every_kind_and_format, gradient};
use lmada::{Config, Element, Momentum, Optimizer};

fn times<T: Element>(x: &[T], factor: f64) -> Vec<T> {
    x.iter().map(|x| T::from_f64(factor * x.to_f64())).collect()
}

fn norm<T: Element>(x: &[T]) -> f64 {
    x.iter().map(|x| x.to_f64().powi(2)).sum::<f64>().sqrt()
}

fn distance<T: Element>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a.to_f64() - b.to_f64()).powi(2)).sum::<f64>().sqrt()
}

/// Multiplying by a power of two is exact in every format: the results have the same bits, whether the library or the
/// caller multiplies.
fn powers_of_two<T: Element>() {
    for (index, config) in every_kind_and_format::<T>().enumerate() {
        let power = [-9, 5, -1][index % 3];
        let factor = 2f64.powi(power);
        let dims = [&[5000usize, 0, 40][..], &[300]][index % 2];
        // The same clip, for multiplied gradients.
        let config = config.with_grad_clip_norm([0.0, 20.0 * factor][index / 3 % 2]);
        let mut scaled = Model::<T>::new(&config.with_grad_scale(factor), dims);
        let mut plain = Model::<T>::new(&config.with_grad_scale(1.0), dims);
        for number in 0..12 {
            let grads = gradient::<T>(plain.params.len(), number);
            scaled.optimizer.step(&mut scaled.params, &grads).unwrap();
            plain.optimizer.step(&mut plain.params, &times(&grads, factor)).unwrap();
            let same = scaled.params.iter().zip(&plain.params).all(|(a, b)| a == b);
            assert!(
                same,
                "step {number}, {dims:?}, {factor}, {config:?}: {:e}",
                distance(&scaled.params, &plain.params)
            );
        }
    }
}

#[test]
fn a_power_of_two_is_as_if_the_caller_multiplied_f32() {
    powers_of_two::<f32>();
}

#[test]
fn a_power_of_two_is_as_if_the_caller_multiplied_f64() {
    powers_of_two::<f64>();
}

/// A clip of the norm over all blocks equals a factor that the caller applies.
fn clips<T: Element>() {
    let mut clipped_steps = 0;
    for (index, config) in every_kind().enumerate() {
        let dims = [30, 0, 500];
        let config = config.with_grad_clip_norm(0.0).with_average_beta(0.0);
        let (longest, factor) = (6.0, [1.0, 0.7][index % 2]);
        let clipping = config.with_grad_clip_norm(longest).with_grad_scale(factor);
        let mut clipped = Model::<T>::new(&clipping, &dims);
        let mut told = Model::<T>::new(&config, &dims);
        let start = told.params.clone();
        let mut random = Random(index as u64 + 1);
        for number in 0..12 {
            // Some gradients are too long.
            let size = if number % 3 == 1 { 10.0 + 1000.0 * random.number().abs() } else { 0.3 };
            let grads = times(&gradient::<T>(told.params.len(), number), size);
            let weight = factor * (longest / (factor * norm(&grads))).min(1.0);
            clipped_steps += usize::from(weight < factor);
            told.optimizer.set_grad_scale(weight).unwrap();
            told.optimizer.step(&mut told.params, &grads).unwrap();
            clipped.optimizer.step(&mut clipped.params, &grads).unwrap();
        }
        let (moved, apart) = (distance(&start, &told.params), distance(&clipped.params, &told.params));
        let promise = if size_of::<T>() == 4 { 2e-6 } else { 1e-9 };
        assert!(apart <= promise * moved, "{config:?}: {apart:e} apart, moved {moved:e}");
    }
    assert!(clipped_steps > 50);
}

#[test]
fn a_clip_is_a_factor_f32() {
    clips::<f32>();
}

#[test]
fn a_clip_is_a_factor_f64() {
    clips::<f64>();
}

/// One gradient is a million times too long, with gradient momentum. m contains it for a long time; the window, which
/// it dominates, drops it after k steps.
#[test]
fn one_spike_does_no_harm_under_a_clip() {
    let config = Config::default().with_history_size(30).with_momentum_kind(Momentum::Gradient).with_threads(1);
    let run = |config: &Config, spike: bool| {
        let mut optimizer = Optimizer::<f32>::new(config, &[100]).unwrap();
        let mut w: Vec<f32> = gradient(100, 7);
        let mut longest: f64 = 0.0;
        for step in 0..400 {
            // The gradient of ½ Σ λᵢ wᵢ², with λ over two decades.
            let curvature = |i: usize| 10f64.powf(i as f64 / 50.0 - 1.0) as f32;
            let mut g: Vec<f32> = w.iter().enumerate().map(|(i, w)| curvature(i) * w).collect();
            if spike && step == 50 {
                let length = norm(&g);
                g = times(&g, 1e6 / length);
            }
            optimizer.set_lr(0.1 * (1.0 - f64::from(step) / 400.0)).unwrap();
            optimizer.step(&mut w, &g).unwrap();
            if step > 50 {
                longest = longest.max(optimizer.stats().unwrap().update_norm);
            }
        }
        let loss: f64 =
            w.iter().enumerate().map(|(i, w)| 0.5 * 10f64.powf(i as f64 / 50.0 - 1.0) * f64::from(w * w)).sum();
        (longest, loss)
    };
    let (wild, wild_loss) = run(&config, true);
    let (tame, tame_loss) = run(&config.with_grad_clip_norm(1.0), true);
    let (_, calm_loss) = run(&config.with_grad_clip_norm(1.0), false);
    println!("|u| up to {wild:e}, loss {wild_loss:e}; with the clip {tame:e}, {tame_loss:e}; no spike {calm_loss:e}");
    assert!(wild > 1e4 && wild_loss > 1e5, "the spike does no harm without the clip");
    assert!(tame < 1.0 && tame_loss < 2.0 * calm_loss, "the spike does harm with the clip");
}

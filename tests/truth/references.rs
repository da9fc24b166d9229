//! Comparison with published references: Adagrad's d×d definition, and the note's update rule with its trajectories.

use crate::oracle;

use lmada::{Config, Momentum, Optimizer};
use oracle::compare::distance;
use oracle::eigen::Eigen;
use oracle::number::{Number, narrow, widen};
use oracle::streams::Stream;
use oracle::svd::{add, norm};
use oracle::tolerance::dense_radius;

/// `(Σ g gᵀ + εI)^(−p) v` by an eigendecomposition of the d×d matrix, while all gradients are in the window. With
/// gradient momentum v leaves the span. There the definition multiplies by ε^(−p), and `orthogonal_scale` is set to
/// that.
fn against_dense<T: Number>(dim: usize, eps: f64, power: f64, stream: Stream, momentum: bool) {
    let k = 12;
    let config = Config::default()
        .with_history_size(k)
        .with_eps(eps)
        .with_power(power)
        .with_orthogonal_scale(eps.powf(-power))
        .with_momentum_kind(if momentum { Momentum::Gradient } else { Momentum::None })
        .with_threads(1);
    let mut library = Optimizer::<T>::new(&config, &[dim]).unwrap();
    let mut gradients = stream.start(dim, 7);
    let mut sum = vec![vec![0.0; dim]; dim];
    let mut mean = vec![0.0; dim];
    let mut direction = vec![T::default(); dim];
    for step in 1..=k {
        let rounded: Vec<T> = narrow(&gradients.draw());
        let g = widen(&rounded);
        library.direction(&mut direction, &rounded).unwrap();
        for (row, x) in sum.iter_mut().zip(&g) {
            add(row, *x, &g);
        }
        let mixed = mean.iter().zip(&g).map(|(m, g)| config.momentum * m + (1.0 - config.momentum) * g);
        let mixed: Vec<f64> = mixed.collect();
        // The stored average is rounded; the average of this step is not.
        mean = mixed.iter().map(|&m| T::of(m).widen()).collect();
        let weight = 1.0 - config.momentum.powi(step as i32);
        let v = if momentum { mixed.iter().map(|m| m / weight).collect() } else { g };

        let eigen = Eigen::new(sum.clone());
        let expected = eigen.apply(|lambda| (lambda.max(0.0) + eps).powf(-power), &v);
        let error = distance(&widen(&direction), &expected) / norm(&expected);
        // The documented limit of a momentum buffer, 6e-8·σmax/σmin in f32, where σmin is √ε outside the window.
        let most = eigen.values.iter().copied().fold(0.0, f64::max);
        let buffer = if momentum { T::UNIT * (most / eps).sqrt() } else { 0.0 };
        let allowed = dense_radius::<T>(&eigen.values, step as usize, eps, &v) + buffer;
        assert!(error <= allowed, "d {dim}, eps {eps}, {stream:?}, step {step}: off by {error:e}, allowed {allowed:e}");
    }
}

#[test]
fn dense_full_matrix_adagrad() {
    for dim in [1, 2, 5, 12, 30] {
        for eps in [1e-6, 1e-2, 1.0] {
            for stream in [Stream::White, Stream::Drifting, Stream::Cyclic, Stream::Collinear] {
                for power in [0.5, 1.0, 0.25] {
                    against_dense::<f32>(dim, eps, power, stream, false);
                    against_dense::<f64>(dim, eps, power, stream, false);
                }
            }
            against_dense::<f32>(dim, eps, 0.5, Stream::White, true);
            against_dense::<f64>(dim, eps, 0.5, Stream::White, true);
        }
    }
}

/// Returns the numbers of a JSON array.
fn reals(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn along_the_note<T: Number>(case: &serde_json::Value, tolerance: f64) {
    let real = |name: &str| case[name].as_f64().unwrap();
    let dim = case["dim"].as_u64().unwrap() as usize;
    let config = Config::default()
        .with_history_size(case["history_size"].as_u64().unwrap() as u32)
        .with_eps(real("eps"))
        .with_lr(real("lr"))
        .with_threads(1);
    let mut library = Optimizer::<T>::new(&config, &[dim]).unwrap();
    let mut w: Vec<T> = narrow(&reals(&case["start"]));
    let steps = case["gradients"].as_array().unwrap().iter().zip(case["parameters"].as_array().unwrap());
    for (step, (g, expected)) in steps.enumerate() {
        let (g, expected) = (reals(g), reals(expected));
        assert_eq!(g.len(), dim);
        library.step(&mut w, &narrow::<T>(&g)).unwrap();
        let error = distance(&widen(&w), &expected) / norm(&expected);
        assert!(error <= tolerance, "{}, d {dim}, step {step}: off by {error:e}", case["name"]);
    }
}

#[test]
fn trajectories_of_the_note() {
    let file = include_str!("../data/note_reference.json");
    let file: serde_json::Value = serde_json::from_str(file).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        along_the_note::<f64>(case, 1e-9);
        along_the_note::<f32>(case, 1e-5);
    }
}

//! Tests of the oracle itself, against which the library is compared.

use crate::oracle;

use lmada::{Config, HistoryFormat};
use oracle::compare::distance;
use oracle::eigen::Eigen;
use oracle::formats::{self, Store};
use oracle::streams::{Random, Stream};
use oracle::svd::{Svd, add, dot, norm, unit};

/// Returns the largest `‖M − U Σ Vᵀ‖` of a column, relative to the norm of the column.
fn reconstruction(columns: &[Vec<f64>], svd: &Svd) -> f64 {
    let dim = columns[0].len();
    let mut worst = 0.0f64;
    for (j, column) in columns.iter().enumerate() {
        let y: Vec<f64> = svd.sigma.iter().zip(&svd.right).map(|(s, v)| s * v[j]).collect();
        let error = distance(&svd.combine(&y, dim), column);
        worst = worst.max(if error == 0.0 { 0.0 } else { error / norm(column) });
    }
    worst
}

/// Returns the largest deviation of the vectors from an orthonormal set.
fn skew(vectors: &[Vec<f64>]) -> f64 {
    let mut worst = 0.0f64;
    for (i, a) in vectors.iter().enumerate() {
        for (j, b) in vectors.iter().enumerate() {
            worst = worst.max((dot(a, b) - f64::from(i == j)).abs());
        }
    }
    worst
}

fn left_vectors(svd: &Svd, dim: usize) -> Vec<Vec<f64>> {
    (0..svd.sigma.len()).map(|i| svd.combine(&unit(svd.sigma.len(), i), dim)).collect()
}

#[test]
fn svd_of_every_stream_is_orthogonal_and_reconstructs() {
    for stream in Stream::ALL {
        for (dim, count) in [(1, 1), (1, 4), (3, 7), (40, 12), (300, 30), (20, 20)] {
            let mut gradients = stream.start(dim, 5);
            let columns: Vec<Vec<f64>> = (0..count).map(|_| gradients.draw()).collect();
            let svd = Svd::new(&columns);
            assert!(reconstruction(&columns, &svd) < 1e-13, "{stream:?} {dim}x{count}");
            assert!(skew(&svd.right) < 1e-13, "{stream:?} {dim}x{count}");
            assert!(svd.sigma.is_sorted_by(|a, b| a >= b));
            // Left vectors of directions outside M are rounding noise of unit length, or 0.
            let largest = svd.sigma[0];
            let mut left = left_vectors(&svd, dim);
            let held = svd.sigma.iter().filter(|&&s| s > 1e-7 * largest).count();
            left.truncate(held);
            assert!(skew(&left) < 1e-13, "{stream:?} {dim}x{count}");
        }
    }
}

/// Returns two sets of orthonormal vectors, by Gram-Schmidt applied twice.
fn orthonormal(random: &mut Random, dim: usize, count: usize) -> Vec<Vec<f64>> {
    let mut set: Vec<Vec<f64>> = Vec::new();
    while set.len() < count {
        let mut x = random.vector(dim, 1.0);
        for _ in 0..2 {
            for earlier in &set {
                let along = dot(earlier, &x);
                add(&mut x, -along, earlier);
            }
        }
        let length = norm(&x);
        set.push(x.iter().map(|x| x / length).collect());
    }
    set
}

#[test]
fn svd_finds_known_singular_values_over_twelve_decades() {
    let (dim, count) = (200, 13);
    let mut random = Random(11);
    let left = orthonormal(&mut random, dim, count);
    // Orthogonal columns of very different norms: every singular value is determined to full precision.
    let exact: Vec<f64> = (0..count).map(|i| 10f64.powi(-(i as i32))).collect();
    let mut columns: Vec<Vec<f64>> = (0..count).map(|i| left[i].iter().map(|x| exact[i] * x).collect()).collect();
    columns.rotate_left(5);
    for (found, exact) in Svd::new(&columns).sigma.iter().zip(&exact) {
        assert!((found / exact - 1.0).abs() < 1e-13, "{found:e} for {exact:e}");
    }
    // Columns D·(I + noise), well conditioned apart from their norms.
    let columns: Vec<Vec<f64>> = (0..count)
        .map(|j| {
            let mut column = vec![0.0; dim];
            for (i, left) in left[..count].iter().enumerate() {
                let factor = f64::from(i == j) + 0.1 * random.normal();
                add(&mut column, factor * exact[j], left);
            }
            column
        })
        .collect();
    let svd = Svd::new(&columns);
    assert!(reconstruction(&columns, &svd) < 1e-13);
    let product: f64 = svd.sigma.iter().map(|s| s.log10()).sum();
    assert!(product < -70.0 && svd.sigma[count - 1] > 1e-13, "{:?}", svd.sigma);
    // If all columns have the same norm, errors are relative to the largest value.
    let right = orthonormal(&mut random, count, count);
    let columns: Vec<Vec<f64>> = (0..count)
        .map(|j| {
            let mut column = vec![0.0; dim];
            for i in 0..count {
                add(&mut column, exact[i] * right[i][j], &left[i]);
            }
            column
        })
        .collect();
    for (found, exact) in Svd::new(&columns).sigma.iter().zip(&exact) {
        assert!((found - exact).abs() < 1e-14, "{found:e} for {exact:e}");
    }
}

#[test]
fn svd_of_two_columns_is_the_textbook_one() {
    // [3 0; 4 5]: σ² = 45 and 5.
    let svd = Svd::new(&[vec![3.0, 4.0], vec![0.0, 5.0]]);
    assert!((svd.sigma[0] - 45f64.sqrt()).abs() < 1e-14 && (svd.sigma[1] - 5f64.sqrt()).abs() < 1e-14);
    // Repeated and zero columns give directions with σ = 0.
    let svd = Svd::new(&[vec![1.0, 1.0], vec![0.0, 0.0], vec![1.0, 1.0]]);
    assert!((svd.sigma[0] - 2.0).abs() < 1e-15 && svd.sigma[1] < 1e-16 && svd.sigma[2] == 0.0);
}

#[test]
fn eigendecomposition_gives_back_the_matrix() {
    let n = 24;
    let mut random = Random(3);
    let vectors = orthonormal(&mut random, n, n);
    let values: Vec<f64> = (0..n).map(|i| 10f64.powf(3.0 - 6.0 * i as f64 / n as f64)).collect();
    let mut matrix = vec![vec![0.0; n]; n];
    for (value, vector) in values.iter().zip(&vectors) {
        for (row, x) in matrix.iter_mut().zip(vector) {
            add(row, value * x, vector);
        }
    }
    let eigen = Eigen::new(matrix.clone());
    assert!(skew(&eigen.vectors) < 1e-13);
    let x = random.vector(n, 1.0);
    let product: Vec<f64> = matrix.iter().map(|row| dot(row, &x)).collect();
    assert!(distance(&eigen.apply(|l| l, &x), &product) < 1e-11);
    assert!(distance(&eigen.apply(|l| 1.0 / l, &product), &x) < 1e-9);
    let mut found = eigen.values;
    found.sort_by(|a, b| b.total_cmp(a));
    for (found, value) in found.iter().zip(&values) {
        assert!((found - value).abs() < 1e-11, "{found:e} for {value:e}");
    }
}

#[test]
fn formats_round_to_the_nearest_and_ties_to_even() {
    let unit = 2f64.powi(-7);
    for (x, rounded) in [
        (1.0 + 0.5 * unit, 1.0),
        (1.0 + 1.5 * unit, 1.0 + 2.0 * unit),
        (1.0 + 0.500001 * unit, 1.0 + unit),
        (-1.0 - 0.499999 * unit, -1.0),
        (f64::from(f32::MAX), formats::BF16_MAX),
        (f64::from(-f32::MAX), -formats::BF16_MAX),
        // The smallest bf16 is 2^-133; half of it is a tie.
        (2f64.powi(-134), 0.0),
        (1.5 * 2f64.powi(-134), 2f64.powi(-133)),
        (3.0 * 2f64.powi(-134), 2f64.powi(-132)),
        (0.0, 0.0),
    ] {
        assert_eq!(formats::bf16(x), rounded, "{x:e}");
    }
    let stored = |history_format, g: &[f64]| {
        let config = Config::default().with_history_format(history_format).with_density(0.5);
        Store::new(&config, g.len()).take(g).unwrap()
    };
    // 1 is 2^14 times the scale. There f16 has steps of 2^-10, and its smallest number is 2^-38.
    let g = [1.0, 1.0 + 2f64.powi(-11), 2f64.powi(-39), 1.5 * 2f64.powi(-39), -1e-30];
    assert_eq!(stored(HistoryFormat::F16, &g), [1.0, 1.0, 0.0, 2f64.powi(-38), 0.0]);
    // 63.5 and 64.5 are ties.
    let g = [127.0, -63.5, 64.5, 63.51, 0.5, 0.0];
    assert_eq!(stored(HistoryFormat::Int8, &g), [127.0, -64.0, 64.0, 64.0, 0.0, 0.0]);
    // Of equal magnitudes, the first.
    assert_eq!(stored(HistoryFormat::Sparse, &[1.0, -2.0, 2.0, -2.0, 0.0]), [0.0, -2.0, 2.0, -2.0, 0.0]);
    assert_eq!(stored(HistoryFormat::Sparse, &[1.0, -1.0, 1.0, -1.0]), [1.0, -1.0, 0.0, 0.0]);
}

#[test]
fn sparse_keeps_the_sum_of_what_it_got() {
    let config = Config::default().with_history_format(HistoryFormat::Sparse).with_density(0.25);
    let mut store = Store::new(&config, 8);
    let g = [3.0, -1.0, 0.5, 0.25, 0.125, -2.0, 1.5, 0.0];
    let mut sum = [0.0; 8];
    for step in 1..=20 {
        let stored = store.take(&g).unwrap();
        assert_eq!(stored.iter().filter(|c| **c != 0.0).count(), 2);
        sum.iter_mut().zip(&stored).for_each(|(sum, c)| *sum += c);
        for ((sum, e), g) in sum.iter().zip(store.feedback()).zip(g) {
            assert_eq!(sum + e, f64::from(step) * g);
        }
    }
    let most = f64::from(f32::MAX);
    let mut store = Store::new(&config, 2);
    assert_eq!(store.take(&[most, most]), Some(vec![formats::BF16_MAX, 0.0]));
    let before = store.feedback().to_vec();
    assert!(store.take(&[0.0, most]).is_none() && store.feedback() == before);
}

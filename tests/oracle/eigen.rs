//! Eigendecomposition of a dense symmetric matrix by two-sided Jacobi rotations, for Adagrad's d×d definition.

use super::svd::{add, dot, unit};

/// Eigenvalues and eigenvectors: `vectors[i]` belongs to `values[i]`.
pub struct Eigen {
    pub values: Vec<f64>,
    pub vectors: Vec<Vec<f64>>,
}

impl Eigen {
    pub fn new(mut a: Vec<Vec<f64>>) -> Self {
        let n = a.len();
        let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| unit(n, i)).collect();
        let scale = a.iter().flatten().fold(0.0f64, |m, x| m.max(x.abs()));
        for _sweep in 0..60 {
            let mut largest = 0.0f64;
            for p in 0..n {
                for q in p + 1..n {
                    largest = largest.max(a[p][q].abs());
                    if a[p][q] == 0.0 {
                        continue;
                    }
                    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                    let cosine = 1.0 / tangent.hypot(1.0);
                    let sine = cosine * tangent;
                    let turn = |x: f64, y: f64| (cosine * x - sine * y, sine * x + cosine * y);
                    for row in &mut a {
                        (row[p], row[q]) = turn(row[p], row[q]);
                    }
                    for j in 0..n {
                        (a[p][j], a[q][j]) = turn(a[p][j], a[q][j]);
                        (vectors[p][j], vectors[q][j]) = turn(vectors[p][j], vectors[q][j]);
                    }
                    // The rotation makes this entry 0, up to rounding.
                    (a[p][q], a[q][p]) = (0.0, 0.0);
                }
            }
            if largest <= f64::EPSILON * f64::EPSILON * scale {
                return Self { values: (0..n).map(|i| a[i][i]).collect(), vectors };
            }
        }
        panic!("the oracle's eigendecomposition did not converge");
    }

    /// Computes `f(A) x`.
    pub fn apply(&self, f: impl Fn(f64) -> f64, x: &[f64]) -> Vec<f64> {
        let mut y = vec![0.0; x.len()];
        for (&value, vector) in self.values.iter().zip(&self.vectors) {
            add(&mut y, f(value) * dot(vector, x), vector);
        }
        y
    }
}

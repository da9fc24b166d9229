//! A thin SVD that keeps small singular values: Householder QR, then one-sided Jacobi (Hestenes) on R.
//!
//! Both work column by column, so the error of a column is relative to its own norm. Small columns beside large ones,
//! and the differences of nearly collinear ones, stay as exact as the data. No Gram matrix is formed.

/// The SVD `M = U Σ Vᵀ` of a d×h matrix given by its columns. U is stored as Householder reflectors times a small
/// matrix. There are h directions. If the rank of M is below h (h > d, repeated columns), the others have σ at or near
/// 0.
pub struct Svd {
    /// Singular values, largest first.
    pub sigma: Vec<f64>,
    /// Right singular vectors: `right[i]` belongs to `sigma[i]`, one entry a column of M.
    pub right: Vec<Vec<f64>>,
    /// Left singular vectors in the coordinates of the reflectors.
    left: Vec<Vec<f64>>,
    reflectors: Vec<Vec<f64>>,
}

/// Pairwise sum: its error is that of a short sum.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    if a.len() <= 32 {
        return a.iter().zip(b).map(|(a, b)| a * b).sum();
    }
    let middle = a.len() / 2;
    dot(&a[..middle], &b[..middle]) + dot(&a[middle..], &b[middle..])
}

pub fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// `y += factor * x`.
pub fn add(y: &mut [f64], factor: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

impl Svd {
    pub fn new(columns: &[Vec<f64>]) -> Self {
        // With large columns first, Jacobi needs fewer sweeps.
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by(|&a, &b| norm(&columns[b]).total_cmp(&norm(&columns[a])));
        let mut small: Vec<Vec<f64>> = order.iter().map(|&j| columns[j].clone()).collect();
        let reflectors = triangularize(&mut small);
        let mut right: Vec<Vec<f64>> = order.iter().map(|&j| unit(columns.len(), j)).collect();
        orthogonalize(&mut small, &mut right);

        let mut found: Vec<(f64, Vec<f64>, Vec<f64>)> = small
            .into_iter()
            .zip(right)
            .map(|(mut column, v)| {
                let sigma = norm(&column);
                if sigma > 0.0 {
                    column.iter_mut().for_each(|x| *x /= sigma);
                }
                (sigma, column, v)
            })
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut svd = Self { sigma: Vec::new(), right: Vec::new(), left: Vec::new(), reflectors };
        for (sigma, u, v) in found {
            svd.sigma.push(sigma);
            svd.left.push(u);
            svd.right.push(v);
        }
        svd
    }

    /// Computes `Uᵀ x`. A direction with σ = 0 has no left vector: its coordinate is 0.
    pub fn coordinates(&self, x: &[f64]) -> Vec<f64> {
        let mut x = x.to_vec();
        for (row, reflector) in self.reflectors.iter().enumerate() {
            reflect(&mut x[row..], reflector);
        }
        self.left.iter().map(|u| dot(u, &x[..u.len()])).collect()
    }

    /// Computes `U y`, of length `dim`.
    pub fn combine(&self, y: &[f64], dim: usize) -> Vec<f64> {
        let mut x = vec![0.0; dim];
        for (u, &y) in self.left.iter().zip(y) {
            add(&mut x[..u.len()], y, u);
        }
        for (row, reflector) in self.reflectors.iter().enumerate().rev() {
            reflect(&mut x[row..], reflector);
        }
        x
    }
}

pub fn unit(len: usize, index: usize) -> Vec<f64> {
    let mut e = vec![0.0; len];
    e[index] = 1.0;
    e
}

/// Computes `x - 2 w wᵀ x` for a unit vector w (or zero).
fn reflect(x: &mut [f64], w: &[f64]) {
    add(x, -2.0 * dot(w, x), w);
}

/// Householder QR: leaves R, of min(d, h) rows, in the columns, and returns the reflectors of Q.
fn triangularize(columns: &mut [Vec<f64>]) -> Vec<Vec<f64>> {
    let rows = columns[0].len();
    let count = rows.min(columns.len());
    let mut reflectors = Vec::new();
    for step in 0..count {
        let mut w = columns[step][step..].to_vec();
        let length = norm(&w);
        w[0] += if w[0] < 0.0 { -length } else { length };
        let scale = norm(&w);
        if scale > 0.0 {
            w.iter_mut().for_each(|x| *x /= scale);
        }
        for column in &mut columns[step..] {
            reflect(&mut column[step..], &w);
        }
        columns[step][step + 1..].fill(0.0);
        reflectors.push(w);
    }
    for column in columns {
        column.truncate(count);
    }
    reflectors
}

/// Rotates pairs of columns, and those of `right`, until all are orthogonal to working precision.
fn orthogonalize(columns: &mut [Vec<f64>], right: &mut [Vec<f64>]) {
    let tolerance = f64::EPSILON * (columns[0].len() as f64).sqrt();
    let mut squares: Vec<f64> = columns.iter().map(|c| dot(c, c)).collect();
    // If the rank of M is below h, columns shrink by a factor of 2⁻⁵³ a sweep: below this they count as 0.
    let nothing = 1e-280 * squares.iter().fold(0.0f64, |m, s| m.max(*s));
    for _sweep in 0..60 {
        let mut rotated = false;
        for p in 0..columns.len() {
            for q in p + 1..columns.len() {
                let product = dot(&columns[p], &columns[q]);
                let orthogonal = product.abs() <= tolerance * squares[p].sqrt() * squares[q].sqrt();
                if orthogonal || squares[p].min(squares[q]) <= nothing {
                    continue;
                }
                rotated = true;
                let zeta = (squares[q] - squares[p]) / (2.0 * product);
                let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                for pair in [&mut *columns, &mut *right] {
                    let (head, tail) = pair.split_at_mut(q);
                    rotate(&mut head[p], &mut tail[0], cosine, cosine * tangent);
                }
                squares[p] = dot(&columns[p], &columns[p]);
                squares[q] = dot(&columns[q], &columns[q]);
            }
        }
        if !rotated {
            let lacking = columns.iter_mut().zip(&squares).filter(|(_, square)| **square <= nothing);
            lacking.for_each(|(column, _)| column.fill(0.0));
            return;
        }
    }
    panic!("the oracle's SVD did not converge: {} columns, squares {squares:?}", columns.len());
}

fn rotate(a: &mut [f64], b: &mut [f64], cosine: f64, sine: f64) {
    for (a, b) in a.iter_mut().zip(b) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

//! An independent truth: eigendecompositions by Jacobi's rotations in double-double arithmetic (32 digits), and how far
//! rounding C once may move what follows from it.

use core::ops::{Add, Div, Mul, Neg, Sub};

/// A sum of two numbers, the second below the rounding of the first (Dekker, Numerische Mathematik 18, 1971).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Double(pub f64, f64);

fn two_sum(a: f64, b: f64) -> Double {
    let sum = a + b;
    let part = sum - a;
    Double(sum, (a - (sum - part)) + (b - part))
}

fn quick_sum(a: f64, b: f64) -> Double {
    let sum = a + b;
    Double(sum, b - (sum - a))
}

fn two_product(a: f64, b: f64) -> Double {
    let split = |x: f64| {
        let large = 134_217_729.0 * x;
        let high = large - (large - x);
        (high, x - high)
    };
    let product = a * b;
    let ((a1, a2), (b1, b2)) = (split(a), split(b));
    Double(product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2)
}

impl From<f64> for Double {
    fn from(x: f64) -> Self {
        Self(x, 0.0)
    }
}

impl Add for Double {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let (high, low) = (two_sum(self.0, other.0), two_sum(self.1, other.1));
        let high = quick_sum(high.0, high.1 + low.0);
        quick_sum(high.0, high.1 + low.1)
    }
}

impl Neg for Double {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0, -self.1)
    }
}

impl Sub for Double {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Double {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let product = two_product(self.0, other.0);
        quick_sum(product.0, product.1 + (self.0 * other.1 + self.1 * other.0))
    }
}

impl Div for Double {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let first = self.0 / other.0;
        let rest = self - other * first.into();
        let second = rest.0 / other.0;
        let rest = rest - other * second.into();
        quick_sum(first, second) + (rest.0 / other.0).into()
    }
}

impl Double {
    pub fn sqrt(self) -> Self {
        if self.0 <= 0.0 {
            return 0.0.into();
        }
        let root: Self = self.0.sqrt().into();
        let root = (root + self / root) * 0.5.into();
        (root + self / root) * 0.5.into()
    }
}

/// A matrix's directions.
pub struct Reference {
    size: usize,
    pub values: Vec<Double>,
    /// By direction.
    vectors: Vec<Vec<Double>>,
    /// `Σ |Vⱼ|·‖Mⱼ‖` of each direction: what rounding in C is relative to, as seen from it.
    reaches: Vec<f64>,
}

/// The true coefficients and what may be asked of computed ones.
pub struct Truth {
    pub coefficients: Vec<Double>,
    /// ‖u‖.
    pub norm: f64,
    /// How far one rounding of C moves u.
    pub limit: f64,
    /// And ‖u‖², through its eigenvalues.
    pub square_limit: f64,
}

impl Reference {
    /// Cyclic Jacobi (Golub and Van Loan, Matrix Computations, section 8.5.3), until every entry is nothing against its
    /// row and column.
    pub fn new(size: usize, entries: &[f64]) -> Self {
        let mut a: Vec<Vec<Double>> =
            entries.chunks(size).map(|row| row.iter().map(|&entry| entry.into()).collect()).collect();
        let mut v: Vec<Vec<Double>> =
            (0..size).map(|i| (0..size).map(|j| f64::from(u8::from(i == j)).into()).collect()).collect();
        let largest = entries.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        for _ in 0..60 {
            let mut rotated = false;
            for p in 0..size {
                for q in p + 1..size {
                    let mixed = a[p][q];
                    let own = (a[p][p].0.abs() * a[q][q].0.abs()).sqrt().max(1e-26 * largest);
                    if mixed.0.abs() <= 1e-28 * own {
                        continue;
                    }
                    rotated = true;
                    let theta = (a[q][q] - a[p][p]) / (mixed + mixed);
                    let one = Double::from(1.0);
                    let tangent = if theta.0.abs() > 1e100 {
                        Double::from(0.5) / theta
                    } else {
                        let root = (theta * theta + one).sqrt();
                        one / if theta.0 < 0.0 { theta - root } else { theta + root }
                    };
                    let cosine = one / (tangent * tangent + one).sqrt();
                    let sine = tangent * cosine;
                    let turn = |x: &mut Double, y: &mut Double| {
                        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
                    };
                    for row in &mut a {
                        let (left, right) = row.split_at_mut(q);
                        turn(&mut left[p], &mut right[0]);
                    }
                    for matrix in [&mut a, &mut v] {
                        let (left, right) = matrix.split_at_mut(q);
                        left[p].iter_mut().zip(&mut right[0]).for_each(|(x, y)| turn(x, y));
                    }
                }
            }
            if !rotated {
                break;
            }
        }
        let norms: Vec<f64> = (0..size).map(|i| entries[i * size + i].sqrt()).collect();
        let reaches = v.iter().map(|v| v.iter().zip(&norms).map(|(v, norm)| v.0.abs() * norm).sum()).collect();
        Self { size, values: (0..size).map(|i| a[i][i]).collect(), vectors: v, reaches }
    }

    /// σ²max.
    pub fn largest(&self) -> f64 {
        self.values.iter().fold(0.0, |largest, value| value.0.max(largest))
    }

    /// `(C + ε'I)^(−1/2) a`.
    pub fn truth(&self, shift: f64, a: &[f64]) -> Truth {
        let zero = Double::from(0.0);
        let shifted: Vec<Double> = self.values.iter().map(|&value| value + shift.into()).collect();
        let parts: Vec<Double> =
            (self.vectors.iter()).map(|v| v.iter().zip(a).fold(zero, |sum, (&v, &a)| sum + v * a.into())).collect();
        let mut coefficients = vec![zero; self.size];
        let (mut norm2, mut limit, mut square_limit) = (zero, 0.0, 0.0);
        for i in 0..self.size {
            let part = parts[i] / shifted[i].sqrt();
            norm2 = norm2 + part * part * self.values[i];
            for (c, &v) in coefficients.iter_mut().zip(&self.vectors[i]) {
                *c = *c + part * v;
            }
            // The divided difference of f between two directions is 1/(√x √y (√x + √y)).
            let root = |j: usize| shifted[j].0.sqrt();
            let moved: f64 = (0..self.size)
                .map(|j| self.reaches[j] * parts[j].0.abs() / (root(i) * root(j) * (root(i) + root(j))))
                .map(|moved| moved * moved)
                .sum();
            limit += self.values[i].0.max(0.0) * (UNIT * self.reaches[i]).powi(2) * moved;
            square_limit += part.0 * part.0 * UNIT * self.reaches[i].powi(2);
        }
        Truth { coefficients, norm: norm2.sqrt().0, limit: limit.sqrt(), square_limit }
    }

    /// ‖M(c − c')‖.
    pub fn distance(&self, c: &[Double], computed: &[f64]) -> f64 {
        let along = |v: &Vec<Double>| {
            let parts = v.iter().zip(c).zip(computed);
            parts.fold(Double::from(0.0), |sum, ((&v, &c), &computed)| sum + v * (c - computed.into()))
        };
        let squares = self.vectors.iter().zip(&self.values).map(|(v, value)| along(v).0.powi(2) * value.0.max(0.0));
        squares.sum::<f64>().sqrt()
    }
}

/// f64's unit roundoff.
pub const UNIT: f64 = f64::EPSILON / 2.0;

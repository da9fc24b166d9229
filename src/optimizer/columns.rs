//! The Gram matrix of the weighted and centered columns (steps 1 and 2 of the update rule), and step 5 for a vector
//! whose products with the columns are known.

use super::ring::Ring;
use crate::config::Config;
use crate::error::Result;
use crate::gram::Candidate;
use crate::spectral::{Entries, Preconditioner, Solution, Vector, Workspace};

/// The Gram matrix of the weighted and centered columns.
pub(super) struct Weighted<'a> {
    gram: Candidate<'a>,
    /// Weights by slot; `None` if all are 1.
    weights: Option<&'a [f64]>,
    /// With centering: the means of the rows of the weighted matrix, and the mean of these means.
    pub centering: Option<(&'a [f64], f64)>,
}

impl<'a> Weighted<'a> {
    /// Weights and centers `gram`. `weights` and `means` are scratch.
    pub fn new(config: &Config, ring: Ring, gram: Candidate<'a>, weights: &'a mut [f64], means: &'a mut [f64]) -> Self {
        let held = ring.held;
        let mut matrix = Self { gram, weights: None, centering: None };
        if config.history_decay != 1.0 {
            let weights = &mut weights[..held];
            for (slot, weight) in weights.iter_mut().enumerate() {
                *weight = config.history_decay.powi(ring.age(slot) as i32);
            }
            matrix.weights = Some(weights);
        }
        if config.centered && held > 1 {
            let means = &mut means[..held];
            for (i, row) in means.iter_mut().enumerate() {
                *row = (0..held).map(|j| matrix.at(i, j)).sum::<f64>() / held as f64;
            }
            let mean = average(means);
            matrix.centering = Some((means, mean));
        }
        matrix
    }

    /// Replaces each number, by slot, by `weigh(number, weight of the slot)`. Does nothing if all weights are 1.
    pub fn weigh(&self, numbers: &mut [f64], weigh: impl Fn(f64, f64) -> f64) {
        if let Some(weights) = self.weights {
            for (number, weight) in numbers.iter_mut().zip(weights) {
                *number = weigh(*number, *weight);
            }
        }
    }

    /// Whether the matrix is `gram` itself.
    fn is_plain(&self) -> bool {
        self.weights.is_none() && self.centering.is_none()
    }

    fn weight(&self, slot: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[slot])
    }
}

impl Entries for Weighted<'_> {
    fn at(&self, i: usize, j: usize) -> f64 {
        let entry = self.weight(i) * self.weight(j) * self.gram.at(i, j);
        self.centering.map_or(entry, |(means, mean)| entry - means[i] - means[j] + mean)
    }

    fn norm(&self, j: usize) -> f64 {
        // A centered column is a difference. This is the sum of the norms of its two terms.
        let mean = self.centering.map_or(0.0, |(_, mean)| mean.max(0.0).sqrt());
        self.weight(j) * self.gram.norm(j) + mean
    }

    fn diagonal(&self, target: &mut [f64]) {
        if self.is_plain() {
            return self.gram.diagonal(target);
        }
        target.iter_mut().enumerate().for_each(|(i, entry)| *entry = self.at(i, i));
    }

    fn arranged<'a>(&self, order: &[usize], scale: f64, columns: impl Iterator<Item = (usize, &'a mut [f64])>) {
        if self.is_plain() {
            return self.gram.arranged(order, scale, columns);
        }
        for (&j, (first, column)) in order.iter().zip(columns) {
            for (entry, &i) in column.iter_mut().zip(&order[first..]) {
                *entry = scale * self.at(i, j);
            }
        }
    }
}

/// Computes the coefficients that precondition a vector, from its products with the columns. The vector may leave the
/// span of the columns. `norm2` is its squared norm.
pub(super) fn general(
    config: &Config,
    matrix: &Weighted<'_>,
    products: &mut [f64],
    norm2: f64,
    workspace: &mut Workspace,
    coefficients: &mut [f64],
) -> Result<Solution> {
    let centered = matrix.centering.is_some();
    matrix.weigh(products, |product, weight| product * weight);
    if centered {
        subtract_mean(products);
    }
    let vector = Vector::Products { products, norm2, orthogonal_scale: config.orthogonal_scale };
    let solution = workspace.solve(&Preconditioner::new(config), matrix, &vector, coefficients)?;
    if centered {
        subtract_mean(coefficients);
    }
    matrix.weigh(coefficients, |c, weight| c * weight);
    Ok(solution)
}

fn average(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

pub(super) fn subtract_mean(x: &mut [f64]) {
    let mean = average(x);
    x.iter_mut().for_each(|x| *x -= mean);
}

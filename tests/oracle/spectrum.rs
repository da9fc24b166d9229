//! Steps 1, 2 and 4 of the update rule: the weighted, centered window, its tall SVD, and the directions that the rule
//! keeps.

use lmada::Config;

use super::svd::{Svd, add, norm};

/// One direction of the window's SVD.
#[derive(Clone, Copy, Debug)]
pub struct Direction {
    /// σ².
    pub lambda: f64,
    /// `Σ |Vⱼᵢ|·‖Mⱼ‖`, centered `Σ |Vⱼᵢ|·(‖Mⱼ‖ + ‖M̄‖)`: the rounding error of C along this direction is relative to
    /// it.
    pub reach: f64,
    /// Whether the rule keeps this direction.
    pub present: bool,
    /// Whether rounding of σ² and of the noise floor cannot change that decision. If it can, both answers are right.
    pub decided: bool,
    /// σ²; for an undecided direction, the smallest σ² with which the library may keep it.
    pub seen: f64,
}

/// Comparisons of σ² with a noise floor are undecided within this factor.
const FACTOR: f64 = 4.0;

/// Error of an eigenvalue of C, in units of the largest.
const UNITS: f64 = 8.0;

pub struct Spectrum {
    pub svd: Svd,
    pub directions: Vec<Direction>,
    /// ε' of step 4.
    pub eps: f64,
    pub max: f64,
    /// σ²max before centering, for noise floors.
    pub size: f64,
}

impl Spectrum {
    /// `window`: the stored gradients, oldest first.
    pub fn new(config: &Config, window: &[Vec<f64>]) -> Self {
        let count = window.len();
        let weighted: Vec<Vec<f64>> = (window.iter().enumerate())
            .map(|(j, g)| {
                let weight = config.history_decay.powi((count - 1 - j) as i32);
                g.iter().map(|x| weight * x).collect()
            })
            .collect();
        let centered = config.centered && count >= 2;
        let of_mean = if centered { norm(&mean(&weighted)) } else { 0.0 };
        let norms: Vec<f64> = weighted.iter().map(|column| norm(column)).collect();
        let svd = if centered { Svd::new(&center(weighted)) } else { Svd::new(&weighted) };

        let max = svd.sigma[0] * svd.sigma[0];
        let eps = config.eps + config.eps_relative * max;
        let reaches = |more: f64| -> Vec<f64> {
            (svd.right.iter()).map(|v| v.iter().zip(&norms).map(|(v, n)| v.abs() * (n + more)).sum()).collect()
        };
        let size = reaches(0.0).iter().fold(0.0f64, |size, reach| size.max(reach * reach));
        let reaches = reaches(of_mean);
        let directions = (svd.sigma.iter().zip(reaches))
            .map(|(sigma, reach)| {
                let floor = count as f64 * f64::EPSILON * reach * reach;
                let lambda = sigma * sigma;
                let present = present(config, lambda, floor, max);
                let above = FACTOR * lambda + UNITS * f64::EPSILON / 2.0 * size;
                let answers = [lambda / FACTOR, lambda, above].map(|lambda| {
                    let floors = [floor / FACTOR, floor, FACTOR * floor];
                    floors.map(|floor| self::present(config, lambda, floor, max))
                });
                // Directions of zero gradients only have exact zeros in C.
                let decided = reach == 0.0 || answers.iter().flatten().all(|&answer| answer == present);
                // If ε' may be above the floor, the direction may be kept with any computed eigenvalue.
                let any = !leaves_span(config) && is_regularised(config, floor / FACTOR, max);
                let seen = if decided {
                    lambda
                } else if any {
                    0.0
                } else {
                    lambda.max(floor / FACTOR)
                };
                Direction { lambda, reach, present, decided, seen }
            })
            .collect();
        Self { svd, directions, eps, max, size }
    }

    /// f of step 5.
    pub fn f(&self, config: &Config, lambda: f64) -> f64 {
        if config.eps_on_root {
            let eps = config.eps + config.eps_relative * self.max.powf(config.power);
            1.0 / (lambda.powf(config.power) + eps)
        } else {
            (lambda + self.eps).powf(-config.power)
        }
    }
}

/// Whether v may have a part outside the span of M.
pub fn leaves_span(config: &Config) -> bool {
    config.centered || config.momentum_kind == lmada::Momentum::Gradient
}

fn present(config: &Config, lambda: f64, floor: f64, max: f64) -> bool {
    let leaves = leaves_span(config);
    let noise = lambda <= floor && (!is_regularised(config, floor, max) || leaves);
    let small = lambda <= config.rank_tol * max && (leaves || !is_regularised(config, 0.0, max));
    !noise && !small
}

/// Whether ε' is above a noise floor. With `eps_on_root`, ε is compared with the power of the floor.
fn is_regularised(config: &Config, floor: f64, max: f64) -> bool {
    let (scale, floor) =
        if config.eps_on_root { (max.powf(config.power), floor.powf(config.power)) } else { (max, floor) };
    config.eps + config.eps_relative * scale > floor
}

fn mean(columns: &[Vec<f64>]) -> Vec<f64> {
    let mut mean = vec![0.0; columns[0].len()];
    for column in columns {
        add(&mut mean, 1.0 / columns.len() as f64, column);
    }
    mean
}

fn center(mut columns: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mean = mean(&columns);
    for column in &mut columns {
        add(column, -1.0, &mean);
    }
    columns
}

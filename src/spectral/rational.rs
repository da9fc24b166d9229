//! `x^(−1/2)` as a sum of poles: `√m Σⱼ ωⱼ/(x + m sⱼ²)` on `[m, κm]`.
//!
//! It is the midpoint rule for `x^(−1/2) = (2/π)∫₀^∞ dt/(x + t²)` after the substitution `t = √m·sc(u|k')`, whose
//! period makes the rule converge geometrically: method 3 of Hale, Higham and Trefethen, Computing A^α, log(A), and
//! related matrix functions by contour integrals (SIAM J. Numer. Anal. 46(5), 2008). The result is Zolotarev's best
//! approximation in the relative sense, with an error of `4·exp(−2π²N/ℓ)` for N poles.
//!
//! Here ℓ = π K'/K = ln(1/q), with q the nome of the modulus `k = κ^(−1/2)`. All of it follows from ℓ by theta
//! functions, whose series in q need two to four terms (NIST Digital Library of Mathematical Functions, sections 20.2
//! and 22.2):
//!
//! - `κ = (ϑ₃/ϑ₂)⁴`, as `√k = ϑ₂/ϑ₃`, and `K = ½πϑ₃²`, `K' = ½ℓϑ₃²`;
//! - `sc(u|k') = sn(iu|k)/i = ϑ₃/ϑ₂·Θ₁(η)/Θ₄(η)`, `η = πu/(2K)`, with ϑ₁ and ϑ₄ at iη: sines become hyperbolic;
//! - `sc(K' − u) = 1/(k·sc(u))`, so that η is never large and no digit is lost;
//! - `ωⱼ = 2K'/(πN)·sc'(uⱼ)`, `sc' = √((1 + sc²)(1 + k²sc²))`.

use core::f64::consts::PI;

use super::tridiagonal::F64x8;
use crate::error::Result;
use crate::memory::Buffer;
use crate::simd::LANES;

/// Least relative error of the approximation. Rounding errors hide a smaller one.
pub(crate) const LEAST_ERROR: f64 = 1e-13;

/// The largest relative error allowed where results are rounded with this unit roundoff: half the roundoff.
pub(crate) fn error(roundoff: f64) -> f64 {
    (roundoff / 2.0).max(LEAST_ERROR)
}

/// Table i has i + 1 eights of poles. Eight eights reach up to κ = 2e16 at the least error, and above 2⁵² no direction
/// is safe from noise.
const TABLES: usize = 8;

/// Tables for several lengths of the interval, shortest first.
pub(crate) struct Tables {
    /// For each table `1 + sⱼ²`, then `ωⱼ`.
    numbers: Buffer<f64>,
    /// κ of each table.
    reaches: [f64; TABLES],
}

/// One approximation of `λ ↦ (λ + 1)^(−1/2)` from 0 to κ − 1: `Σ weights/(λ + shifts)`.
pub(crate) struct Poles<'a> {
    /// `1 + sⱼ²`.
    pub shifts: &'a [F64x8],
    /// `ωⱼ`.
    pub weights: &'a [F64x8],
}

impl Tables {
    /// Computes all of them, with at most this relative error.
    pub fn new(error: f64) -> Result<Self> {
        let mut numbers = Buffer::zeroed(2 * start(TABLES) * LANES, "the poles of the k×k solver")?;
        let mut reaches = [0.0; TABLES];
        for (table, reach) in reaches.iter_mut().enumerate() {
            let numbers = &mut numbers[2 * start(table) * LANES..2 * start(table + 1) * LANES];
            let (shifts, weights) = numbers.split_at_mut((table + 1) * LANES);
            *reach = fill(shifts, weights, error);
        }
        Ok(Self { numbers, reaches })
    }

    pub fn bytes(&self) -> usize {
        self.numbers.bytes()
    }

    /// The smallest table that reaches up to κ, if there is one.
    pub fn for_reach(&self, reach: f64) -> Option<Poles<'_>> {
        let table = self.reaches.iter().position(|&reaches| reaches >= reach)?;
        let eights = self.numbers.as_chunks().0;
        let (shifts, weights) = eights[2 * start(table)..2 * start(table + 1)].split_at(table + 1);
        Some(Poles { shifts, weights })
    }
}

/// Eights of poles in the tables before `table`.
const fn start(table: usize) -> usize {
    table * (table + 1) / 2
}

/// Fills a table and returns its κ.
fn fill(shifts: &mut [f64], weights: &mut [f64], error: f64) -> f64 {
    let count = shifts.len();
    let l = 2.0 * PI * PI * count as f64 / (4.0 / error).ln();
    // Terms decrease as q^(n² − n/2), with q ≤ 0.01.
    let terms = || (0..6).map(f64::from);
    let q = |power: f64| (-l * power).exp();
    let theta2 = 2.0 * terms().map(|n| q((n + 0.5) * (n + 0.5))).sum::<f64>();
    let theta3 = 1.0 + 2.0 * terms().skip(1).map(|n| q(n * n)).sum::<f64>();
    let modulus = (theta2 / theta3).powi(2);
    let sign = |n: f64| if n % 2.0 == 0.0 { 1.0 } else { -1.0 };
    let sc = |eta: f64| {
        let theta1 =
            2.0 * terms().map(|n| sign(n) * q((n + 0.5) * (n + 0.5)) * ((2.0 * n + 1.0) * eta).sinh()).sum::<f64>();
        let theta4 = 1.0 + 2.0 * terms().skip(1).map(|n| sign(n) * q(n * n) * (2.0 * n * eta).cosh()).sum::<f64>();
        theta3 / theta2 * theta1 / theta4
    };
    let step = l * theta3 * theta3 / (PI * count as f64);
    for j in 0..count {
        let from_near_end = j.min(count - 1 - j);
        let near = sc(l * (from_near_end as f64 + 0.5) / (2.0 * count as f64));
        let s = if from_near_end == j { near } else { 1.0 / (modulus * near) };
        shifts[j] = 1.0 + s * s;
        weights[j] = step * ((1.0 + s * s) * (1.0 + (modulus * s).powi(2))).sqrt();
    }
    1.0 / (modulus * modulus)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(poles: &Poles<'_>, error: f64, reach: f64, count: usize) {
        let (shifts, weights) = (poles.shifts.as_flattened(), poles.weights.as_flattened());
        assert_eq!((shifts.len(), weights.len()), (count, count));
        assert!(shifts.is_sorted() && shifts[0] > 1.0);
        let mut worst = 0.0f64;
        let points = 20_000;
        for point in 0..=points {
            let x = reach.powf(f64::from(point) / f64::from(points));
            let sum: f64 = shifts.iter().zip(weights).map(|(shift, weight)| weight / ((x - 1.0) + shift)).sum();
            worst = worst.max((sum * x.sqrt() - 1.0).abs());
        }
        // The sum rounds too, by a unit a term at most.
        assert!(worst <= 1.01 * error + 4.0 * f64::EPSILON, "{count} poles up to {reach:e}: {worst:e}");
        // No table is larger than its error allows: a tenth more of the interval's logarithm breaks it.
        let beyond = reach.powf(1.1);
        let sum: f64 = shifts.iter().zip(weights).map(|(shift, weight)| weight / ((beyond - 1.0) + shift)).sum();
        assert!((sum * beyond.sqrt() - 1.0).abs() > error, "{count} poles reach further than {reach:e}");
    }

    #[test]
    fn every_table_keeps_its_error() {
        for unit in [f32::EPSILON.into(), f64::EPSILON].map(|epsilon: f64| epsilon / 2.0) {
            let error = error(unit);
            let tables = Tables::new(error).unwrap();
            let mut least = 1.0;
            for (table, &reach) in tables.reaches.iter().enumerate() {
                // Behind the reach of doubles there is nothing to measure with.
                if least > 1.0 / f64::EPSILON {
                    break;
                }
                assert!(reach > least);
                let count = (table + 1) * LANES;
                check(&tables.for_reach(least * (1.0 + 1e-9)).unwrap(), error, reach, count);
                check(&tables.for_reach(reach).unwrap(), error, reach, count);
                least = reach;
            }
            assert!(least > 1.0 / f64::EPSILON && tables.for_reach(1.0).is_some());
            let most = tables.reaches[TABLES - 1];
            assert!(tables.for_reach(2.0 * most).is_none() && tables.for_reach(f64::NAN).is_none());
        }
    }
}

//! Solves with a shifted tridiagonal matrix for many shifts at once, a shift a lane.
//!
//! `T + tI = LDLᵀ` without pivoting, which needs none where the matrix is positive definite (Golub and Van Loan, Matrix
//! Computations, section 4.3.6). With δ the pivots, `δᵢ₊₁ = αᵢ₊₁ + t − βᵢ²/δᵢ` and `lᵢ = βᵢ/δᵢ`.

use super::lanes::{BLOCK, Load};
use super::reduce::restore;
use super::symmetric::{Block, Solved, System};

/// See [`super::symmetric::SymmetricKernels::solve`].
#[inline(always)]
pub(super) fn solve<L: Load<f64>>(
    lanes: L,
    system: &mut System<'_>,
    shifts: &[Block],
    weights: &[Block],
    m: f64,
) -> Solved {
    let size = system.size;
    let blocks = size.div_ceil(BLOCK);
    let (sums, work) = system.work.split_at_mut(BLOCK * blocks);
    sums.fill([0.0; BLOCK]);
    let (diagonal, beside) = (system.diagonal.as_flattened(), system.beside.as_flattened());
    let vector = system.vector.as_flattened();
    let rows = (&diagonal[..size], &beside[..size], &vector[..size]);
    let mut least = lanes.splat(f64::INFINITY);
    let (unit, root) = (lanes.splat(m), lanes.splat(m.sqrt()));
    for (shift, weight) in shifts.iter().zip(weights) {
        let pole = [lanes.mul(unit, lanes.load(shift)), lanes.mul(root, lanes.load(weight))];
        least = eliminate(lanes, rows, pole, [&mut sums[..size], work], least);
    }
    let mut pivots = [0.0; BLOCK];
    lanes.store(least, &mut pivots);

    for (eight, y) in sums.as_chunks::<BLOCK>().0.iter().zip(&mut *system.vector) {
        let mut wides = [lanes.splat(0.0); BLOCK];
        for (wide, sum) in wides.iter_mut().zip(eight) {
            *wide = lanes.load(sum);
        }
        lanes.store(lanes.totals(wides), y);
    }
    let form = form(lanes, &system.diagonal[..blocks], &system.beside[..blocks], system.vector);
    restore(lanes, system);
    Solved { least_pivot: pivots.into_iter().fold(f64::INFINITY, f64::min), form }
}

/// Adds to `sums`, row by row, the solutions for eight shifts times their weights, each in its lane. Returns the least
/// of `least` and the pivots.
#[inline(always)]
fn eliminate<L: Load<f64>>(
    lanes: L,
    (diagonal, beside, vector): (&[f64], &[f64], &[f64]),
    [shift, weight]: [L::Wide; 2],
    [sums, work]: [&mut [Block]; 2],
    mut least: L::Wide,
) -> L::Wide {
    let size = diagonal.len();
    let (factors, scaled) = work.split_at_mut(size);
    let (beside, vector, scaled) = (&beside[..size], &vector[..size], &mut scaled[..size]);
    let one = lanes.splat(1.0);
    let mut pivot = lanes.add(lanes.splat(diagonal[0]), shift);
    let mut z = lanes.mul(weight, lanes.splat(vector[0]));
    for i in 0..size {
        least = lanes.min(least, pivot);
        let inverse = lanes.div(one, pivot);
        let factor = lanes.mul(lanes.splat(beside[i]), inverse);
        lanes.store(factor, &mut factors[i]);
        lanes.store(lanes.mul(z, inverse), &mut scaled[i]);
        if i + 1 < size {
            // βᵢ² may underflow: then it is nothing against the shift.
            pivot = lanes.add(lanes.splat(diagonal[i + 1]), shift);
            let square = lanes.splat(beside[i] * beside[i]);
            pivot = lanes.mul_sub_from(square, inverse, pivot);
            z = lanes.mul_sub_from(factor, z, lanes.mul(weight, lanes.splat(vector[i + 1])));
        }
    }
    let mut x = lanes.splat(0.0);
    for ((factor, scaled), sum) in factors.iter().zip(&*scaled).zip(sums).rev() {
        x = lanes.mul_sub_from(lanes.load(factor), x, lanes.load(scaled));
        lanes.store(lanes.add(lanes.load(sum), x), sum);
    }
    least
}

/// `yᵀTy = Σ yᵢ(αᵢyᵢ + 2βᵢyᵢ₊₁)`. y has a block of zeros behind it.
#[inline(always)]
fn form<L: Load<f64>>(lanes: L, diagonal: &[Block], beside: &[Block], y: &[Block]) -> f64 {
    let next = y.as_flattened()[1..].as_chunks::<BLOCK>().0;
    let mut sum = lanes.splat(0.0);
    for (((diagonal, beside), y), next) in diagonal.iter().zip(beside).zip(y).zip(next) {
        let (y, next) = (lanes.load(y), lanes.load(next));
        let twice = lanes.mul(lanes.load(beside), lanes.add(next, next));
        sum = lanes.mul_add(y, lanes.mul_add(lanes.load(diagonal), y, twice), sum);
    }
    lanes.total(sum)
}

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
    let rows = (&diagonal[..size + 1], &beside[..size], &vector[..size + 1]);
    let mut least = lanes.splat(f64::INFINITY);
    let (unit, root) = (lanes.splat(m), lanes.splat(m.sqrt()));
    // Two at a time hide each other's divisions.
    let mut rest = shifts.iter().zip(weights);
    while let Some((shift, weight)) = rest.next() {
        let pole = [lanes.mul(unit, lanes.load(shift)), lanes.mul(root, lanes.load(weight))];
        if let Some((shift, weight)) = rest.next() {
            let other = [lanes.mul(unit, lanes.load(shift)), lanes.mul(root, lanes.load(weight))];
            least = eliminate(lanes, rows, [pole, other], [&mut sums[..size], work], least);
        } else {
            least = eliminate(lanes, rows, [pole], [&mut sums[..size], work], least);
        }
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

/// Adds to `sums`, row by row, the solutions for blocks of shifts times their weights, each in its lane. Returns the
/// least of `least` and the first block's pivots. Behind the diagonal and the vector stands one number more.
#[inline(always)]
fn eliminate<L: Load<f64>, const COUNT: usize>(
    lanes: L,
    (diagonal, beside, vector): (&[f64], &[f64], &[f64]),
    poles: [[L::Wide; 2]; COUNT],
    [sums, work]: [&mut [Block]; 2],
    mut least: L::Wide,
) -> L::Wide {
    let size = beside.len();
    let (sums, kept) = (&mut sums[..size], &mut work.as_chunks_mut().0.as_chunks_mut().0[..size]);
    let kept: &mut [[[Block; 2]; COUNT]] = kept;
    let one = lanes.splat(1.0);
    let mut pivots = [lanes.splat(diagonal[0]); COUNT];
    for (pivot, [shift, _]) in pivots.iter_mut().zip(poles) {
        *pivot = lanes.add(*pivot, shift);
    }
    let mut z = [lanes.splat(vector[0]); COUNT];
    let next = diagonal[1..].iter().zip(&vector[1..]);
    for ((kept, beside), (diagonal, part)) in kept.iter_mut().zip(beside).zip(next) {
        let (diagonal, beside, part) = (lanes.splat(*diagonal), lanes.splat(*beside), lanes.splat(*part));
        // Pivots grow with the shift, as long as all are positive: the first are the least.
        least = lanes.min(least, pivots[0]);
        for j in 0..COUNT {
            let inverse = lanes.div(one, pivots[j]);
            let factor = lanes.mul(beside, inverse);
            lanes.store(factor, &mut kept[j][0]);
            lanes.store(lanes.mul(z[j], inverse), &mut kept[j][1]);
            pivots[j] = lanes.mul_sub_from(beside, factor, lanes.add(diagonal, poles[j][0]));
            z[j] = lanes.mul_sub_from(factor, z[j], part);
        }
    }
    let mut x = [lanes.splat(0.0); COUNT];
    for (kept, sum) in kept.iter().zip(sums).rev() {
        let mut total = lanes.load(sum);
        for j in 0..COUNT {
            x[j] = lanes.mul_sub_from(lanes.load(&kept[j][0]), x[j], lanes.load(&kept[j][1]));
            total = lanes.mul_add(poles[j][1], x[j], total);
        }
        lanes.store(total, sum);
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

//! Solves with a shifted tridiagonal matrix for many shifts at once, a shift a lane.
//!
//! `T + tI = LDLᵀ` without pivoting, which is stable where the matrix is positive definite (Golub and Van Loan, Matrix
//! Computations, section 4.3.6). With δ the pivots, `δᵢ₊₁ = αᵢ₊₁ + t − βᵢ²/δᵢ` and `lᵢ = βᵢ/δᵢ`.

use super::householder::restore;
use super::system::{F64x8, System};
use crate::simd::{LANES, Lanes, kernels};

/// Results of a solve other than the solution.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Solved {
    /// The least pivot at the least shifts. Positive if and only if every shifted matrix was positive definite.
    pub least_pivot: f64,
    /// `yᵀTy` of the solution y.
    pub quadratic_form: f64,
}

kernels! {
    /// Solves with a shifted tridiagonal matrix.
    struct ShiftedKernels[] on Lanes;

    /// Replaces `Qᵀa` by `√m Q Σⱼ wⱼ (T + m tⱼI)⁻¹ Qᵀa`, over the shifts tⱼ and weights wⱼ in units of m.
    fn solve(lanes, system: &mut System<'_>, shifts: &[F64x8], weights: &[F64x8], m: f64) -> Solved {
        let size = system.size;
        let eights = size.div_ceil(LANES);
        let (sums, work) = system.work.split_at_mut(LANES * eights);
        sums.fill([0.0; LANES]);
        let (diagonal, off_diagonal) = (system.diagonal.as_flattened(), system.off_diagonal.as_flattened());
        let vector = system.vector.as_flattened();
        let rows = (&diagonal[..size + 1], &off_diagonal[..size], &vector[..size + 1]);
        let mut least = lanes.splat(f64::INFINITY);
        let (factor, root) = (lanes.splat(m), lanes.splat(m.sqrt()));
        // Two eights of shifts at a time hide each other's divisions.
        let mut rest = shifts.iter().zip(weights);
        while let Some((shift, weight)) = rest.next() {
            let pole = [lanes.mul(factor, lanes.load_f64s(shift)), lanes.mul(root, lanes.load_f64s(weight))];
            if let Some((shift, weight)) = rest.next() {
                let other = [lanes.mul(factor, lanes.load_f64s(shift)), lanes.mul(root, lanes.load_f64s(weight))];
                least = eliminate(lanes, rows, [pole, other], [&mut sums[..size], work], least);
            } else {
                least = eliminate(lanes, rows, [pole], [&mut sums[..size], work], least);
            }
        }
        let mut pivots = [0.0; LANES];
        lanes.store_f64s(least, &mut pivots);

        for (eight, y) in sums.as_chunks::<LANES>().0.iter().zip(&mut *system.vector) {
            let mut sums_of_rows = [lanes.splat(0.0); LANES];
            for (row, sum) in sums_of_rows.iter_mut().zip(eight) {
                *row = lanes.load_f64s(sum);
            }
            lanes.store_f64s(lanes.totals(sums_of_rows), y);
        }
        let (diagonal, off_diagonal) = (&system.diagonal[..eights], &system.off_diagonal[..eights]);
        let quadratic_form = quadratic_form(lanes, diagonal, off_diagonal, system.vector);
        restore(lanes, system);
        Solved { least_pivot: pivots.into_iter().fold(f64::INFINITY, f64::min), quadratic_form }
    }
}

/// Adds to `sums`, row by row, the solutions for `COUNT` eights of shifts times their weights, a shift a lane. Returns
/// the least of `least` and the pivots of the first eight. The diagonal and the vector have one number more than rows.
#[inline(always)]
fn eliminate<L: Lanes, const COUNT: usize>(
    lanes: L,
    (diagonal, off_diagonal, vector): (&[f64], &[f64], &[f64]),
    poles: [[L::F64s; 2]; COUNT],
    [sums, work]: [&mut [F64x8]; 2],
    mut least: L::F64s,
) -> L::F64s {
    let size = off_diagonal.len();
    let (sums, kept) = (&mut sums[..size], &mut work.as_chunks_mut().0.as_chunks_mut().0[..size]);
    let kept: &mut [[[F64x8; 2]; COUNT]] = kept;
    let one = lanes.splat(1.0);
    let mut pivots = [lanes.splat(diagonal[0]); COUNT];
    for (pivot, [shift, _]) in pivots.iter_mut().zip(poles) {
        *pivot = lanes.add(*pivot, shift);
    }
    let mut z = [lanes.splat(vector[0]); COUNT];
    let next = diagonal[1..].iter().zip(&vector[1..]);
    for ((kept, off_diagonal), (diagonal, part)) in kept.iter_mut().zip(off_diagonal).zip(next) {
        let (diagonal, off_diagonal, part) = (lanes.splat(*diagonal), lanes.splat(*off_diagonal), lanes.splat(*part));
        // As long as all pivots are positive, they grow with the shift: those of the first eight are the least.
        least = lanes.min(least, pivots[0]);
        for j in 0..COUNT {
            let inverse = lanes.div(one, pivots[j]);
            let factor = lanes.mul(off_diagonal, inverse);
            lanes.store_f64s(factor, &mut kept[j][0]);
            lanes.store_f64s(lanes.mul(z[j], inverse), &mut kept[j][1]);
            pivots[j] = lanes.mul_sub_from(off_diagonal, factor, lanes.add(diagonal, poles[j][0]));
            z[j] = lanes.mul_sub_from(factor, z[j], part);
        }
    }
    let mut x = [lanes.splat(0.0); COUNT];
    for (kept, sum) in kept.iter().zip(sums).rev() {
        let mut total = lanes.load_f64s(sum);
        for j in 0..COUNT {
            x[j] = lanes.mul_sub_from(lanes.load_f64s(&kept[j][0]), x[j], lanes.load_f64s(&kept[j][1]));
            total = lanes.mul_add(poles[j][1], x[j], total);
        }
        lanes.store_f64s(total, sum);
    }
    least
}

/// `yᵀTy = Σ yᵢ(αᵢyᵢ + 2βᵢyᵢ₊₁)`. A further eight of zeros follows y.
#[inline(always)]
fn quadratic_form<L: Lanes>(lanes: L, diagonal: &[F64x8], off_diagonal: &[F64x8], y: &[F64x8]) -> f64 {
    let next = y.as_flattened()[1..].as_chunks::<LANES>().0;
    let mut sum = lanes.splat(0.0);
    for (((diagonal, off_diagonal), y), next) in diagonal.iter().zip(off_diagonal).zip(y).zip(next) {
        let (y, next) = (lanes.load_f64s(y), lanes.load_f64s(next));
        let twice = lanes.mul(lanes.load_f64s(off_diagonal), lanes.add(next, next));
        sum = lanes.mul_add(y, lanes.mul_add(lanes.load_f64s(diagonal), y, twice), sum);
    }
    lanes.total(sum)
}

//! Householder's reduction of a symmetric matrix to tridiagonal form (Golub and Van Loan, Matrix Computations, section
//! 8.3.1), a column at a time from the first.
//!
//! With `H = I − βvvᵀ` and `p = βAv`, `HAH = A − vwᵀ − wvᵀ` where `w = p − ½β(pᵀv)v`. The update for one column is
//! subtracted while the product for the next column is summed, so that the matrix is read and written once a column.
//! The next column itself is updated before the others.
//!
//! v is not normalised: `v = x + sign(x₁)‖x‖e₁`, `β = 1/(‖x‖² + ‖x‖|x₁|)`, `Hx = −sign(x₁)‖x‖e₁`. A graded matrix whose
//! large rows come first keeps its grading: the small rows of v are those of the matrix.

use super::few_rows::{self, Progress};
use super::rows::{Rows, column_at, reflector};
use super::system::{F64x8, FEW, System, start_of};
use crate::simd::{LANES, Lanes, kernels};

/// Entry r has ones below row r.
const BELOW: [F64x8; LANES] = {
    let mut below = [[0.0; LANES]; LANES];
    let mut r = 0;
    while r < LANES {
        let mut i = r + 1;
        while i < LANES {
            below[r][i] = 1.0;
            i += 1;
        }
        r += 1;
    }
    below
};

kernels! {
    /// The reduction to tridiagonal form.
    struct ReductionKernels[] on Lanes;

    /// Reduces A to `T = QᵀAQ` and a to `Qᵀa`.
    fn reduce(lanes, system: &mut System<'_>) {
        let size = system.size;
        let eights = size.div_ceil(LANES);
        let (diagonal, off_diagonal) = (&mut system.diagonal[..eights + 1], &mut system.off_diagonal[..eights]);
        diagonal[eights - 1..].fill([0.0; LANES]);
        off_diagonal[eights - 1] = [0.0; LANES];
        let (diagonal, off_diagonal) = (diagonal.as_flattened_mut(), off_diagonal.as_flattened_mut());
        let factors = &mut system.factors[..size];
        let matrix = system.matrix[..start_of(size, eights)].as_mut_ptr();
        let vector = Rows(system.vector[..eights].as_mut_ptr());
        let (old, work) = system.work[..3 * eights].split_at_mut(eights);
        let (w, product) = work.split_at_mut(eights);
        // v and w of the update that is still to be made. The first v lies here, later ones in the matrix.
        old.fill([0.0; LANES]);
        w.fill([0.0; LANES]);
        let (mut v, w, product) = (Rows(old.as_mut_ptr()), Rows(w.as_mut_ptr()), Rows(product.as_mut_ptr()));

        // SAFETY: all `Rows` have eights up to `eights`: columns from that of their diagonal on, and v from that of the
        // row below its column's diagonal on. The slices above were checked to have them, and are not used until the
        // end. The same holds for the functions called here. Two `Rows` overlap only where both are only read.
        unsafe {
            if eights <= FEW {
                let mut r = Progress { size, matrix, factors, diagonal, off_diagonal, vector, v, w };
                few_rows::reduce(lanes, eights, &mut r);
                v = r.v;
            } else {
                for column in 0..size.saturating_sub(2) {
                    let x = column_at(matrix, column, eights);
                    let (on_diagonal, squares) = update_column(lanes, column, eights, x, v, w);
                    diagonal[column] = on_diagonal;
                    let start = column + 1;
                    let first = start / LANES;
                    let (factor, next) = reflector(lanes, start, eights, squares, x);
                    (factors[column], off_diagonal[column]) = (factor, next);
                    reflect(lanes, first, eights, factor, x, vector);
                    update_columns(lanes, start, size, matrix, [v, w, x], product);
                    let half = 0.5 * factor * (factor * dot(lanes, first, eights, product, x));
                    let (half, factor) = (lanes.splat(half), lanes.splat(factor));
                    for i in first..eights {
                        let scaled = lanes.mul(factor, product.load(lanes, i));
                        w.store(lanes, lanes.mul_sub_from(half, x.load(lanes, i), scaled), i);
                    }
                    v = x;
                }
            }

            // The last two rows, or the only row.
            let left = |i: usize, j: usize| {
                let entry = column_at(matrix, j, eights).number(i);
                entry - v.number(i) * w.number(j) - w.number(i) * v.number(j)
            };
            let last = size - 1;
            diagonal[last] = left(last, last);
            if last > 0 {
                diagonal[last - 1] = left(last - 1, last - 1);
                off_diagonal[last - 1] = left(last, last - 1);
            }
        }
    }
}

/// Replaces the vector y by `Q y`.
#[inline(always)]
pub(super) fn restore<L: Lanes>(lanes: L, system: &mut System<'_>) {
    let size = system.size;
    let eights = size.div_ceil(LANES);
    let matrix = system.matrix[..start_of(size, eights)].as_mut_ptr();
    let vector = Rows(system.vector[..eights].as_mut_ptr());
    let factors = &system.factors[..size];
    if eights <= FEW {
        // SAFETY: as in `reduce`.
        unsafe { few_rows::restore(lanes, eights, matrix, factors, vector) };
        return;
    }
    for (column, &factor) in factors[..size.saturating_sub(2)].iter().enumerate().rev() {
        // SAFETY: as in `reduce`.
        unsafe {
            reflect(lanes, (column + 1) / LANES, eights, factor, column_at(matrix, column, eights), vector);
        }
    }
}

/// Subtracts `vwᵀ + wvᵀ` from one column. Returns its entry on the diagonal and the sum of squares below the diagonal.
/// Sets the rows of the first eight down to the diagonal to zero.
///
/// # Safety
/// As in [`ReductionKernels::reduce`].
#[inline(always)]
unsafe fn update_column<L: Lanes>(lanes: L, column: usize, eights: usize, x: Rows, v: Rows, w: Rows) -> (f64, f64) {
    // SAFETY: the caller's promise.
    unsafe {
        let (of_v, of_w) = (v.number(column), w.number(column));
        let on_diagonal = x.number(column) - 2.0 * of_v * of_w;
        let (of_v, of_w) = (lanes.splat(of_v), lanes.splat(of_w));
        let first = column / LANES;
        let updated = lanes.mul_sub_from(v.load(lanes, first), of_w, x.load(lanes, first));
        let updated = lanes.mul_sub_from(w.load(lanes, first), of_v, updated);
        let below = lanes.mul(updated, lanes.load_f64s(&BELOW[column % LANES]));
        x.store(lanes, below, first);
        let mut squares = lanes.mul(below, below);
        for i in first + 1..eights {
            let updated = lanes.mul_sub_from(v.load(lanes, i), of_w, x.load(lanes, i));
            let updated = lanes.mul_sub_from(w.load(lanes, i), of_v, updated);
            squares = lanes.mul_add(updated, updated, squares);
            x.store(lanes, updated, i);
        }
        (on_diagonal, lanes.total(squares))
    }
}

/// `y ← Hy`, from eight `first` on.
///
/// # Safety
/// As in [`ReductionKernels::reduce`].
#[inline(always)]
unsafe fn reflect<L: Lanes>(lanes: L, first: usize, eights: usize, factor: f64, v: Rows, y: Rows) {
    // SAFETY: the caller's promise.
    unsafe {
        let along = lanes.splat(factor * dot(lanes, first, eights, v, y));
        for i in first..eights {
            y.store(lanes, lanes.mul_sub_from(along, v.load(lanes, i), y.load(lanes, i)), i);
        }
    }
}

/// `xᵀy` from eight `first` on.
///
/// # Safety
/// As in [`ReductionKernels::reduce`].
#[inline(always)]
unsafe fn dot<L: Lanes>(lanes: L, first: usize, eights: usize, x: Rows, y: Rows) -> f64 {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sum = lanes.mul(x.load(lanes, first), y.load(lanes, first));
        for i in first + 1..eights {
            sum = lanes.mul_add(x.load(lanes, i), y.load(lanes, i), sum);
        }
        lanes.total(sum)
    }
}

/// Subtracts `vwᵀ + wvᵀ` from the columns from `start` on, and sums the product of the result with x, the new v.
///
/// # Safety
/// As in [`ReductionKernels::reduce`].
#[inline(always)]
unsafe fn update_columns<L: Lanes>(
    lanes: L,
    start: usize,
    size: usize,
    matrix: *mut F64x8,
    vectors: [Rows; 3],
    product: Rows,
) {
    let eights = size.div_ceil(LANES);
    // SAFETY: the caller's promise.
    unsafe {
        for i in start / LANES..eights {
            product.store(lanes, lanes.splat(0.0), i);
        }
        let mut column = start;
        for first in start / LANES..eights {
            let end = size.min((first + 1) * LANES);
            let mut a = column_at(matrix, column, eights);
            // The products of the eights below with each column of this eight.
            let mut below = [lanes.splat(0.0); LANES];
            let mut head = product.load(lanes, first);
            while column + 1 < end {
                let pair = [a, Rows(a.0.wrapping_add(eights - first))];
                let sums = update_some(lanes, column, eights, pair, vectors, product, &mut head);
                (below[column % LANES], below[column % LANES + 1]) = (sums[0], sums[1]);
                a = Rows(a.0.wrapping_add(2 * (eights - first)));
                column += 2;
            }
            if column < end {
                [below[column % LANES]] = update_some(lanes, column, eights, [a], vectors, product, &mut head);
                column += 1;
            }
            if first + 1 < eights {
                head = lanes.add(head, lanes.totals(below));
            }
            product.store(lanes, head, first);
        }
    }
}

/// [`update_columns`] for `COUNT` columns whose diagonals lie in one eight. Adds their products with x to `head`, for
/// the eight on the diagonal, and to `product`, for the eights below. Returns the lanes of each column's product with x
/// over the eights below, not yet totalled.
///
/// # Safety
/// As in [`ReductionKernels::reduce`].
#[inline(always)]
unsafe fn update_some<L: Lanes, const COUNT: usize>(
    lanes: L,
    column: usize,
    eights: usize,
    columns: [Rows; COUNT],
    [v, w, x]: [Rows; 3],
    product: Rows,
    head: &mut L::F64s,
) -> [L::F64s; COUNT] {
    let first = column / LANES;
    let zeros = [lanes.splat(0.0); COUNT];
    let (mut of_v, mut of_w, mut of_x, mut sums) = (zeros, zeros, zeros, zeros);
    // SAFETY: the caller's promise.
    unsafe {
        let (v_head, w_head) = (v.load(lanes, first), w.load(lanes, first));
        for j in 0..COUNT {
            of_v[j] = lanes.splat(v.number(column + j));
            of_w[j] = lanes.splat(w.number(column + j));
            of_x[j] = lanes.splat(x.number(column + j));
            let a = lanes.mul_sub_from(v_head, of_w[j], columns[j].load(lanes, first));
            let a = lanes.mul_sub_from(w_head, of_v[j], a);
            columns[j].store(lanes, a, first);
            *head = lanes.mul_add(a, of_x[j], *head);
        }
        for i in first + 1..eights {
            let mut y = product.load(lanes, i);
            for j in 0..COUNT {
                let a = lanes.mul_sub_from(v.load(lanes, i), of_w[j], columns[j].load(lanes, i));
                let a = lanes.mul_sub_from(w.load(lanes, i), of_v[j], a);
                columns[j].store(lanes, a, i);
                y = lanes.mul_add(a, of_x[j], y);
                sums[j] = lanes.mul_add(a, x.load(lanes, i), sums[j]);
            }
            product.store(lanes, y, i);
        }
    }
    sums
}

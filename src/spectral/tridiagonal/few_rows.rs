//! The reduction of [`super::householder`] for a matrix of few rows. Both triangles are kept, so a column's product is
//! only added to others and nothing is summed across lanes. The number of eights is a constant, so the product stays in
//! registers. This takes up to twice the multiplications, and less time.

use super::rows::{Rows, column_at, reflector};
use super::system::F64x8;
use crate::simd::{LANES, Lanes};

/// Entry r has ones from row r on.
const FROM: [F64x8; LANES] = {
    let mut from = [[0.0; LANES]; LANES];
    let mut r = 0;
    while r < LANES {
        let mut i = r;
        while i < LANES {
            from[r][i] = 1.0;
            i += 1;
        }
        r += 1;
    }
    from
};

/// The state of a reduction, and where its results go.
pub(super) struct Progress<'a> {
    pub size: usize,
    pub matrix: *mut F64x8,
    pub factors: &'a mut [f64],
    pub diagonal: &'a mut [f64],
    pub off_diagonal: &'a mut [f64],
    pub vector: Rows,
    /// v and w of the update that is still to be made.
    pub v: Rows,
    pub w: Rows,
}

/// Reduces all columns but the last two.
///
/// # Safety
/// All `Rows` have an eight for each eight of the `size` rows, to which nothing else refers. The matrix has `size` columns
/// of as many eights. The slices have `size` numbers.
#[inline(always)]
pub(super) unsafe fn reduce<L: Lanes>(lanes: L, eights: usize, r: &mut Progress<'_>) {
    for live in (1..=eights).rev() {
        // SAFETY: the caller's promise.
        unsafe {
            match live {
                1 => reduce_eight::<L, 1>(lanes, eights, r),
                2 => reduce_eight::<L, 2>(lanes, eights, r),
                3 => reduce_eight::<L, 3>(lanes, eights, r),
                4 => reduce_eight::<L, 4>(lanes, eights, r),
                _ => unreachable!("{live} eights are more than few"),
            }
        }
    }
}

/// Replaces y by `Q y`.
///
/// # Safety
/// As for [`reduce`], which was called before.
#[inline(always)]
pub(super) unsafe fn restore<L: Lanes>(lanes: L, eights: usize, matrix: *mut F64x8, factors: &[f64], vector: Rows) {
    for live in 1..=eights {
        // SAFETY: the caller's promise.
        unsafe {
            match live {
                1 => restore_eight::<L, 1>(lanes, eights, matrix, factors, vector),
                2 => restore_eight::<L, 2>(lanes, eights, matrix, factors, vector),
                3 => restore_eight::<L, 3>(lanes, eights, matrix, factors, vector),
                4 => restore_eight::<L, 4>(lanes, eights, matrix, factors, vector),
                _ => unreachable!("{live} eights are more than few"),
            }
        }
    }
}

/// Reduces the columns whose row below the diagonal lies in the first of the last `LIVE` eights.
///
/// # Safety
/// As for [`reduce`]; the columns before these are reduced.
#[inline(always)]
unsafe fn reduce_eight<L: Lanes, const LIVE: usize>(lanes: L, eights: usize, r: &mut Progress<'_>) {
    let first = eights - LIVE;
    for column in columns(first, r.size) {
        let start = column + 1;
        let x = column_at(r.matrix, column, eights);
        // SAFETY: the caller's promise.
        unsafe {
            let (v, w): ([_; LIVE], [_; LIVE]) = (load(lanes, r.v, first), load(lanes, r.w, first));
            let (of_v, of_w) = (r.v.number(column), r.w.number(column));
            r.diagonal[column] = x.number(column) - 2.0 * of_v * of_w;
            let mut below: [_; LIVE] = load(lanes, x, first);
            update(lanes, &mut below, v, w, of_v, of_w);
            below[0] = lanes.mul(below[0], lanes.load_f64s(&FROM[start % LANES]));
            store(lanes, below, x, first);
            let squares = lanes.total(dot(lanes, below, below));
            let (beta, next) = reflector(lanes, start, eights, squares, x);
            (r.factors[column], r.off_diagonal[column]) = (beta, next);

            // The product of the updated columns with x, the new v.
            let mut product = [lanes.splat(0.0); LIVE];
            for j in start..r.size {
                let other = column_at(r.matrix, j, eights);
                let mut a: [_; LIVE] = load(lanes, other, first);
                update(lanes, &mut a, v, w, r.v.number(j), r.w.number(j));
                store(lanes, a, other, first);
                let of_x = lanes.splat(x.number(j));
                for i in 0..LIVE {
                    product[i] = lanes.mul_add(a[i], of_x, product[i]);
                }
            }
            let reflector: [_; LIVE] = load(lanes, x, first);
            let half = 0.5 * beta * (beta * lanes.total(dot(lanes, product, reflector)));
            let (half, factor) = (lanes.splat(half), lanes.splat(beta));
            let mut y: [_; LIVE] = load(lanes, r.vector, first);
            let along = lanes.splat(beta * lanes.total(dot(lanes, reflector, y)));
            for i in 0..LIVE {
                product[i] = lanes.mul_sub_from(half, reflector[i], lanes.mul(factor, product[i]));
                y[i] = lanes.mul_sub_from(along, reflector[i], y[i]);
            }
            store(lanes, product, r.w, first);
            store(lanes, y, r.vector, first);
        }
        r.v = x;
    }
}

/// Applies the reflectors of the columns of [`reduce_eight`] to y.
///
/// # Safety
/// As for [`restore`]; the reflectors of later columns are applied.
#[inline(always)]
unsafe fn restore_eight<L: Lanes, const LIVE: usize>(
    lanes: L,
    eights: usize,
    matrix: *mut F64x8,
    factors: &[f64],
    vector: Rows,
) {
    let first = eights - LIVE;
    // SAFETY: the caller's promise.
    unsafe {
        let mut y: [_; LIVE] = load(lanes, vector, first);
        for column in columns(first, factors.len()).rev() {
            let v: [_; LIVE] = load(lanes, column_at(matrix, column, eights), first);
            let along = lanes.splat(factors[column] * lanes.total(dot(lanes, v, y)));
            for i in 0..LIVE {
                y[i] = lanes.mul_sub_from(along, v[i], y[i]);
            }
        }
        store(lanes, y, vector, first);
    }
}

/// The columns to reduce of a matrix of `size` rows whose row below the diagonal lies in eight `first`.
#[inline(always)]
fn columns(first: usize, size: usize) -> core::ops::Range<usize> {
    (first * LANES).saturating_sub(1)..((first + 1) * LANES - 1).min(size.saturating_sub(2))
}

/// # Safety
/// There are `LIVE` eights from `first` on, and nothing else refers to them now.
#[inline(always)]
unsafe fn load<L: Lanes, const LIVE: usize>(lanes: L, rows: Rows, first: usize) -> [L::F64s; LIVE] {
    let mut loaded = [lanes.splat(0.0); LIVE];
    for (i, x) in loaded.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *x = unsafe { rows.load(lanes, first + i) };
    }
    loaded
}

/// # Safety
/// As for [`load`].
#[inline(always)]
unsafe fn store<L: Lanes, const LIVE: usize>(lanes: L, loaded: [L::F64s; LIVE], rows: Rows, first: usize) {
    for (i, x) in loaded.into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { rows.store(lanes, x, first + i) };
    }
}

/// Subtracts column j of `vwᵀ + wvᵀ` from column j of A, where `of_v` and `of_w` are `vⱼ` and `wⱼ`.
#[inline(always)]
fn update<L: Lanes, const LIVE: usize>(
    lanes: L,
    a: &mut [L::F64s; LIVE],
    v: [L::F64s; LIVE],
    w: [L::F64s; LIVE],
    of_v: f64,
    of_w: f64,
) {
    let (of_v, of_w) = (lanes.splat(of_v), lanes.splat(of_w));
    for i in 0..LIVE {
        a[i] = lanes.mul_sub_from(w[i], of_v, lanes.mul_sub_from(v[i], of_w, a[i]));
    }
}

/// The products of x and y, summed over eights but not over lanes.
#[inline(always)]
fn dot<L: Lanes, const LIVE: usize>(lanes: L, x: [L::F64s; LIVE], y: [L::F64s; LIVE]) -> L::F64s {
    let mut sum = lanes.mul(x[0], y[0]);
    for i in 1..LIVE {
        sum = lanes.mul_add(x[i], y[i], sum);
    }
    sum
}

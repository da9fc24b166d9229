//! The reduction of [`super::reduce`] for a matrix of few rows, of which both triangles are kept: then a column's
//! product is only ever added to others, so that nothing is summed across a block, and with a fixed number of blocks
//! the product stays in registers. It takes up to twice the multiplications, and less time.

use super::lanes::{BLOCK, Load};
use super::reduce::{Rows, column_at, reflector};
use super::symmetric::Block;

/// Ones from row r on.
const FROM: [Block; BLOCK] = {
    let mut from = [[0.0; BLOCK]; BLOCK];
    let mut r = 0;
    while r < BLOCK {
        let mut i = r;
        while i < BLOCK {
            from[r][i] = 1.0;
            i += 1;
        }
        r += 1;
    }
    from
};

/// Where the reduction stands, and where its results go.
pub(super) struct Reduction<'a> {
    pub size: usize,
    pub matrix: *mut Block,
    pub factors: &'a mut [f64],
    pub diagonal: &'a mut [f64],
    pub beside: &'a mut [f64],
    pub vector: Rows,
    /// Of the update that is still to be made.
    pub v: Rows,
    pub w: Rows,
}

/// Reduces all columns but the last two.
///
/// # Safety
/// All `Rows` have a block for each eight of the `size` rows, which nothing else refers to, and the matrix as many
/// columns of so many; there are `size` of the numbers.
#[inline(always)]
pub(super) unsafe fn reduce<L: Load<f64>>(lanes: L, blocks: usize, r: &mut Reduction<'_>) {
    for live in (1..=blocks).rev() {
        // SAFETY: the caller's promise.
        unsafe {
            match live {
                1 => reduce_block::<L, 1>(lanes, blocks, r),
                2 => reduce_block::<L, 2>(lanes, blocks, r),
                3 => reduce_block::<L, 3>(lanes, blocks, r),
                4 => reduce_block::<L, 4>(lanes, blocks, r),
                _ => unreachable!("{live} blocks are not few"),
            }
        }
    }
}

/// Puts `Q y` in the place of y.
///
/// # Safety
/// As for [`reduce`], after it.
#[inline(always)]
pub(super) unsafe fn restore<L: Load<f64>>(lanes: L, blocks: usize, matrix: *mut Block, factors: &[f64], vector: Rows) {
    for live in 1..=blocks {
        // SAFETY: the caller's promise.
        unsafe {
            match live {
                1 => restore_block::<L, 1>(lanes, blocks, matrix, factors, vector),
                2 => restore_block::<L, 2>(lanes, blocks, matrix, factors, vector),
                3 => restore_block::<L, 3>(lanes, blocks, matrix, factors, vector),
                4 => restore_block::<L, 4>(lanes, blocks, matrix, factors, vector),
                _ => unreachable!("{live} blocks are not few"),
            }
        }
    }
}

/// Takes the columns, as far as there are, whose row below the diagonal lies in the first of the last `LIVE` blocks.
///
/// # Safety
/// As for [`reduce`]; the columns before are done.
#[inline(always)]
unsafe fn reduce_block<L: Load<f64>, const LIVE: usize>(lanes: L, blocks: usize, r: &mut Reduction<'_>) {
    let first = blocks - LIVE;
    for column in columns(first, r.size) {
        let start = column + 1;
        let x = column_at(r.matrix, column, blocks);
        // SAFETY: the caller's promise.
        unsafe {
            let (v, w): ([_; LIVE], [_; LIVE]) = (load(lanes, r.v, first), load(lanes, r.w, first));
            let (of_v, of_w) = (r.v.number(column), r.w.number(column));
            r.diagonal[column] = x.number(column) - 2.0 * of_v * of_w;
            let mut below: [_; LIVE] = load(lanes, x, first);
            update(lanes, &mut below, v, w, of_v, of_w);
            below[0] = lanes.mul(below[0], lanes.load(&FROM[start % BLOCK]));
            store(lanes, below, x, first);
            let squares = lanes.total(dot(lanes, below, below));
            let (factor, next) = reflector(lanes, start, blocks, squares, x);
            (r.factors[column], r.beside[column]) = (factor, next);

            // The product of the updated columns with x, the new v.
            let mut product = [lanes.splat(0.0); LIVE];
            for j in start..r.size {
                let other = column_at(r.matrix, j, blocks);
                let mut a: [_; LIVE] = load(lanes, other, first);
                update(lanes, &mut a, v, w, r.v.number(j), r.w.number(j));
                store(lanes, a, other, first);
                let of_x = lanes.splat(x.number(j));
                for i in 0..LIVE {
                    product[i] = lanes.mul_add(a[i], of_x, product[i]);
                }
            }
            let reflector: [_; LIVE] = load(lanes, x, first);
            let half = 0.5 * factor * (factor * lanes.total(dot(lanes, product, reflector)));
            let (half, wide) = (lanes.splat(half), lanes.splat(factor));
            let mut y: [_; LIVE] = load(lanes, r.vector, first);
            let along = lanes.splat(factor * lanes.total(dot(lanes, reflector, y)));
            for i in 0..LIVE {
                product[i] = lanes.mul_sub_from(half, reflector[i], lanes.mul(wide, product[i]));
                y[i] = lanes.mul_sub_from(along, reflector[i], y[i]);
            }
            store(lanes, product, r.w, first);
            store(lanes, y, r.vector, first);
        }
        r.v = x;
    }
}

/// Puts `Q y` in the place of y, as far as Q comes from the columns of [`reduce_block`].
///
/// # Safety
/// As for [`restore`]; of the columns behind, this is done.
#[inline(always)]
unsafe fn restore_block<L: Load<f64>, const LIVE: usize>(
    lanes: L,
    blocks: usize,
    matrix: *mut Block,
    factors: &[f64],
    vector: Rows,
) {
    let first = blocks - LIVE;
    // SAFETY: the caller's promise.
    unsafe {
        let mut y: [_; LIVE] = load(lanes, vector, first);
        for column in columns(first, factors.len()).rev() {
            let v: [_; LIVE] = load(lanes, column_at(matrix, column, blocks), first);
            let along = lanes.splat(factors[column] * lanes.total(dot(lanes, v, y)));
            for i in 0..LIVE {
                y[i] = lanes.mul_sub_from(along, v[i], y[i]);
            }
        }
        store(lanes, y, vector, first);
    }
}

/// The columns of a matrix of `size` rows that are reduced, whose row below the diagonal lies in block `first`.
#[inline(always)]
fn columns(first: usize, size: usize) -> core::ops::Range<usize> {
    (first * BLOCK).saturating_sub(1)..((first + 1) * BLOCK - 1).min(size.saturating_sub(2))
}

/// # Safety
/// There are so many blocks from `first` on, and nothing else refers to them now.
#[inline(always)]
unsafe fn load<L: Load<f64>, const LIVE: usize>(lanes: L, rows: Rows, first: usize) -> [L::Wide; LIVE] {
    let mut wides = [lanes.splat(0.0); LIVE];
    for (i, wide) in wides.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *wide = unsafe { rows.load(lanes, first + i) };
    }
    wides
}

/// # Safety
/// As for [`load`].
#[inline(always)]
unsafe fn store<L: Load<f64>, const LIVE: usize>(lanes: L, wides: [L::Wide; LIVE], rows: Rows, first: usize) {
    for (i, wide) in wides.into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { rows.store(lanes, wide, first + i) };
    }
}

/// Column j of `A − vwᵀ − wvᵀ` from that of A, with `vⱼ` and `wⱼ`.
#[inline(always)]
fn update<L: Load<f64>, const LIVE: usize>(
    lanes: L,
    a: &mut [L::Wide; LIVE],
    v: [L::Wide; LIVE],
    w: [L::Wide; LIVE],
    of_v: f64,
    of_w: f64,
) {
    let (of_v, of_w) = (lanes.splat(of_v), lanes.splat(of_w));
    for i in 0..LIVE {
        a[i] = lanes.mul_sub_from(w[i], of_v, lanes.mul_sub_from(v[i], of_w, a[i]));
    }
}

/// The products of x and y, not yet added up.
#[inline(always)]
fn dot<L: Load<f64>, const LIVE: usize>(lanes: L, x: [L::Wide; LIVE], y: [L::Wide; LIVE]) -> L::Wide {
    let mut sum = lanes.mul(x[0], y[0]);
    for i in 1..LIVE {
        sum = lanes.mul_add(x[i], y[i], sum);
    }
    sum
}

//! Householder's reduction of a symmetric matrix to tridiagonal form (Golub and Van Loan, Matrix Computations, section
//! 8.3.1), a column at a time from the first.
//!
//! With `H = I − βvvᵀ` and `p = βAv`, `HAH = A − vwᵀ − wvᵀ` where `w = p − ½β(pᵀv)v`. The update that one column leaves
//! behind is made while the product for the next is summed, so that the matrix is read and written once a column; the
//! next column itself is brought up to date ahead of the others.
//!
//! v is not normalised: `v = x + sign(x₁)‖x‖e₁`, `β = 1/(‖x‖² + ‖x‖|x₁|)`, `Hx = −sign(x₁)‖x‖e₁`. A graded matrix with
//! large rows first keeps its grading: the small rows of v are as they were in the matrix.

use super::lanes::{BLOCK, Load};
use super::small::{self, Reduction};
use super::symmetric::{Block, SMALL, System, first_of, start_of};

/// Where `‖x‖²` is below this, in a matrix with entries near 1, something that counts may underflow: as the matrix is
/// positive semidefinite, `vᵀAv` is as small as `‖x‖⁴`.
const MAY_UNDERFLOW: f64 = 1e-140;

/// Ones below row r.
const BELOW: [Block; BLOCK] = {
    let mut below = [[0.0; BLOCK]; BLOCK];
    let mut r = 0;
    while r < BLOCK {
        let mut i = r + 1;
        while i < BLOCK {
            below[r][i] = 1.0;
            i += 1;
        }
        r += 1;
    }
    below
};

/// A one in row r.
const UNIT: [Block; BLOCK] = {
    let mut unit = [[0.0; BLOCK]; BLOCK];
    let mut r = 0;
    while r < BLOCK {
        unit[r][r] = 1.0;
        r += 1;
    }
    unit
};

/// Blocks of rows, by the number of the block. A column of the lower triangle has none before that of its diagonal.
///
/// In a small matrix the checks of slices would take longer than what is done with their contents, so that lengths are
/// checked once, where a kernel begins.
#[derive(Clone, Copy)]
pub(super) struct Rows(*mut Block);

impl Rows {
    /// # Safety
    /// There is a block `i`, and nothing else refers to it now.
    #[inline(always)]
    pub unsafe fn load<L: Load<f64>>(self, lanes: L, i: usize) -> L::Wide {
        // SAFETY: the caller's promise.
        lanes.load(unsafe { &*self.0.wrapping_add(i) })
    }

    /// # Safety
    /// As for [`Rows::load`].
    #[inline(always)]
    pub unsafe fn store<L: Load<f64>>(self, lanes: L, wide: L::Wide, i: usize) {
        // SAFETY: the caller's promise.
        lanes.store(wide, unsafe { &mut *self.0.wrapping_add(i) });
    }

    /// # Safety
    /// There is a block with this row, and nothing else refers to it now.
    #[inline(always)]
    pub unsafe fn number(self, row: usize) -> f64 {
        // SAFETY: the caller's promise.
        unsafe { *self.0.cast::<f64>().wrapping_add(row) }
    }
}

/// Column `column` of the matrix that starts at `matrix`.
#[inline(always)]
pub(super) fn column_at(matrix: *mut Block, column: usize, blocks: usize) -> Rows {
    Rows(matrix.wrapping_add(start_of(column, blocks)).wrapping_sub(first_of(column, blocks)))
}

/// See [`super::symmetric::SymmetricKernels::reduce`].
#[inline(always)]
pub(super) fn reduce<L: Load<f64>>(lanes: L, system: &mut System<'_>) {
    let size = system.size;
    let blocks = size.div_ceil(BLOCK);
    let (diagonal, beside) = (&mut system.diagonal[..blocks + 1], &mut system.beside[..blocks]);
    diagonal[blocks - 1..].fill([0.0; BLOCK]);
    beside[blocks - 1] = [0.0; BLOCK];
    let (diagonal, beside) = (diagonal.as_flattened_mut(), beside.as_flattened_mut());
    let factors = &mut system.factors[..size];
    let matrix = system.matrix[..start_of(size, blocks)].as_mut_ptr();
    let vector = Rows(system.vector[..blocks].as_mut_ptr());
    let (old, work) = system.work[..3 * blocks].split_at_mut(blocks);
    let (w, product) = work.split_at_mut(blocks);
    // The update that is still to be made: v, w. The first v lives here, later ones in the matrix.
    old.fill([0.0; BLOCK]);
    w.fill([0.0; BLOCK]);
    let (mut v, w, product) = (Rows(old.as_mut_ptr()), Rows(w.as_mut_ptr()), Rows(product.as_mut_ptr()));

    // SAFETY: all `Rows` have blocks up to `blocks`, columns from that of their diagonal on, and v from that of the row
    // below its column's diagonal on, as the slices above were checked to have; these are not used until the end. The
    // same holds of what is called here. No two `Rows` overlap but where both are only read.
    unsafe {
        if blocks <= SMALL {
            let mut r = Reduction { size, matrix, factors, diagonal, beside, vector, v, w };
            small::reduce(lanes, blocks, &mut r);
            v = r.v;
        } else {
            for column in 0..size.saturating_sub(2) {
                let x = column_at(matrix, column, blocks);
                let (on_diagonal, squares) = bring_up_to_date(lanes, column, blocks, x, v, w);
                diagonal[column] = on_diagonal;
                let start = column + 1;
                let first = start / BLOCK;
                let (factor, next) = reflector(lanes, start, blocks, squares, x);
                (factors[column], beside[column]) = (factor, next);
                reflect(lanes, first, blocks, factor, x, vector);
                stream(lanes, start, size, matrix, [v, w, x], product);
                let half = 0.5 * factor * (factor * dot(lanes, first, blocks, product, x));
                let (half, factor) = (lanes.splat(half), lanes.splat(factor));
                for i in first..blocks {
                    let scaled = lanes.mul(factor, product.load(lanes, i));
                    w.store(lanes, lanes.mul_sub_from(half, x.load(lanes, i), scaled), i);
                }
                v = x;
            }
        }

        // What is left has two rows, or the one that there ever was.
        let left = |i: usize, j: usize| {
            let entry = column_at(matrix, j, blocks).number(i);
            entry - v.number(i) * w.number(j) - w.number(i) * v.number(j)
        };
        let last = size - 1;
        diagonal[last] = left(last, last);
        if last > 0 {
            diagonal[last - 1] = left(last - 1, last - 1);
            beside[last - 1] = left(last, last - 1);
        }
    }
}

/// Puts `Q y` in the place of y.
#[inline(always)]
pub(super) fn restore<L: Load<f64>>(lanes: L, system: &mut System<'_>) {
    let size = system.size;
    let blocks = size.div_ceil(BLOCK);
    let matrix = system.matrix[..start_of(size, blocks)].as_mut_ptr();
    let vector = Rows(system.vector[..blocks].as_mut_ptr());
    let factors = &system.factors[..size];
    if blocks <= SMALL {
        // SAFETY: as in `reduce`.
        unsafe { small::restore(lanes, blocks, matrix, factors, vector) };
        return;
    }
    for (column, &factor) in factors[..size.saturating_sub(2)].iter().enumerate().rev() {
        // SAFETY: as in `reduce`.
        unsafe {
            reflect(lanes, (column + 1) / BLOCK, blocks, factor, column_at(matrix, column, blocks), vector);
        }
    }
}

/// Makes the update of a column. Returns its entry on the diagonal and the sum of squares below it, above which it
/// leaves zeros in the block.
///
/// # Safety
/// As in [`reduce`].
#[inline(always)]
unsafe fn bring_up_to_date<L: Load<f64>>(
    lanes: L,
    column: usize,
    blocks: usize,
    x: Rows,
    v: Rows,
    w: Rows,
) -> (f64, f64) {
    // SAFETY: the caller's promise.
    unsafe {
        let (of_v, of_w) = (v.number(column), w.number(column));
        let on_diagonal = x.number(column) - 2.0 * of_v * of_w;
        let (of_v, of_w) = (lanes.splat(of_v), lanes.splat(of_w));
        let first = column / BLOCK;
        let wide = lanes.mul_sub_from(v.load(lanes, first), of_w, x.load(lanes, first));
        let wide = lanes.mul_sub_from(w.load(lanes, first), of_v, wide);
        let below = lanes.mul(wide, lanes.load(&BELOW[column % BLOCK]));
        x.store(lanes, below, first);
        let mut squares = lanes.mul(below, below);
        for i in first + 1..blocks {
            let wide = lanes.mul_sub_from(v.load(lanes, i), of_w, x.load(lanes, i));
            let wide = lanes.mul_sub_from(w.load(lanes, i), of_v, wide);
            squares = lanes.mul_add(wide, wide, squares);
            x.store(lanes, wide, i);
        }
        (on_diagonal, lanes.total(squares))
    }
}

/// Turns x, whose rows from `start` on are a column below the diagonal, into v. Returns β and the first entry of `Hx`.
///
/// # Safety
/// As in [`reduce`].
#[inline(always)]
pub(super) unsafe fn reflector<L: Load<f64>>(
    lanes: L,
    start: usize,
    blocks: usize,
    squares: f64,
    x: Rows,
) -> (f64, f64) {
    let first = start / BLOCK;
    // SAFETY: the caller's promise.
    unsafe {
        if squares < MAY_UNDERFLOW {
            let x = core::slice::from_raw_parts_mut(x.0.wrapping_add(first), blocks - first);
            return small_reflector(start % BLOCK, x);
        }
        let norm = squares.sqrt();
        let head = x.number(start);
        let signed = norm.copysign(head);
        let unit = lanes.load(&UNIT[start % BLOCK]);
        x.store(lanes, lanes.mul_add(lanes.splat(signed), unit, x.load(lanes, first)), first);
        (1.0 / (squares + norm * head.abs()), -signed)
    }
}

/// The same for a column so small that its squares underflow. H does not depend on the scale of x.
#[cold]
#[inline(never)]
fn small_reflector(row: usize, x: &mut [Block]) -> (f64, f64) {
    let x = x.as_flattened_mut();
    let largest = x.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    if largest == 0.0 {
        return (0.0, 0.0);
    }
    x.iter_mut().for_each(|x| *x /= largest);
    let squares: f64 = x.iter().map(|x| x * x).sum();
    let (norm, head) = (squares.sqrt(), x[row]);
    let signed = norm.copysign(head);
    x[row] += signed;
    (1.0 / (squares + norm * head.abs()), -signed * largest)
}

/// `y ← Hy`, from block `first` on.
///
/// # Safety
/// As in [`reduce`].
#[inline(always)]
unsafe fn reflect<L: Load<f64>>(lanes: L, first: usize, blocks: usize, factor: f64, v: Rows, y: Rows) {
    // SAFETY: the caller's promise.
    unsafe {
        let along = lanes.splat(factor * dot(lanes, first, blocks, v, y));
        for i in first..blocks {
            y.store(lanes, lanes.mul_sub_from(along, v.load(lanes, i), y.load(lanes, i)), i);
        }
    }
}

/// `xᵀy` from block `first` on.
///
/// # Safety
/// As in [`reduce`].
#[inline(always)]
unsafe fn dot<L: Load<f64>>(lanes: L, first: usize, blocks: usize, x: Rows, y: Rows) -> f64 {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sum = lanes.mul(x.load(lanes, first), y.load(lanes, first));
        for i in first + 1..blocks {
            sum = lanes.mul_add(x.load(lanes, i), y.load(lanes, i), sum);
        }
        lanes.total(sum)
    }
}

/// Makes the update of v and w in the columns from `start` on, and sums their product with x, the new v.
///
/// # Safety
/// As in [`reduce`].
#[inline(always)]
unsafe fn stream<L: Load<f64>>(
    lanes: L,
    start: usize,
    size: usize,
    matrix: *mut Block,
    vectors: [Rows; 3],
    product: Rows,
) {
    let blocks = size.div_ceil(BLOCK);
    // SAFETY: the caller's promise.
    unsafe {
        for i in start / BLOCK..blocks {
            product.store(lanes, lanes.splat(0.0), i);
        }
        let mut column = start;
        for first in start / BLOCK..blocks {
            let end = size.min((first + 1) * BLOCK);
            let mut a = column_at(matrix, column, blocks);
            // Products of the rows below with each of the columns of this block.
            let mut below = [lanes.splat(0.0); BLOCK];
            let mut head = product.load(lanes, first);
            while column + 1 < end {
                let pair = [a, Rows(a.0.wrapping_add(blocks - first))];
                let sums = several(lanes, column, blocks, pair, vectors, product, &mut head);
                (below[column % BLOCK], below[column % BLOCK + 1]) = (sums[0], sums[1]);
                a = Rows(a.0.wrapping_add(2 * (blocks - first)));
                column += 2;
            }
            if column < end {
                [below[column % BLOCK]] = several(lanes, column, blocks, [a], vectors, product, &mut head);
                column += 1;
            }
            if first + 1 < blocks {
                head = lanes.add(head, lanes.totals(below));
            }
            product.store(lanes, head, first);
        }
    }
}

/// [`stream`] for some columns of one block. Adds their products with x to `head`, for the block on the diagonal, and
/// to `product`, for those below. Returns the products of these with it, not yet added up.
///
/// # Safety
/// As in [`reduce`].
#[inline(always)]
unsafe fn several<L: Load<f64>, const COUNT: usize>(
    lanes: L,
    column: usize,
    blocks: usize,
    columns: [Rows; COUNT],
    [v, w, x]: [Rows; 3],
    product: Rows,
    head: &mut L::Wide,
) -> [L::Wide; COUNT] {
    let first = column / BLOCK;
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
        for i in first + 1..blocks {
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

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
use super::symmetric::{Block, System, start_of};

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

/// See [`super::symmetric::SymmetricKernels::reduce`].
#[inline(always)]
pub(super) fn reduce<L: Load<f64>>(lanes: L, system: &mut System<'_>) {
    let size = system.size;
    let blocks = size.div_ceil(BLOCK);
    let matrix = &mut system.matrix[..start_of(size, blocks)];
    let (diagonal, beside) = (&mut system.diagonal[..blocks], &mut system.beside[..blocks]);
    (diagonal[blocks - 1], beside[blocks - 1]) = ([0.0; BLOCK], [0.0; BLOCK]);
    let (diagonal, beside) = (diagonal.as_flattened_mut(), beside.as_flattened_mut());
    let (vector, factors) = (&mut system.vector[..blocks], &mut system.factors[..size]);
    // The update that is still to be made: v, w. The first v lives here, later ones in the matrix.
    let (nothing, work) = system.work.split_at_mut(blocks);
    let (w, work) = work.split_at_mut(blocks);
    let product = &mut work[..blocks];
    for i in 0..blocks {
        (nothing[i], w[i]) = ([0.0; BLOCK], [0.0; BLOCK]);
    }

    let mut v = &*nothing;
    let mut rest = matrix;
    for column in 0..size.saturating_sub(2) {
        // Vectors from here on begin with the block that holds the row of the same number as the column.
        let first = column / BLOCK;
        let (x, after) = rest.split_at_mut(blocks - first);
        rest = after;
        v = &v[v.len() - x.len()..];
        let squares = bring_up_to_date(lanes, column % BLOCK, x, v, &w[first..]);
        diagonal[column] = squares.0;
        // And from here on with that of the next.
        let first = (column + 1) / BLOCK;
        let (x, row) = (&mut x[first - column / BLOCK..], (column + 1) % BLOCK);
        let (factor, next) = reflector(lanes, row, squares.1, x);
        (factors[column], beside[column]) = (factor, next);
        let x = &*x;
        reflect(lanes, factor, x, &mut vector[first..]);
        let (w, product) = (&mut w[first..], &mut product[first..]);
        stream(lanes, row, rest, [&v[v.len() - x.len()..], w, x], product);
        let half = lanes.splat(0.5 * factor * (factor * dot(lanes, product, x)));
        let factor = lanes.splat(factor);
        for ((w, product), x) in w.iter_mut().zip(&*product).zip(x) {
            let scaled = lanes.mul(factor, lanes.load(product));
            lanes.store(lanes.mul_sub_from(half, lanes.load(x), scaled), w);
        }
        v = x;
    }

    // What is left has two rows, or the one that there ever was.
    let padding = blocks * BLOCK - size;
    let from_end = |x: &[Block], i: usize| x.as_flattened()[x.len() * BLOCK - padding - i];
    let columns = rest.split_at(if size > 1 { blocks - (size - 2) / BLOCK } else { 0 });
    let at = |column: &[Block], i: usize, j: usize| {
        from_end(column, i) - from_end(v, i) * from_end(w, j) - from_end(w, i) * from_end(v, j)
    };
    diagonal[size - 1] = at(columns.1, 1, 1);
    if size > 1 {
        diagonal[size - 2] = at(columns.0, 2, 2);
        beside[size - 2] = at(columns.0, 1, 2);
    }
}

/// Puts `Q y` in the place of y.
#[inline(always)]
pub(super) fn restore<L: Load<f64>>(lanes: L, system: &mut System<'_>) {
    let blocks = system.size.div_ceil(BLOCK);
    let vector = &mut system.vector[..blocks];
    let columns = system.size.saturating_sub(2);
    let mut end = start_of(columns, blocks);
    for column in (0..columns).rev() {
        let len = blocks - column / BLOCK;
        let x = &system.matrix[end - len..end];
        end -= len;
        let skipped = usize::from((column + 1) % BLOCK == 0);
        reflect(lanes, system.factors[column], &x[skipped..], &mut vector[column / BLOCK + skipped..]);
    }
}

/// Makes the update of a column with its diagonal in row `row` of the first block. Returns its entry there and the sum
/// of squares below it, above which it leaves zeros in the block.
#[inline(always)]
fn bring_up_to_date<L: Load<f64>>(lanes: L, row: usize, x: &mut [Block], v: &[Block], w: &[Block]) -> (f64, f64) {
    let len = x.len();
    let (v, w) = (&v[..len], &w[..len]);
    let (of_v, of_w) = (v[0][row], w[0][row]);
    let on_diagonal = x[0][row] - 2.0 * of_v * of_w;
    let (of_v, of_w) = (lanes.splat(of_v), lanes.splat(of_w));
    let mut squares = lanes.splat(0.0);
    for i in 0..len {
        let wide = lanes.mul_sub_from(lanes.load(&v[i]), of_w, lanes.load(&x[i]));
        let mut wide = lanes.mul_sub_from(lanes.load(&w[i]), of_v, wide);
        if i == 0 {
            wide = lanes.mul(wide, lanes.load(&BELOW[row]));
        }
        squares = lanes.mul_add(wide, wide, squares);
        lanes.store(wide, &mut x[i]);
    }
    (on_diagonal, lanes.total(squares))
}

/// Turns x, which is zero above row `row` of its first block, into v. Returns β and the first entry of `Hx`.
#[inline(always)]
fn reflector<L: Load<f64>>(lanes: L, row: usize, squares: f64, x: &mut [Block]) -> (f64, f64) {
    if squares < MAY_UNDERFLOW {
        return small_reflector(row, x);
    }
    let norm = squares.sqrt();
    let head = x[0][row];
    let signed = norm.copysign(head);
    let v = lanes.mul_add(lanes.splat(signed), lanes.load(&UNIT[row]), lanes.load(&x[0]));
    lanes.store(v, &mut x[0]);
    (1.0 / (squares + norm * head.abs()), -signed)
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

/// `y ← Hy`.
#[inline(always)]
fn reflect<L: Load<f64>>(lanes: L, factor: f64, v: &[Block], y: &mut [Block]) {
    let along = lanes.splat(factor * dot(lanes, v, y));
    for (v, y) in v.iter().zip(y) {
        lanes.store(lanes.mul_sub_from(along, lanes.load(v), lanes.load(y)), y);
    }
}

#[inline(always)]
fn dot<L: Load<f64>>(lanes: L, x: &[Block], y: &[Block]) -> f64 {
    let mut sum = lanes.splat(0.0);
    for (x, y) in x.iter().zip(y) {
        sum = lanes.mul_add(lanes.load(x), lanes.load(y), sum);
    }
    lanes.total(sum)
}

/// The columns from that on with its diagonal in row `row` of the first block: makes the update of the old v and w and
/// sums the product with the new v.
#[inline(always)]
fn stream<L: Load<f64>>(lanes: L, row: usize, columns: &mut [Block], [v, w, x]: [&[Block]; 3], product: &mut [Block]) {
    let blocks = product.len();
    for product in &mut *product {
        lanes.store(lanes.splat(0.0), product);
    }
    let (mut rest, mut row) = (columns, row);
    for first in 0..blocks {
        let len = blocks - first;
        let (v, w, x, product) = (&v[first..][..len], &w[first..][..len], &x[first..][..len], &mut product[first..]);
        let (group, after) = rest.split_at_mut(rest.len().min((BLOCK - row) * len));
        rest = after;
        // Products of the rows below with each of the columns of this block.
        let mut below = [lanes.splat(0.0); BLOCK];
        let mut head = lanes.load(&product[0]);
        let (pairs, single) = group.split_at_mut(group.len() / (2 * len) * (2 * len));
        for pair in pairs.chunks_exact_mut(2 * len) {
            let (one, other) = pair.split_at_mut(len);
            let sums = several(lanes, row, [one, other], [v, w, x], product, &mut head);
            (below[row], below[row + 1]) = (sums[0], sums[1]);
            row += 2;
        }
        if !single.is_empty() {
            [below[row]] = several(lanes, row, [single], [v, w, x], product, &mut head);
        }
        lanes.store(lanes.add(head, lanes.totals(below)), &mut product[0]);
        row = 0;
    }
}

/// [`stream`] for some columns. Adds their products with the new v to `head`, for the block on the diagonal, and to
/// `product`, for those below. Returns the products of these with it, not yet added up.
#[inline(always)]
fn several<L: Load<f64>, const COUNT: usize>(
    lanes: L,
    row: usize,
    columns: [&mut [Block]; COUNT],
    [v, w, x]: [&[Block]; 3],
    product: &mut [Block],
    head: &mut L::Wide,
) -> [L::Wide; COUNT] {
    let len = v.len();
    assert!(columns.iter().all(|column| column.len() == len));
    let (w, x, product) = (&w[..len], &x[..len], &mut product[..len]);
    let mut of = [[lanes.splat(0.0); 3]; COUNT];
    for (j, of) in of.iter_mut().enumerate() {
        *of = [lanes.splat(v[0][row + j]), lanes.splat(w[0][row + j]), lanes.splat(x[0][row + j])];
    }
    let mut sums = [lanes.splat(0.0); COUNT];
    for i in 0..len {
        let mut y = if i == 0 { *head } else { lanes.load(&product[i]) };
        let (v, w, x) = (lanes.load(&v[i]), lanes.load(&w[i]), lanes.load(&x[i]));
        for j in 0..COUNT {
            let [of_v, of_w, of_x] = of[j];
            let a = lanes.mul_sub_from(v, of_w, lanes.load(&columns[j][i]));
            let a = lanes.mul_sub_from(w, of_v, a);
            lanes.store(a, &mut columns[j][i]);
            y = lanes.mul_add(a, of_x, y);
            if i > 0 {
                sums[j] = lanes.mul_add(a, x, sums[j]);
            }
        }
        if i == 0 {
            *head = y;
        } else {
            lanes.store(y, &mut product[i]);
        }
    }
    sums
}

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
use super::symmetric::{Block, System};

/// Where `‖x‖²` is below this, in a matrix with entries near 1, something that counts may underflow: as the matrix is
/// positive semidefinite, `vᵀAv` is as small as `‖x‖⁴`.
const MAY_UNDERFLOW: f64 = 1e-140;

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
    let System { size, ref mut matrix, ref mut factors, .. } = *system;
    let blocks = size.div_ceil(BLOCK);
    let (matrix, factors) = (&mut matrix[..size * blocks], &mut factors[..size]);
    let (diagonal, beside) = (&mut system.diagonal[..blocks], &mut system.beside[..blocks]);
    diagonal.fill([0.0; BLOCK]);
    beside.fill([0.0; BLOCK]);
    let (diagonal, beside) = (diagonal.as_flattened_mut(), beside.as_flattened_mut());
    let vector = &mut system.vector[..blocks];
    // The update that is still to be made: v, w. The first v lives here, later ones in the matrix.
    let (nothing, work) = system.work.split_at_mut(blocks);
    let (w, work) = work.split_at_mut(blocks);
    let product = &mut work[..blocks];
    nothing.fill([0.0; BLOCK]);
    w.fill([0.0; BLOCK]);

    for column in 0..size.saturating_sub(2) {
        let (done, rest) = matrix.split_at_mut(column * blocks);
        let (x, rest) = rest.split_at_mut(blocks);
        let v = if column == 0 { &*nothing } else { &done[(column - 1) * blocks..] };
        let squares = bring_up_to_date(lanes, column, x, v, w);
        diagonal[column] = squares.0;
        let (factor, next) = reflector(lanes, column + 1, squares.1, x);
        factors[column] = factor;
        beside[column] = next;
        reflect(lanes, column + 1, factor, x, vector);
        stream(lanes, column + 1, rest, [v, w, x], product);
        let first = (column + 1) / BLOCK;
        let half = 0.5 * factor * (factor * dot(lanes, &product[first..], &x[first..]));
        let (factor, half) = (lanes.splat(factor), lanes.splat(half));
        for ((w, product), x) in w[first..].iter_mut().zip(&product[first..]).zip(&x[first..]) {
            let scaled = lanes.mul(factor, lanes.load(product));
            lanes.store(lanes.mul_sub_from(half, lanes.load(x), scaled), w);
        }
    }

    // What is left has two rows, or the one that there ever was.
    let v = if size < 3 { &*nothing } else { &matrix[(size - 3) * blocks..][..blocks] };
    let (v, w) = (v.as_flattened(), w.as_flattened());
    let at = |i: usize, j: usize| matrix[j * blocks..].as_flattened()[i] - v[i] * w[j] - w[i] * v[j];
    let last = size - 1;
    diagonal[last] = at(last, last);
    if last > 0 {
        diagonal[last - 1] = at(last - 1, last - 1);
        beside[last - 1] = at(last, last - 1);
    }
}

/// Puts `Q y` in the place of y.
#[inline(always)]
pub(super) fn restore<L: Load<f64>>(lanes: L, system: &mut System<'_>) {
    let blocks = system.size.div_ceil(BLOCK);
    let vector = &mut system.vector[..blocks];
    for column in (0..system.size.saturating_sub(2)).rev() {
        let v = &system.matrix[column * blocks..][..blocks];
        reflect(lanes, column + 1, system.factors[column], v, vector);
    }
}

/// Makes the update of column `column`. Returns its entry on the diagonal and the sum of squares below it, above which
/// it leaves zeros in the block.
#[inline(always)]
fn bring_up_to_date<L: Load<f64>>(lanes: L, column: usize, x: &mut [Block], v: &[Block], w: &[Block]) -> (f64, f64) {
    let first = column / BLOCK;
    let of_w = lanes.splat(w.as_flattened()[column]);
    let of_v = lanes.splat(v.as_flattened()[column]);
    let update = |x: &Block, v: &Block, w: &Block| {
        let x = lanes.mul_sub_from(lanes.load(v), of_w, lanes.load(x));
        lanes.mul_sub_from(lanes.load(w), of_v, x)
    };
    let row = column % BLOCK;
    let (head, tail) = x[first..].split_first_mut().unwrap_or_else(|| unreachable!("every row lies in a block"));
    let whole = update(head, &v[first], &w[first]);
    let on_diagonal = lanes.total(lanes.mul(whole, lanes.load(&UNIT[row])));
    let below = if row + 1 == BLOCK { lanes.splat(0.0) } else { lanes.mul(whole, lanes.load(&FROM[row + 1])) };
    lanes.store(below, head);
    let mut squares = lanes.mul(below, below);
    for ((x, v), w) in tail.iter_mut().zip(&v[first + 1..]).zip(&w[first + 1..]) {
        let wide = update(x, v, w);
        squares = lanes.mul_add(wide, wide, squares);
        lanes.store(wide, x);
    }
    (on_diagonal, lanes.total(squares))
}

/// Turns x, whose rows from `start` on are a column below the diagonal and the rest zeros, into v. Returns β and the
/// first entry of `Hx`.
#[inline(always)]
fn reflector<L: Load<f64>>(lanes: L, start: usize, squares: f64, x: &mut [Block]) -> (f64, f64) {
    let x = &mut x[start / BLOCK..];
    let start = start % BLOCK;
    if squares < MAY_UNDERFLOW {
        return small_reflector(start, x);
    }
    let norm = squares.sqrt();
    let head = x[0][start];
    let signed = norm.copysign(head);
    let x = &mut x[0];
    let v = lanes.mul_add(lanes.splat(signed), lanes.load(&UNIT[start]), lanes.load(x));
    lanes.store(v, x);
    (1.0 / (squares + norm * head.abs()), -signed)
}

/// The same for a column so small that its squares underflow. H does not depend on the scale of x.
#[cold]
#[inline(never)]
fn small_reflector(start: usize, x: &mut [Block]) -> (f64, f64) {
    let x = x.as_flattened_mut();
    let largest = x.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    if largest == 0.0 {
        return (0.0, 0.0);
    }
    x.iter_mut().for_each(|x| *x /= largest);
    let squares: f64 = x.iter().map(|x| x * x).sum();
    let (norm, head) = (squares.sqrt(), x[start]);
    let signed = norm.copysign(head);
    x[start] += signed;
    (1.0 / (squares + norm * head.abs()), -signed * largest)
}

/// `y ← Hy`, where v has its first entry in row `start`.
#[inline(always)]
fn reflect<L: Load<f64>>(lanes: L, start: usize, factor: f64, v: &[Block], y: &mut [Block]) {
    let first = start / BLOCK;
    let along = lanes.splat(factor * dot(lanes, &v[first..], &y[first..]));
    for (v, y) in v[first..].iter().zip(&mut y[first..]) {
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

/// The columns from `start` on, which are `columns`: makes the update of the old v and w and sums the product with the
/// new v.
#[inline(always)]
fn stream<L: Load<f64>>(lanes: L, start: usize, columns: &mut [Block], vectors: [&[Block]; 3], product: &mut [Block]) {
    let blocks = product.len();
    product[start / BLOCK..].fill([0.0; BLOCK]);
    let mut column = start;
    let mut rest = columns;
    while !rest.is_empty() {
        let block = column / BLOCK;
        let count = (rest.len() / blocks).min((block + 1) * BLOCK - column);
        let (mut group, after) = rest.split_at_mut(count * blocks);
        rest = after;
        // Products of the rows below with each of the columns of this block.
        let mut below = [lanes.splat(0.0); BLOCK];
        let mut head = lanes.splat(0.0);
        while group.len() >= 2 * blocks {
            let (pair, after) = group.split_at_mut(2 * blocks);
            group = after;
            let sums = several::<L, 2>(lanes, column, pair, vectors, product, &mut head);
            below[column % BLOCK] = sums[0];
            below[column % BLOCK + 1] = sums[1];
            column += 2;
        }
        if !group.is_empty() {
            let sums = several::<L, 1>(lanes, column, group, vectors, product, &mut head);
            below[column % BLOCK] = sums[0];
            column += 1;
        }
        let sum = lanes.add(head, lanes.totals(below));
        let product = &mut product[block];
        lanes.store(lanes.add(lanes.load(product), sum), product);
    }
}

/// [`stream`] for `COUNT` columns. Adds their products with the new v to `head`, for the block on the diagonal, and to
/// `product`, for those below. Returns the products of these with it, not yet added up.
#[inline(always)]
fn several<L: Load<f64>, const COUNT: usize>(
    lanes: L,
    column: usize,
    columns: &mut [Block],
    [v, w, x]: [&[Block]; 3],
    product: &mut [Block],
    head: &mut L::Wide,
) -> [L::Wide; COUNT] {
    let blocks = product.len();
    let first = column / BLOCK;
    let mut columns = columns.chunks_exact_mut(blocks);
    let columns: [&mut [Block]; COUNT] = core::array::from_fn(|_| match columns.next() {
        Some(column) => &mut column[first..],
        None => unreachable!("there are as many columns"),
    });
    let scalar = |of: &[Block]| -> [L::Wide; COUNT] {
        let numbers = &of.as_flattened()[column..][..COUNT];
        core::array::from_fn(|j| lanes.splat(numbers[j]))
    };
    let (of_v, of_w, of_x) = (scalar(v), scalar(w), scalar(x));
    let (v, w, x, product) = (&v[first..], &w[first..], &x[first..], &mut product[first..]);
    let mut parts = [lanes.splat(0.0); COUNT];
    for j in 0..COUNT {
        let a = lanes.mul_sub_from(lanes.load(&v[0]), of_w[j], lanes.load(&columns[j][0]));
        let a = lanes.mul_sub_from(lanes.load(&w[0]), of_v[j], a);
        lanes.store(a, &mut columns[j][0]);
        parts[j] = lanes.mul(a, of_x[j]);
    }
    for part in parts {
        *head = lanes.add(*head, part);
    }
    let mut sums = [lanes.splat(0.0); COUNT];
    let len = product.len();
    let (v, w, x) = (&v[..len], &w[..len], &x[..len]);
    let columns = columns.map(|column| &mut column[..len]);
    for i in 1..len {
        let mut y = lanes.load(&product[i]);
        for j in 0..COUNT {
            let a = lanes.mul_sub_from(lanes.load(&v[i]), of_w[j], lanes.load(&columns[j][i]));
            let a = lanes.mul_sub_from(lanes.load(&w[i]), of_v[j], a);
            lanes.store(a, &mut columns[j][i]);
            y = lanes.mul_add(a, of_x[j], y);
            sums[j] = lanes.mul_add(a, lanes.load(&x[i]), sums[j]);
        }
        lanes.store(y, &mut product[i]);
    }
    sums
}

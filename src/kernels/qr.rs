//! Eigenvalues and eigenvectors of a reduced matrix: the implicit QR algorithm with Wilkinson's shift, a sweep of plane
//! rotations at a time from the first row to the last (Parlett, The symmetric eigenvalue problem, sections 8.9 to
//! 8.11).
//!
//! It deflates at the end, where the small entries of a graded matrix stand if its rows come in decreasing order: they
//! are done with before the large ones could round them away. What stands beside the diagonal counts as 0 where it is
//! small against the geometric mean of its neighbours there, not against the largest.
//!
//! Vectors lie by blocks of eight rows, of each vector in turn: block b of vector j is number `b·n + j`. So a sweep,
//! whose rotations pass one vector on to the next, goes straight through memory, with that vector in a register.

use super::lanes::{BLOCK, Load};
use super::reduce::column_at;
use super::symmetric::{Block, System};

/// Sweeps allowed for each row: about two are taken, at most.
const SWEEPS: usize = 30;

/// `‖x‖²` from which on squares have lost nothing that counts to underflow.
const SAFE_SQUARES: f64 = 1e-280;

/// See [`super::symmetric::SymmetricKernels::diagonalise`].
#[inline(always)]
pub(super) fn diagonalise<L: Load<f64>>(lanes: L, system: &mut System<'_>, vectors: &mut [Block]) -> bool {
    let size = system.size;
    let blocks = size.div_ceil(BLOCK);
    let vectors = &mut vectors[..size * blocks];
    form(lanes, system, vectors);

    let (d, e) = (&mut system.diagonal.as_flattened_mut()[..size], &mut system.beside.as_flattened_mut()[..size]);
    let (cosines, sines) = system.work[..2 * blocks].split_at_mut(blocks);
    let (cosines, sines) = (cosines.as_flattened_mut(), sines.as_flattened_mut());
    let mut sweeps = SWEEPS * size;
    let mut end = size - 1;
    while end > 0 {
        // The last rows that hang together.
        let mut start = end;
        while start > 0 && !is_negligible(e[start - 1], d[start - 1], d[start]) {
            start -= 1;
        }
        if start == end {
            e[end - 1] = 0.0;
            end -= 1;
            continue;
        }
        if sweeps == 0 {
            return false;
        }
        sweeps -= 1;
        let (cosines, sines) = (&mut cosines[..end - start], &mut sines[..end - start]);
        sweep(&mut d[start..=end], &mut e[start..end], cosines, sines);
        for row in vectors.chunks_exact_mut(size) {
            rotate(lanes, &mut row[start..=end], cosines, sines);
        }
    }
    true
}

#[inline(always)]
fn is_negligible(beside: f64, before: f64, after: f64) -> bool {
    const EPSILON2: f64 = f64::EPSILON * f64::EPSILON / 4.0;
    beside * beside <= EPSILON2 * before.abs() * after.abs() + f64::MIN_POSITIVE
}

/// Puts the columns of Q, a product of reflectors, into `vectors`.
#[inline(always)]
fn form<L: Load<f64>>(lanes: L, system: &mut System<'_>, vectors: &mut [Block]) {
    let size = system.size;
    let blocks = size.div_ceil(BLOCK);
    vectors.fill([0.0; BLOCK]);
    for j in 0..size {
        vectors[j / BLOCK * size + j][j % BLOCK] = 1.0;
    }
    let matrix = system.matrix[..super::symmetric::start_of(size, blocks)].as_mut_ptr();
    for (column, &factor) in system.factors[..size.saturating_sub(2)].iter().enumerate().rev() {
        // H changes the rows below, and of the columns so far only those below have any there.
        let start = column + 1;
        let v = column_at(matrix, column, blocks);
        let along = &mut system.work[start..size];
        along.fill([0.0; BLOCK]);
        for (b, row) in vectors.chunks_exact(size).enumerate().skip(start / BLOCK) {
            // SAFETY: the column has all blocks from that of the row below its diagonal on, as the slice above has.
            let v = unsafe { v.load(lanes, b) };
            for (along, q) in along.iter_mut().zip(&row[start..]) {
                lanes.store(lanes.mul_add(v, lanes.load(q), lanes.load(along)), along);
            }
        }
        for along in along.iter_mut() {
            let total = lanes.total(lanes.load(along));
            lanes.store(lanes.splat(factor * total), along);
        }
        for (b, row) in vectors.chunks_exact_mut(size).enumerate().skip(start / BLOCK) {
            // SAFETY: as above.
            let v = unsafe { v.load(lanes, b) };
            for (along, q) in along.iter().zip(&mut row[start..]) {
                lanes.store(lanes.mul_sub_from(v, lanes.load(along), lanes.load(q)), q);
            }
        }
    }
}

/// One step of QR on a tridiagonal matrix of at least two rows, none of whose entries beside the diagonal `d` is 0.
/// Rotation i turns rows i and i + 1; from the second on each chases the bulge that the one before has left.
#[inline(always)]
fn sweep(d: &mut [f64], e: &mut [f64], cosines: &mut [f64], sines: &mut [f64]) {
    let last = e.len() - 1;
    // Wilkinson's shift: of the last two rows' eigenvalues that nearer the last entry.
    let half = (d[last] - d[last + 1]) / (2.0 * e[last]);
    let shift = d[last + 1] - e[last] / (half + half.hypot(1.0).copysign(half));
    // Entries and the shift leave with each row what it takes from the next (`taken`); `g` is what a rotation turns
    // into the row before, of the matrix less the shift.
    let (mut sine, mut cosine, mut taken) = (1.0, 1.0, 0.0);
    let mut g = d[0] - shift;
    for i in 0..=last {
        let (bulge, beside) = (sine * e[i], cosine * e[i]);
        let length = length(g, bulge);
        (cosine, sine) = if length > 0.0 { (g / length, bulge / length) } else { (1.0, 0.0) };
        if i > 0 {
            e[i - 1] = length;
        }
        let before = d[i] - taken;
        let r = (d[i + 1] - before) * sine + 2.0 * cosine * beside;
        taken = sine * r;
        d[i] = before + taken;
        g = cosine * r - beside;
        (cosines[i], sines[i]) = (cosine, sine);
    }
    d[last + 1] -= taken;
    e[last] = g;
}

/// `√(x² + y²)` of numbers that are not large.
#[inline(always)]
fn length(x: f64, y: f64) -> f64 {
    let squares = x * x + y * y;
    if squares > SAFE_SQUARES { squares.sqrt() } else { x.hypot(y) }
}

/// Applies a sweep's rotations to one block of rows of as many vectors, and one.
#[inline(always)]
fn rotate<L: Load<f64>>(lanes: L, vectors: &mut [Block], cosines: &[f64], sines: &[f64]) {
    let Some((first, rest)) = vectors.split_first_mut() else { return };
    let mut place = first;
    let mut carried = lanes.load(place);
    for ((next, cosine), sine) in rest.iter_mut().zip(cosines).zip(sines) {
        let (cosine, sine) = (lanes.splat(*cosine), lanes.splat(*sine));
        let other = lanes.load(next);
        lanes.store(lanes.mul_add(cosine, carried, lanes.mul(sine, other)), place);
        carried = lanes.mul_sub_from(sine, carried, lanes.mul(cosine, other));
        place = next;
    }
    lanes.store(carried, place);
}

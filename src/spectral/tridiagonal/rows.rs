//! Columns and vectors by eights of rows, and the reflector of a column.

use super::system::{F64x8, first_of, start_of};
use crate::simd::{LANES, Lanes};

/// If `‖x‖²` is below this in a matrix with entries near 1, numbers that matter may underflow: the matrix is positive
/// semidefinite, so `vᵀAv` may be as small as `‖x‖⁴`.
const MAY_UNDERFLOW: f64 = 1e-140;

/// Entry r has a one in row r.
const UNIT_VECTORS: [F64x8; LANES] = {
    let mut vectors = [[0.0; LANES]; LANES];
    let mut r = 0;
    while r < LANES {
        vectors[r][r] = 1.0;
        r += 1;
    }
    vectors
};

/// The rows of a column or a vector, by the number of the eight. A column of the lower triangle has no eights before
/// that of its diagonal.
///
/// Raw pointers, since in a small matrix the bounds checks of slices would take longer than the arithmetic. A kernel
/// checks all lengths once, where it begins.
#[derive(Clone, Copy)]
pub(super) struct Rows(pub *mut F64x8);

impl Rows {
    /// # Safety
    /// There is an eight `i`, and nothing else refers to it now.
    #[inline(always)]
    pub unsafe fn load<L: Lanes>(self, lanes: L, i: usize) -> L::F64s {
        // SAFETY: the caller's promise.
        lanes.load_f64s(unsafe { &*self.0.wrapping_add(i) })
    }

    /// # Safety
    /// As for [`Rows::load`].
    #[inline(always)]
    pub unsafe fn store<L: Lanes>(self, lanes: L, x: L::F64s, i: usize) {
        // SAFETY: the caller's promise.
        lanes.store_f64s(x, unsafe { &mut *self.0.wrapping_add(i) });
    }

    /// # Safety
    /// There is an eight with this row, and nothing else refers to it now.
    #[inline(always)]
    pub unsafe fn number(self, row: usize) -> f64 {
        // SAFETY: the caller's promise.
        unsafe { *self.0.cast::<f64>().wrapping_add(row) }
    }
}

/// Column `column` of the matrix that starts at `matrix`.
#[inline(always)]
pub(super) fn column_at(matrix: *mut F64x8, column: usize, eights: usize) -> Rows {
    Rows(matrix.wrapping_add(start_of(column, eights)).wrapping_sub(first_of(column, eights)))
}

/// Makes the reflector of a column: turns x, the rows from `start` on, into v. `squares` is `‖x‖²`. Returns β and the
/// first entry of `Hx`.
///
/// # Safety
/// As for [`Rows::load`], for all eights from that of row `start` on.
#[inline(always)]
pub(super) unsafe fn reflector<L: Lanes>(lanes: L, start: usize, eights: usize, squares: f64, x: Rows) -> (f64, f64) {
    let first = start / LANES;
    // SAFETY: the caller's promise.
    unsafe {
        if squares < MAY_UNDERFLOW {
            let x = core::slice::from_raw_parts_mut(x.0.wrapping_add(first), eights - first);
            return small_reflector(start % LANES, x);
        }
        let norm = squares.sqrt();
        let head = x.number(start);
        let signed = norm.copysign(head);
        let unit = lanes.load_f64s(&UNIT_VECTORS[start % LANES]);
        x.store(lanes, lanes.mul_add(lanes.splat(signed), unit, x.load(lanes, first)), first);
        (1.0 / (squares + norm * head.abs()), -signed)
    }
}

/// [`reflector`] for a column so small that its squares underflow. H does not depend on the scale of x.
#[cold]
#[inline(never)]
fn small_reflector(row: usize, x: &mut [F64x8]) -> (f64, f64) {
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

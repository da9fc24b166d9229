//! A symmetric matrix and a vector as the kernels of this module take them.
//!
//! Rows are taken eight at a time. An *eight* is eight rows of a column or of a vector; zeros pad the last eight, so
//! that no loop has a rest.

use crate::simd::LANES;

/// An eight.
pub(in crate::spectral) type F64x8 = [f64; LANES];

/// Eights of scratch for each eight of rows: see [`System::work`].
pub(in crate::spectral) const WORK: usize = 5 * LANES;

/// Eights of rows up to which both triangles of a matrix are kept: see [`super::few_rows`].
pub(super) const FEW: usize = 4;

/// The first eight that is kept of column `column` of a matrix with `eights` eights of rows.
#[inline(always)]
pub(super) fn first_of(column: usize, eights: usize) -> usize {
    if eights <= FEW { 0 } else { column / LANES }
}

/// Eights before column `column` of a matrix with `eights` eights of rows, stored as [`System::matrix`].
#[inline(always)]
pub(in crate::spectral) fn start_of(column: usize, eights: usize) -> usize {
    if eights <= FEW {
        return column * eights;
    }
    let (before, rest) = (column / LANES, column % LANES);
    // Σ (eights − i), eight times, over the `before` full eights of columns to the left. `before` is at most `eights`.
    LANES * (before * eights - before * before.saturating_sub(1) / 2) + rest * (eights - before)
}

/// The columns of a matrix of `size` rows that lies as [`System::matrix`]: the first row that is kept of each, and a
/// slice for the rows from that row on. Zeros fill the last eight behind it.
pub(in crate::spectral) fn columns(matrix: &mut [F64x8], size: usize) -> impl Iterator<Item = (usize, &mut [f64])> {
    let eights = size.div_ceil(LANES);
    let mut rest = matrix;
    (0..size).map(move |column| {
        let first = first_of(column, eights);
        let (rows, after) = core::mem::take(&mut rest).split_at_mut(eights - first);
        rest = after;
        rows[eights - first - 1] = [0.0; LANES];
        (first * LANES, &mut rows.as_flattened_mut()[..size - first * LANES])
    })
}

/// Column `column` of a matrix that lies as [`System::matrix`]: its first row, and the rows from that row on.
pub(in crate::spectral) fn column(matrix: &[F64x8], size: usize, column: usize) -> (usize, &[f64]) {
    let eights = size.div_ceil(LANES);
    let first = first_of(column, eights);
    let rows = &matrix[start_of(column, eights)..][..eights - first];
    (first * LANES, &rows.as_flattened()[..size - first * LANES])
}

/// A symmetric matrix A and a vector a, on their way through the kernels. With n rows and `b = ⌈n/8⌉` eights of rows:
#[doc(hidden)]
pub struct System<'a> {
    /// n.
    pub size: usize,
    /// A by columns. If b is at most [`FEW`], all of A. Otherwise the lower triangle: column j from the eight on that
    /// holds row j, so that the diagonal lies in full eights. Rows from n on are zeros. After the reduction: the
    /// vectors of the reflectors.
    pub matrix: &'a mut [F64x8],
    /// The factors β of the reflectors: `Q = H₀H₁…`, `Hᵢ = I − βᵢvᵢvᵢᵀ`. n numbers.
    pub factors: &'a mut [f64],
    /// The diagonal of `T = QᵀAQ`, zeros from n on. b + 1 eights.
    pub diagonal: &'a mut [F64x8],
    /// The off-diagonal of T, zeros from n − 1 on. b eights.
    pub off_diagonal: &'a mut [F64x8],
    /// a, then `Qᵀa`, then the solution. b + 1 eights, zeros from n on.
    pub vector: &'a mut [F64x8],
    /// Scratch, `b·WORK` eights.
    pub work: &'a mut [F64x8],
}

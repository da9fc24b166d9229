//! The kernels of the symmetric solver: a reduction to tridiagonal form, and solves with that, each compiled as a whole
//! for an instruction set. Small matrices leave no time for a call a loop.
//!
//! Everything lies in blocks of eight rows, padded with zeros, so that no loop has a rest.

use once_cell::race::OnceRef;

use super::lanes::BLOCK;

/// Eight numbers that lie side by side.
pub(crate) type Block = [f64; BLOCK];

/// Blocks of room for each block of rows, for vectors that go into a kernel and out of it.
pub(crate) const WORK: usize = 5 * BLOCK;

/// Blocks of rows up to which both triangles of a matrix are kept: see [`super::small`].
pub(crate) const SMALL: usize = 4;

/// The first block of rows that is kept of column `column` of a matrix with so many blocks of them.
#[inline(always)]
pub(crate) fn first_of(column: usize, blocks: usize) -> usize {
    if blocks <= SMALL { 0 } else { column / BLOCK }
}

/// Blocks before column `column` of a matrix with so many blocks of rows, stored as [`System::matrix`].
#[inline(always)]
pub(crate) fn start_of(column: usize, blocks: usize) -> usize {
    if blocks <= SMALL {
        return column * blocks;
    }
    let (whole, rest) = (column / BLOCK, column % BLOCK);
    // Σ (blocks − i) over the block columns i before, eight times; whole ones number at most `blocks`.
    BLOCK * (whole * blocks - whole * whole.saturating_sub(1) / 2) + rest * (blocks - whole)
}

/// The columns of a matrix of `size` rows that lies as [`System::matrix`]: the first row that is kept of each, and room
/// for the rows from that on, zeros behind the last.
pub(crate) fn columns(matrix: &mut [Block], size: usize) -> impl Iterator<Item = (usize, &mut [f64])> {
    let blocks = size.div_ceil(BLOCK);
    let mut rest = matrix;
    (0..size).map(move |column| {
        let first = first_of(column, blocks);
        let (rows, after) = core::mem::take(&mut rest).split_at_mut(blocks - first);
        rest = after;
        rows[blocks - first - 1] = [0.0; BLOCK];
        (first * BLOCK, &mut rows.as_flattened_mut()[..size - first * BLOCK])
    })
}

/// Column `column` of such a matrix: its first row and the rows from that on.
pub(crate) fn column(matrix: &[Block], size: usize, column: usize) -> (usize, &[f64]) {
    let blocks = size.div_ceil(BLOCK);
    let first = first_of(column, blocks);
    let rows = &matrix[start_of(column, blocks)..][..blocks - first];
    (first * BLOCK, &rows.as_flattened()[..size - first * BLOCK])
}

/// A symmetric matrix A and a vector a, on their way through the kernels. With n rows and `b = ⌈n/8⌉` blocks of them:
pub(crate) struct System<'a> {
    /// n.
    pub size: usize,
    /// A by columns: the whole of it where b is at most [`SMALL`], else the lower triangle, column j from the block on
    /// that holds row j: what stands on the diagonal are whole blocks. Rows from n on are zeros. After the reduction:
    /// the reflectors' vectors.
    pub matrix: &'a mut [Block],
    /// The reflectors' factors β: `Q = H₀H₁…`, `Hᵢ = I − βᵢvᵢvᵢᵀ`. n numbers.
    pub factors: &'a mut [f64],
    /// The diagonal of `T = QᵀAQ`, zeros from n on. b + 1 blocks.
    pub diagonal: &'a mut [Block],
    /// What stands beside it, zeros from n − 1 on. b blocks.
    pub beside: &'a mut [Block],
    /// a, then `Qᵀa`, then the solution. b + 1 blocks, zeros from n on.
    pub vector: &'a mut [Block],
    /// Scratch, `b·WORK` blocks.
    pub work: &'a mut [Block],
}

/// What the solves say besides the solution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Solved {
    /// The least pivot at the least shifts. Positive if and only if every shifted matrix was positive definite.
    pub least_pivot: f64,
    /// `yᵀTy` of the solution y.
    pub form: f64,
}

/// One table of kernels: with one instruction set.
pub(crate) struct SymmetricKernels {
    /// Name of the instruction set.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests say with it which table failed"))]
    pub name: &'static str,
    /// Reduces A to `T = QᵀAQ` and a to `Qᵀa`.
    pub reduce: fn(system: &mut System<'_>),
    /// Puts `√m Q Σⱼ wⱼ (T + m tⱼI)⁻¹ Qᵀa` in the place of `Qᵀa`, over the shifts tⱼ and weights wⱼ in units of m.
    pub solve: fn(system: &mut System<'_>, shifts: &[Block], weights: &[Block], m: f64) -> Solved,
}

impl SymmetricKernels {
    /// The kernels with each instruction set that this machine has, the best first.
    pub fn available() -> impl Iterator<Item = &'static Self> {
        super::machine::symmetric().into_iter().flatten()
    }

    /// The best kernels on this machine.
    pub fn best() -> &'static Self {
        static BEST: OnceRef<'static, SymmetricKernels> = OnceRef::new();
        super::best(&BEST, Self::available)
    }
}

/// Defines `$lanes::symmetric_table()`: the kernels compiled with `$lanes` for an instruction set, `["features"]` or
/// `[]` for that of the build.
macro_rules! symmetric_table {
    ($lanes:ident, $name:literal, $features:tt) => {
        impl $lanes {
            /// To be given away only where the machine was found to have the instruction set.
            pub(in crate::kernels) const fn symmetric_table() -> &'static $crate::kernels::symmetric::SymmetricKernels {
                use $crate::kernels::symmetric::{Block, Solved, System, SymmetricKernels, whole};
                &SymmetricKernels {
                    name: $name,
                    reduce: whole!($lanes, $features, reduce::reduce(system: &mut System<'_>) -> ()),
                    solve: whole!($lanes, $features, poles::solve(
                        system: &mut System<'_>, shifts: &[Block], weights: &[Block], m: f64) -> Solved),
                }
            }
        }
    };
}

/// One kernel, compiled for an instruction set.
macro_rules! whole {
    ($lanes:ident, [], $room:ident::$kernel:ident($($argument:ident: $type:ty),*) -> $result:ty) => {{
        fn compiled($($argument: $type),*) -> $result {
            $crate::kernels::$room::$kernel($lanes(()), $($argument),*)
        }
        compiled
    }};
    ($lanes:ident, [$features:literal], $room:ident::$kernel:ident($($argument:ident: $type:ty),*) -> $result:ty) => {{
        fn checked($($argument: $type),*) -> $result {
            #[target_feature(enable = $features)]
            fn compiled($($argument: $type),*) -> $result {
                $crate::kernels::$room::$kernel($lanes(()), $($argument),*)
            }
            // SAFETY: the table is given away only where the machine was found to have these features.
            unsafe { compiled($($argument),*) }
        }
        checked
    }};
}

pub(super) use symmetric_table;
pub(super) use whole;

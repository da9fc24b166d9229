//! faer's dense routines on matrices of k rows: an eigendecomposition and a Cholesky solve.
//!
//! This file calls only routines of faer that neither allocate nor use faer's caches: faer aborts if an allocation
//! fails, and its matrix product keeps megabytes for each thread, whose size it finds by reading files. So no routine
//! may multiply matrices: reflectors are applied one at a time, eigenvalues are found by QR (divide and conquer
//! multiplies matrices), and the Cholesky factorisation is not recursive. The scratch memory is reserved once.

use faer::diag::{DiagMut, DiagRef};
use faer::dyn_stack::{MemStack, StackReq};
use faer::linalg::cholesky::llt::factor::{LltParams, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::cholesky::llt::solve::solve_in_place;
use faer::linalg::evd::tridiag::{TridiagParams, tridiag_in_place, tridiag_in_place_scratch};
use faer::linalg::evd::{SelfAdjointEvdParams, tridiagonal_self_adjoint_evd};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as apply_reflectors,
};
use faer::prelude::{IntoConst, ReborrowMut};
use faer::{Auto, Conj, MatMut, Par, Spec};

use crate::error::Result;
use crate::memory::{Buffer, Scratch};

/// A k×k matrix by columns, and scratch memory for the routines.
pub(super) struct Dense {
    matrix: Buffer<f64>,
    reflectors: Buffer<f64>,
    off_diagonal: Buffer<f64>,
    scratch: Scratch,
}

impl Dense {
    /// For matrices of up to `size` rows.
    pub fn new(size: usize, what: &'static str) -> Result<Self> {
        Ok(Self {
            matrix: Buffer::zeroed(size * size, what)?,
            reflectors: Buffer::zeroed(size, what)?,
            off_diagonal: Buffer::zeroed(size, what)?,
            scratch: Scratch::new(scratch(size).unaligned_bytes_required(), what)?,
        })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let Self { matrix, reflectors, off_diagonal, scratch } = self;
        matrix.bytes() + reflectors.bytes() + off_diagonal.bytes() + scratch.bytes()
    }

    /// The entries of a matrix of `size` rows, column by column.
    pub fn matrix_mut(&mut self, size: usize) -> &mut [f64] {
        &mut self.matrix[..size * size]
    }

    /// The columns of the lower triangle of a matrix of `size` rows: for each its first row and its entries.
    pub fn lower_mut(&mut self, size: usize) -> impl Iterator<Item = (usize, &mut [f64])> {
        let columns = self.matrix[..size * size].chunks_exact_mut(size);
        columns.enumerate().map(|(first, column)| (first, &mut column[first..]))
    }

    /// Decomposes the matrix whose lower triangle is filled in, and destroys it. `values` takes the eigenvalues,
    /// ascending, and `vectors` the eigenvectors, one after the other. Returns false if there is no result: the
    /// reduction of a matrix with subnormal numbers may divide by zero, and QR may not converge.
    pub fn decompose(&mut self, size: usize, values: &mut [f64], vectors: &mut [f64]) -> bool {
        let stack = MemStack::new(self.scratch.memory());
        let mut matrix = MatMut::from_column_major_slice_mut(&mut self.matrix[..size * size], size, size);
        let below = size - 1;
        let mut reflectors = MatMut::from_row_major_slice_mut(&mut self.reflectors[..below], 1, below);
        tridiag_in_place(matrix.rb_mut(), reflectors.rb_mut(), Par::Seq, stack, Spec::<TridiagParams, f64>::default());
        let matrix = matrix.into_const();
        for (i, entry) in self.off_diagonal[..below].iter_mut().enumerate() {
            *entry = matrix[(i + 1, i)];
        }
        // With a NaN, QR would run until its limit of iterations.
        let is_finite = |tridiagonal: &[f64]| tridiagonal.iter().all(|entry| entry.is_finite());
        if !(is_finite(&self.off_diagonal[..below]) && (0..size).all(|i| matrix[(i, i)].is_finite())) {
            return false;
        }
        let by_qr = SelfAdjointEvdParams { recursion_threshold: usize::MAX, ..Auto::<f64>::auto() };
        let mut vectors = MatMut::from_column_major_slice_mut(vectors, size, size);
        let found = tridiagonal_self_adjoint_evd(
            matrix.diagonal(),
            DiagRef::from_slice(&self.off_diagonal[..size]),
            DiagMut::from_slice_mut(values),
            Some(vectors.rb_mut()),
            Par::Seq,
            stack,
            Spec::new(by_qr),
        );
        if below > 0 {
            let (basis, below) = (matrix.submatrix(1, 0, below, below), vectors.subrows_mut(1, below));
            apply_reflectors(basis, reflectors.into_const(), Conj::No, below, Par::Seq, stack);
        }
        found.is_ok()
    }

    /// Replaces x by `A⁻¹ x`, where A is the matrix whose lower triangle is filled in, and destroys A. Returns false if
    /// A is not positive definite.
    pub fn solve(&mut self, size: usize, x: &mut [f64]) -> bool {
        let stack = MemStack::new(self.scratch.memory());
        let mut matrix = MatMut::from_column_major_slice_mut(&mut self.matrix[..size * size], size, size);
        let params = Spec::new(not_recursive());
        if cholesky_in_place(matrix.rb_mut(), Default::default(), Par::Seq, stack, params).is_err() {
            return false;
        }
        let x = MatMut::from_column_major_slice_mut(x, size, 1);
        solve_in_place::<f64, f64>(matrix.into_const(), x, Par::Seq, stack);
        true
    }
}

fn not_recursive() -> LltParams {
    LltParams { recursion_threshold: usize::MAX, ..Auto::<f64>::auto() }
}

/// Scratch memory that the routines need for matrices of up to `size` rows.
fn scratch(size: usize) -> StackReq {
    let column = StackReq::new_aligned::<f64>(size, 64);
    StackReq::any_of(&[
        tridiag_in_place_scratch::<f64>(size, Par::Seq, Spec::default()),
        // The decomposition of a tridiagonal matrix by QR needs two vectors.
        column.and(column),
        apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(size, 1, size),
        cholesky_in_place_scratch::<f64>(size, Par::Seq, Spec::new(not_recursive())),
    ])
}

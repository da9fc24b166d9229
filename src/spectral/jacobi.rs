//! Eigenvalues and eigenvectors by Jacobi's method (Golub and Van Loan, Matrix Computations, section 8.5): several
//! times slower than QR, but it never mixes a small row with a large one more than their product asks for. Of a positive
//! definite matrix it finds each eigenvalue as exactly as the columns' angles determine it, however far their norms are
//! apart (Demmel and Veselić, Jacobi's method is more accurate than QR, SIAM J. Matrix Anal. Appl. 13(4), 1992).

use crate::kernels::symmetric::Block;

use super::reduction::BLOCK;

/// Sweeps allowed: some ten are taken.
const SWEEPS: usize = 60;

/// Turns a matrix into its eigenvalues, on the diagonal in no order, and puts its eigenvectors into `vectors`: block b
/// of vector j is number `b·size + j`.
pub(super) fn diagonalise(size: usize, matrix: &mut [f64], vectors: &mut [Block]) {
    vectors.fill([0.0; BLOCK]);
    for j in 0..size {
        vectors[j / BLOCK * size + j][j % BLOCK] = 1.0;
    }
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..size {
            for q in p + 1..size {
                let (product, squares) = (matrix[p * size + q], [matrix[p * size + p], matrix[q * size + q]]);
                let negligible = f64::EPSILON / 2.0 * squares[0].abs().sqrt() * squares[1].abs().sqrt();
                if product.abs() > negligible {
                    turned = true;
                    rotate(size, matrix, vectors, [p, q]);
                }
            }
        }
        if !turned {
            return;
        }
    }
}

/// Makes the entries where rows p and q cross 0.
fn rotate(size: usize, matrix: &mut [f64], vectors: &mut [Block], [p, q]: [usize; 2]) {
    let product = matrix[p * size + q];
    let cotangent = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * product);
    let tangent = 1f64.copysign(cotangent) / (cotangent.abs() + cotangent.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let squares = [matrix[p * size + p] - tangent * product, matrix[q * size + q] + tangent * product];
    for i in 0..size {
        let (x, y) = (matrix[i * size + p], matrix[i * size + q]);
        let turned = (cosine * x - sine * y, sine * x + cosine * y);
        (matrix[i * size + p], matrix[i * size + q]) = turned;
        (matrix[p * size + i], matrix[q * size + i]) = turned;
    }
    // Where they cross, both sides turn.
    (matrix[p * size + p], matrix[q * size + q]) = (squares[0], squares[1]);
    (matrix[p * size + q], matrix[q * size + p]) = (0.0, 0.0);
    for row in vectors.chunks_exact_mut(size) {
        let (before, after) = row.split_at_mut(q);
        for (x, y) in before[p].iter_mut().zip(&mut after[0]) {
            (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
        }
    }
}

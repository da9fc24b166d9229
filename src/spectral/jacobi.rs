//! Eigenvalues and eigenvectors by Jacobi's method (Golub and Van Loan, Matrix Computations, section 8.5): several
//! times slower than QR, but it mixes a small row with a large one no more than their product requires. For a positive
//! definite matrix it finds each eigenvalue as accurately as the angles between columns determine it, however far the
//! norms are apart (Demmel and Veselić, Jacobi's method is more accurate than QR, SIAM J. Matrix Anal. Appl. 13(4),
//! 1992).

/// Largest number of sweeps. About ten suffice.
const SWEEPS: usize = 60;

/// Diagonalises a symmetric matrix: the eigenvalues end on its diagonal, in no order, and the eigenvectors in
/// `vectors`, one after the other.
pub(super) fn diagonalise(size: usize, matrix: &mut [f64], vectors: &mut [f64]) {
    vectors.fill(0.0);
    vectors.iter_mut().step_by(size + 1).for_each(|entry| *entry = 1.0);
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

/// Rotates rows and columns p and q so that entry (p, q) becomes 0.
fn rotate(size: usize, matrix: &mut [f64], vectors: &mut [f64], [p, q]: [usize; 2]) {
    let product = matrix[p * size + q];
    let cotangent = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * product);
    let tangent = 1f64.copysign(cotangent) / (cotangent.abs() + hypotenuse(cotangent));
    let cosine = 1.0 / hypotenuse(tangent);
    let sine = tangent * cosine;
    let turn = |x: &mut f64, y: &mut f64| (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    let squares = [matrix[p * size + p] - tangent * product, matrix[q * size + q] + tangent * product];
    for i in 0..size {
        let (mut x, mut y) = (matrix[i * size + p], matrix[i * size + q]);
        turn(&mut x, &mut y);
        (matrix[i * size + p], matrix[i * size + q]) = (x, y);
        (matrix[p * size + i], matrix[q * size + i]) = (x, y);
    }
    // Where rows and columns p and q cross, both rotations act.
    (matrix[p * size + p], matrix[q * size + q]) = (squares[0], squares[1]);
    (matrix[p * size + q], matrix[q * size + p]) = (0.0, 0.0);
    let (before, after) = vectors.split_at_mut(q * size);
    before[p * size..][..size].iter_mut().zip(&mut after[..size]).for_each(|(x, y)| turn(x, y));
}

/// `√(1 + x²)`, also where x² overflows.
fn hypotenuse(x: f64) -> f64 {
    if x.abs() < 1e150 { (1.0 + x * x).sqrt() } else { x.abs() }
}

/*
 * Exact optima: symmetric positive definite systems.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_CHOLESKY_H
#define EXPERIMENTS_CHOLESKY_H

#include <stddef.h>

/*
 * Solves a x = b, with a of dim x dim. `a` is overwritten, `b` becomes x. Fails where a is not positive definite.
 * Rows are scaled to a diagonal of 1 first: features of very different units do no harm.
 */
void cholesky_solve(double *a, double *b, size_t dim);

#endif

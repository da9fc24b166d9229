/*
 * Products of matrices, row by row in memory, with loops that a compiler turns into vector instructions.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_MATRIX_H
#define EXPERIMENTS_MATRIX_H

#include <stddef.h>

#include "real.h"

#define multiply_add NAME(multiply_add)
#define transpose NAME(transpose)
#define add NAME(add)
#define linear_add NAME(linear_add)
#define linear_backward NAME(linear_backward)
#define weight_penalty NAME(weight_penalty)

/* A matrix whose element (r, k) is at r * row + k * column: either as it lies in memory, or its transpose. */
struct strided {
    const real *at;
    size_t row, column;
};

/* c += a b, with a of `rows` x `inner`, b of `inner` x `columns`. c overlaps neither. */
void multiply_add(real *c, struct strided a, const real *b, size_t rows, size_t inner, size_t columns);

/* `out` (columns x rows) becomes the transpose of `in` (rows x columns). */
void transpose(real *out, const real *in, size_t rows, size_t columns);

void add(real *sum, const real *more, size_t count);

/*
 * A linear layer: `weights` are from x to, `to` biases lie behind them. The first `biased` of the `rows` get the
 * biases: all, except where rows are derivatives of others.
 */
enum { LARGEST_LAYER = 1 << 16 }; /* weights */

/* out += in weights + biases */
void linear_add(real *out, const real *in, const real *weights, size_t rows, size_t biased, size_t from, size_t to);

/*
 * Adds to `weight_grads` (as long as weights and biases). `in_errors`, the derivative by the inputs, is overwritten;
 * NULL: it is not needed.
 */
void linear_backward(real *in_errors, real *weight_grads, const real *out_errors, const real *in, const real *weights,
                     size_t rows, size_t biased, size_t from, size_t to);

/* factor / 2 times the sum of squares; its gradient is added to `grads` unless that is NULL. */
double weight_penalty(const real *weights, real *grads, size_t count, double factor);

#endif

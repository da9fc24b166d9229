/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "matrix.h"

#include <string.h>

#include "support.h"

#define ALWAYS_INLINE __attribute__((always_inline)) static inline

/* `width` columns of the product. It is a constant in every call, so that `sums` can stay in registers. */
ALWAYS_INLINE void multiply_strip(real *restrict c, struct strided a, const real *restrict b, size_t rows, size_t inner,
                                  size_t columns, const size_t width) {
    for (size_t r = 0; r < rows; r++) {
        real sums[32];
        for (size_t i = 0; i < width; i++) sums[i] = c[r * columns + i];
        const real *x = a.at + r * a.row;
        for (size_t k = 0; k < inner; k++) {
            const real *restrict row = b + k * columns;
            for (size_t i = 0; i < width; i++) sums[i] += x[k * a.column] * row[i];
        }
        for (size_t i = 0; i < width; i++) c[r * columns + i] = sums[i];
    }
}

void multiply_add(real *c, struct strided a, const real *b, size_t rows, size_t inner, size_t columns) {
    size_t i = 0;
    for (; i + 32 <= columns; i += 32) multiply_strip(c + i, a, b + i, rows, inner, columns, 32);
    for (; i + 8 <= columns; i += 8) multiply_strip(c + i, a, b + i, rows, inner, columns, 8);
    for (; i < columns; i++) multiply_strip(c + i, a, b + i, rows, inner, columns, 1);
}

void transpose(real *restrict out, const real *restrict in, size_t rows, size_t columns) {
    for (size_t c = 0; c < columns; c++)
        for (size_t r = 0; r < rows; r++) out[c * rows + r] = in[r * columns + c];
}

void add(real *restrict sum, const real *restrict more, size_t count) {
    for (size_t i = 0; i < count; i++) sum[i] += more[i];
}

void linear_add(real *out, const real *in, const real *weights, size_t rows, size_t biased, size_t from, size_t to) {
    for (size_t r = 0; r < biased; r++) add(out + r * to, weights + from * to, to);
    multiply_add(out, (struct strided){in, from, 1}, weights, rows, from, to);
}

void linear_backward(real *in_errors, real *weight_grads, const real *out_errors, const real *in, const real *weights,
                     size_t rows, size_t biased, size_t from, size_t to) {
    multiply_add(weight_grads, (struct strided){in, 1, from}, out_errors, from, rows, to);
    for (size_t r = 0; r < biased; r++) add(weight_grads + from * to, out_errors + r * to, to);
    if (!in_errors) return;
    real transposed[LARGEST_LAYER];
    if (from * to > LARGEST_LAYER) fail("a layer of %zu x %zu weights", from, to);
    transpose(transposed, weights, from, to);
    memset(in_errors, 0, rows * from * sizeof *in_errors);
    multiply_add(in_errors, (struct strided){out_errors, to, 1}, transposed, rows, to, from);
}

double weight_penalty(const real *weights, real *grads, size_t count, double factor) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)weights[i] * (double)weights[i];
    if (grads)
        for (size_t i = 0; i < count; i++) grads[i] += (real)factor * weights[i];
    return factor / 2 * sum;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cholesky.h"

#include <math.h>
#include <stdlib.h>

#include "support.h"

static void factor(double *a, size_t dim) {
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = a[i * dim + j];
            for (size_t k = 0; k < j; k++) sum -= a[i * dim + k] * a[j * dim + k];
            if (i == j && !(sum > 0)) fail("a matrix is not positive definite");
            a[i * dim + j] = i == j ? sqrt(sum) : sum / a[j * dim + j];
        }
}

void cholesky_solve(double *a, double *b, size_t dim) {
    double *scales = allocate(dim, sizeof *scales);
    for (size_t i = 0; i < dim; i++) scales[i] = 1 / sqrt(a[i * dim + i]);
    for (size_t i = 0; i < dim; i++) {
        for (size_t j = 0; j < dim; j++) a[i * dim + j] *= scales[i] * scales[j];
        b[i] *= scales[i];
    }
    factor(a, dim);
    for (size_t i = 0; i < dim; i++) {
        for (size_t k = 0; k < i; k++) b[i] -= a[i * dim + k] * b[k];
        b[i] /= a[i * dim + i];
    }
    for (size_t i = dim; i-- > 0;) {
        for (size_t k = i + 1; k < dim; k++) b[i] -= a[k * dim + i] * b[k];
        b[i] /= a[i * dim + i];
    }
    for (size_t i = 0; i < dim; i++) b[i] *= scales[i];
    free(scales);
}

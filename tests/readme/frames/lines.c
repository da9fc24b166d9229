/*
 * README's lines of C, on a quadratic: the loss has to fall to a thousandth.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <lmada.h>
#include <stdio.h>
#include <stdlib.h>

enum { dim = 3 };
static const uint64_t steps = 3000;
static const float curvatures[dim] = {1, 30, 1000};

static void fail(const char *message) {
    fprintf(stderr, "%s\n", message);
    exit(EXIT_FAILURE);
}

static float loss(const float *params) {
    float sum = 0;
    for (int i = 0; i < dim; i++) sum += curvatures[i] * params[i] * params[i] / 2;
    return sum;
}

static void compute_gradient(const float *params, float *grads) {
    for (int i = 0; i < dim; i++) grads[i] = curvatures[i] * params[i];
}

int main(void) {
    float params[dim] = {1, 1, 1}, grads[dim];
    const float start = loss(params);
#include "lines.h"
    return loss(params) < start / 1000 ? EXIT_SUCCESS : EXIT_FAILURE;
}

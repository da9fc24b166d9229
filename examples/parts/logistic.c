/*
 * Logistic regression on raw features.
 *
 * The features reach from 1e-3 to 4e3, so the sums that cancel, logit and gradient, are in double.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "model.h"

enum { INPUTS = 30 };
enum { WEIGHTS, BIAS };

static void init(float *const *params, struct random *random) {
    (void)random; /* the loss is convex: 0 is as good a start as any */
    memset(params[WEIGHTS], 0, INPUTS * sizeof(float));
    params[BIAS][0] = 0;
}

static double logit(const float *const *params, const float *input) {
    double sum = (double)params[BIAS][0];
    for (size_t i = 0; i < INPUTS; i++) sum += (double)params[WEIGHTS][i] * (double)input[i];
    return sum;
}

static double loss(const float *const *params, const struct dataset *data, const size_t *rows, size_t count,
                   float *const *grads) {
    double sum = 0, weight_sums[INPUTS] = {0}, bias_sum = 0;
    for (size_t n = 0; n < count; n++) {
        size_t row = rows ? rows[n] : n;
        const float *input = data->inputs + row * INPUTS;
        double z = logit(params, input);
        double small = exp(-fabs(z)); /* at most 1, so neither line overflows whatever z is */
        /* log(1 + exp(z)) - label*z, and its derivative, the logistic function of z less the label. */
        sum += log1p(small) + fmax(z, 0) - data->labels[row] * z;
        double error = (z >= 0 ? 1 : small) / (1 + small) - data->labels[row];
        for (size_t i = 0; i < INPUTS; i++) weight_sums[i] += error * (double)input[i];
        bias_sum += error;
    }
    if (grads) {
        for (size_t i = 0; i < INPUTS; i++) grads[WEIGHTS][i] = (float)(weight_sums[i] / (double)count);
        grads[BIAS][0] = (float)(bias_sum / (double)count);
    }
    return sum / (double)count;
}

static int predict(const float *const *params, const float *input) {
    return logit(params, input) > 0;
}

const struct model logistic = {
    .name = "logistic regression",
    .features = INPUTS,
    .classes = 2,
    .tensors = 2,
    .lens = {INPUTS, 1},
    .init = init,
    .loss = loss,
    .predict = predict,
};

/*
 * Logistic regression on features as they are, full batch and minibatch. The weights are regularised, the bias is not.
 *
 * The features reach from 1e-3 to 4e3, so the sums that cancel, logit and gradient, are in double for float too.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cholesky.h"
#include "datasets.h"
#include "real.h"
#include "task.h"

enum { FEATURES = 30, DIM = FEATURES + 1, TRAIN = 448, BATCH = 32 };
#define L2 1e-4

struct problem {
    const struct dataset *data;
    size_t *rows;
    bool minibatch;
    struct batches batches;
};

static void *open(uint64_t seed, bool minibatch) {
    struct problem *problem = allocate(1, sizeof *problem);
    problem->data = breast_cancer();
    problem->rows = rows_shuffled(seed, problem->data->rows);
    problem->minibatch = minibatch;
    problem->batches = batches_new(seed, TRAIN, BATCH);
    return problem;
}

static void *open_full(uint64_t seed) {
    return open(seed, false);
}

static void *open_minibatch(uint64_t seed) {
    return open(seed, true);
}

static void close(void *opened) {
    struct problem *problem = opened;
    batches_free(&problem->batches);
    free(problem->rows);
    free(problem);
}

static void start(void *problem, void *params) {
    (void)problem; /* the loss is convex: 0 is as good a start as any */
    memset(params, 0, DIM * sizeof(real));
}

/*
 * The loss of a row, log(1 + e^z) - label * z. `error` becomes its derivative by z, `curvature` the second; small is at
 * most 1, so nothing overflows whatever z is.
 */
static double row_loss(const real *params, const float *input, int label, double *error, double *curvature) {
    double z = (double)params[FEATURES];
    for (size_t i = 0; i < FEATURES; i++) z += (double)params[i] * (double)input[i];
    double small = exp(-fabs(z));
    *error = (z >= 0 ? 1 : small) / (1 + small) - label;
    *curvature = small / ((1 + small) * (1 + small));
    return log1p(small) + fmax(z, 0) - label * z;
}

static double penalty(const real *params) {
    double sum = 0;
    for (size_t i = 0; i < FEATURES; i++) sum += (double)params[i] * (double)params[i];
    return L2 / 2 * sum;
}

static double gradient(void *opened, const void *parameters, void *gradients) {
    struct problem *problem = opened;
    const real *params = parameters;
    real *grads = gradients;
    const size_t *batch = problem->minibatch ? batches_next(&problem->batches) : NULL;
    const size_t count = batch ? BATCH : TRAIN;
    double sum = 0, sums[DIM] = {0};
    for (size_t n = 0; n < count; n++) {
        size_t row = problem->rows[batch ? batch[n] : n];
        const float *input = problem->data->inputs + row * FEATURES;
        double error, curvature;
        sum += row_loss(params, input, problem->data->labels[row], &error, &curvature);
        for (size_t i = 0; i < FEATURES; i++) sums[i] += error * (double)input[i];
        sums[FEATURES] += error;
    }
    for (size_t i = 0; i < FEATURES; i++) grads[i] = (real)(sums[i] / (double)count + L2 * (double)params[i]);
    grads[FEATURES] = (real)(sums[FEATURES] / (double)count);
    return sum / (double)count + penalty(params);
}

/* The mean over the problem's rows from `from` to `to` - 1, without the penalty. */
static double mean_loss(const struct problem *problem, const real *params, size_t from, size_t to) {
    double sum = 0, error, curvature;
    for (size_t n = from; n < to; n++) {
        size_t row = problem->rows[n];
        sum += row_loss(params, problem->data->inputs + row * FEATURES, problem->data->labels[row], &error, &curvature);
    }
    return sum / (double)(to - from);
}

static double objective(void *problem, const void *params) {
    return mean_loss(problem, params, 0, TRAIN) + penalty(params);
}

static double held_out(void *opened, const void *params) {
    struct problem *problem = opened;
    return mean_loss(problem, params, TRAIN, problem->data->rows);
}

const struct task_functions NAME(cancer) = {open_full, close, start, gradient, objective, held_out};
const struct task_functions NAME(cancer_minibatch) = {open_minibatch, close, start, gradient, objective, held_out};

#ifdef REAL_F64

extern const struct task_functions cancer_f32, cancer_minibatch_f32;

static void hessian(const struct problem *problem, const double *params, double *sums) {
    memset(sums, 0, DIM * DIM * sizeof *sums);
    for (size_t n = 0; n < TRAIN; n++) {
        size_t row = problem->rows[n];
        double input[DIM], error, curvature;
        const float *features = problem->data->inputs + row * FEATURES;
        for (size_t i = 0; i < FEATURES; i++) input[i] = (double)features[i];
        input[FEATURES] = 1;
        row_loss(params, features, problem->data->labels[row], &error, &curvature);
        for (size_t i = 0; i < DIM; i++)
            for (size_t j = 0; j < DIM; j++) sums[i * DIM + j] += curvature * input[i] * input[j] / TRAIN;
    }
    for (size_t i = 0; i < FEATURES; i++) sums[i * DIM + i] += L2;
}

/* Newton's method; a step is halved until it lowers the objective, and none that does is left at the end. */
static double optimum(uint64_t seed, double *params) {
    struct problem *problem = open(seed, false);
    double at[DIM] = {0}, least = objective(problem, at), matrix[DIM * DIM];
    for (bool lower = true; lower;) {
        double step[DIM], next[DIM], size = 1;
        gradient(problem, at, step);
        hessian(problem, at, matrix);
        cholesky_solve(matrix, step, DIM);
        for (lower = false; !lower && size > 1e-3; size /= 2) {
            for (size_t i = 0; i < DIM; i++) next[i] = at[i] - size * step[i];
            lower = objective(problem, next) < least;
        }
        if (!lower) break;
        memcpy(at, next, sizeof at);
        least = objective(problem, at);
    }
    if (params) memcpy(params, at, sizeof at);
    close(problem);
    return least;
}

static const size_t lens[] = {FEATURES, 1};

const struct task task_cancer = {
    .name = "cancer",
    .title = "Cancer, full batch",
    .description = "Logistic regression on the 30 features of the breast cancer data in their own units, which differ "
                   "by 10^5, from 448 rows, all in each gradient; L2 of 1e-4 on the weights, not on the bias. "
                   "The optimum is exact (Newton's method).",
    .dim = DIM,
    .tensors = 2,
    .lens = lens,
    .batch = 0,
    .steps = 1000,
    .excess = true,
    .optimum = optimum,
    .f32 = &cancer_f32,
    .f64 = &cancer_f64,
};

const struct task task_cancer_minibatch = {
    .name = "cancer-minibatch",
    .title = "Cancer, minibatch",
    .description = "The same logistic regression with minibatches of 32 rows.",
    .dim = DIM,
    .tensors = 2,
    .lens = lens,
    .batch = BATCH,
    .steps = 1000,
    .excess = true,
    .optimum = optimum,
    .f32 = &cancer_minibatch_f32,
    .f64 = &cancer_minibatch_f64,
};

#endif

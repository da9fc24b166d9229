/*
 * Two linear regressions whose Hessian is known: its eigenvalues fall geometrically, its eigenvectors are random.
 *
 * In the first the covariance of the features has full rank. In the second it has a rank below the dimension, and an L2
 * penalty makes the optimum unique. Each eigenvector has the same share in the labels, so that none can be left out.
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

enum { TRAIN = 1024, HELD_OUT = 256, ROWS = TRAIN + HELD_OUT, BATCH = 32, LANES = 8 };
#define LABEL_NOISE 0.1 /* standard deviation; that of the labels without noise is 1 */

/* Eigenvalues of the covariance go from 1 to `smallest`; dim is a multiple of LANES. */
struct shape {
    size_t dim, rank;
    double smallest, l2;
};

static const struct shape ill_conditioned = {128, 128, 1e-5, 0}, low_rank = {256, 40, 1e-5, 1e-6};

struct problem {
    struct shape shape;
    float *features, *labels; /* float in both precisions, so that both have the same optimum */
    struct batches batches;
};

/* `rank` orthonormal rows (Gram and Schmidt, twice). */
static double *orthonormal(struct random *random, size_t rank, size_t dim) {
    double *rows = allocate(rank * dim, sizeof *rows);
    for (size_t r = 0; r < rank; r++) {
        double *row = rows + r * dim, square = 0;
        for (size_t i = 0; i < dim; i++) row[i] = random_normal(random);
        for (size_t q = 0; q < 2 * r; q++) {
            const double *other = rows + q / 2 * dim;
            double along = 0;
            for (size_t i = 0; i < dim; i++) along += row[i] * other[i];
            for (size_t i = 0; i < dim; i++) row[i] -= along * other[i];
        }
        for (size_t i = 0; i < dim; i++) square += row[i] * row[i];
        for (size_t i = 0; i < dim; i++) row[i] /= sqrt(square);
    }
    return rows;
}

static void *open(uint64_t seed, struct shape shape) {
    struct problem *problem = allocate(1, sizeof *problem);
    problem->shape = shape;
    problem->features = allocate(ROWS * shape.dim, sizeof(float));
    problem->labels = allocate(ROWS, sizeof(float));
    problem->batches = batches_new(seed, TRAIN, BATCH);

    struct random random = random_stream(seed, STREAM_DATA);
    double *axes = orthonormal(&random, shape.rank, shape.dim);
    double *row = allocate(shape.dim, sizeof *row), *shares = allocate(shape.rank, sizeof *shares);
    for (size_t k = 0; k < shape.rank; k++) shares[k] = random_normal(&random) / sqrt((double)shape.rank);
    for (size_t n = 0; n < ROWS; n++) {
        double label = LABEL_NOISE * random_normal(&random);
        memset(row, 0, shape.dim * sizeof *row);
        for (size_t k = 0; k < shape.rank; k++) {
            double z = random_normal(&random), root = pow(shape.smallest, 0.5 * (double)k / (double)(shape.rank - 1));
            for (size_t i = 0; i < shape.dim; i++) row[i] += root * z * axes[k * shape.dim + i];
            label += shares[k] * z;
        }
        for (size_t i = 0; i < shape.dim; i++) problem->features[n * shape.dim + i] = (float)row[i];
        problem->labels[n] = (float)label;
    }
    free(shares);
    free(row);
    free(axes);
    return problem;
}

static void *open_ill_conditioned(uint64_t seed) {
    return open(seed, ill_conditioned);
}

static void *open_low_rank(uint64_t seed) {
    return open(seed, low_rank);
}

static void close(void *opened) {
    struct problem *problem = opened;
    batches_free(&problem->batches);
    free(problem->features);
    free(problem->labels);
    free(problem);
}

static void start(void *opened, void *params) {
    memset(params, 0, ((struct problem *)opened)->shape.dim * sizeof(real));
}

/* Prediction less label, in double: the objective is compared with the exact optimum. */
static double residual(const struct problem *problem, const real *params, size_t row) {
    const float *restrict features = problem->features + row * problem->shape.dim;
    double sums[LANES] = {0}, sum = -(double)problem->labels[row];
    for (size_t i = 0; i < problem->shape.dim; i += LANES)
        for (size_t j = 0; j < LANES; j++) sums[j] += (double)features[i + j] * (double)params[i + j];
    for (size_t j = 0; j < LANES; j++) sum += sums[j];
    return sum;
}

static double penalty(const struct problem *problem, const real *params) {
    double sum = 0;
    for (size_t i = 0; i < problem->shape.dim; i++) sum += (double)params[i] * (double)params[i];
    return problem->shape.l2 / 2 * sum;
}

static void add_row(const struct problem *problem, size_t row, real error, real *restrict grads) {
    const float *restrict features = problem->features + row * problem->shape.dim;
    for (size_t i = 0; i < problem->shape.dim; i++) grads[i] += error * (real)features[i];
}

static double gradient(void *opened, const void *parameters, void *gradients) {
    struct problem *problem = opened;
    const real *params = parameters;
    real *grads = gradients;
    const size_t *batch = batches_next(&problem->batches);
    double sum = 0;
    for (size_t i = 0; i < problem->shape.dim; i++) grads[i] = (real)problem->shape.l2 * params[i];
    for (size_t n = 0; n < BATCH; n++) {
        double error = residual(problem, params, batch[n]);
        sum += error * error / 2;
        add_row(problem, batch[n], (real)(error / BATCH), grads);
    }
    return sum / BATCH + penalty(problem, params);
}

static double mean_loss(const struct problem *problem, const real *params, size_t from, size_t to) {
    double sum = 0;
    for (size_t n = from; n < to; n++) {
        double error = residual(problem, params, n);
        sum += error * error / 2;
    }
    return sum / (double)(to - from);
}

static double objective(void *problem, const void *params) {
    return mean_loss(problem, params, 0, TRAIN) + penalty(problem, params);
}

static double held_out(void *problem, const void *params) {
    return mean_loss(problem, params, TRAIN, ROWS);
}

const struct task_functions NAME(regression) = {open_ill_conditioned, close, start, gradient, objective, held_out};
const struct task_functions NAME(low_rank) = {open_low_rank, close, start, gradient, objective, held_out};

#ifdef REAL_F64

extern const struct task_functions regression_f32, low_rank_f32;

/* Solves the normal equations. A second solve, for the gradient that the first left, takes its rounding errors away. */
static double optimum(uint64_t seed, struct shape shape, double *params) {
    struct problem *problem = open(seed, shape);
    const size_t dim = shape.dim;
    double *at = allocate(dim, sizeof *at), *rest = allocate(dim, sizeof *rest);
    double *matrix = allocate(dim * dim, sizeof *matrix);
    for (int solve = 0; solve < 2; solve++) {
        memset(matrix, 0, dim * dim * sizeof *matrix);
        for (size_t i = 0; i < dim; i++) {
            matrix[i * dim + i] = shape.l2;
            rest[i] = shape.l2 * at[i];
        }
        for (size_t n = 0; n < TRAIN; n++) {
            const float *features = problem->features + n * dim;
            add_row(problem, n, residual(problem, at, n) / TRAIN, rest);
            for (size_t i = 0; i < dim; i++) add_row(problem, n, (double)features[i] / TRAIN, matrix + i * dim);
        }
        cholesky_solve(matrix, rest, dim);
        for (size_t i = 0; i < dim; i++) at[i] -= rest[i];
    }
    double least = objective(problem, at);
    if (params) memcpy(params, at, dim * sizeof *params);
    free(matrix);
    free(rest);
    free(at);
    close(problem);
    return least;
}

static double optimum_ill_conditioned(uint64_t seed, double *params) {
    return optimum(seed, ill_conditioned, params);
}

static double optimum_low_rank(uint64_t seed, double *params) {
    return optimum(seed, low_rank, params);
}

static const size_t lens[] = {128}, low_rank_lens[] = {256};

const struct task task_regression = {
    .name = "regression",
    .title = "Regression, condition 1e5",
    .description = "Linear regression on 1,024 made rows with 128 features whose covariance has the condition 10^5 and "
                   "random eigenvectors; minibatches of 32, label noise of standard deviation 0.1. The optimum is "
                   "exact.",
    .dim = 128,
    .tensors = 1,
    .lens = lens,
    .batch = BATCH,
    .steps = 1000,
    .excess = true,
    .optimum = optimum_ill_conditioned,
    .f32 = &regression_f32,
    .f64 = &regression_f64,
};

const struct task task_low_rank = {
    .name = "low-rank",
    .title = "Low-rank regression",
    .description = "The same with 256 features of rank 40 (eigenvalues from 1 to 10^-5) and L2 of 10^-6, so that the "
                   "Hessian has the condition 10^6 and 216 eigenvalues of 10^-6.",
    .dim = 256,
    .tensors = 1,
    .lens = low_rank_lens,
    .batch = BATCH,
    .steps = 1000,
    .excess = true,
    .optimum = optimum_low_rank,
    .f32 = &low_rank_f32,
    .f64 = &low_rank_f64,
};

#endif

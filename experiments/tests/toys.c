/*
 * Two tasks that take no time, for tests of the harness: a quadratic with a known optimum, all rows at a time, and a
 * regression with minibatches.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <stdlib.h>

#include "support.h"
#include "tasks/task.h"

enum { QUADRATIC_DIM = 6, REGRESSION_DIM = 5, ROWS = 60, BATCH = 8 };

struct problem {
    struct random order;
    double inputs[ROWS][REGRESSION_DIM], outputs[ROWS];
};

static void *open_problem(uint64_t seed) {
    struct problem *problem = allocate(1, sizeof *problem);
    struct random data = random_stream(seed, 0);
    problem->order = random_stream(seed, 1);
    for (size_t row = 0; row < ROWS; row++) {
        problem->outputs[row] = random_uniform(&data, -0.1, 0.1);
        for (size_t i = 0; i < REGRESSION_DIM; i++) {
            problem->inputs[row][i] = random_uniform(&data, -1, 1);
            problem->outputs[row] += ((double)i + 1) * problem->inputs[row][i];
        }
    }
    return problem;
}

static void close_problem(void *problem) {
    free(problem);
}

static double quadratic(const double *params, double *grads) {
    double sum = 0.25;
    for (size_t i = 0; i < QUADRATIC_DIM; i++) {
        double curvature = 1 + (double)(i * i), distance = params[i] - 1;
        sum += 0.5 * curvature * distance * distance;
        if (grads) grads[i] = curvature * distance;
    }
    return sum;
}

static double quadratic_optimum(uint64_t seed, double *params) {
    (void)seed;
    for (size_t i = 0; params && i < QUADRATIC_DIM; i++) params[i] = 1;
    return 0.25;
}

/* Half the squared error, and 1e-3 of the squared length of the parameters. */
static double regression(const struct problem *problem, const double *params, const size_t *rows, size_t count,
                         double *grads) {
    double sum = 0;
    for (size_t i = 0; i < REGRESSION_DIM; i++) {
        sum += 5e-4 * params[i] * params[i];
        if (grads) grads[i] = 1e-3 * params[i];
    }
    for (size_t n = 0; n < count; n++) {
        size_t row = rows ? rows[n] : n;
        double error = -problem->outputs[row];
        for (size_t i = 0; i < REGRESSION_DIM; i++) error += params[i] * problem->inputs[row][i];
        sum += 0.5 * error * error / (double)count;
        for (size_t i = 0; grads && i < REGRESSION_DIM; i++)
            grads[i] += error * problem->inputs[row][i] / (double)count;
    }
    return sum;
}

#define MOST_DIM QUADRATIC_DIM

#define TOYS(REAL, NAME)                                                                                     \
    static void start_##NAME(void *problem, void *params) {                                                  \
        (void)problem;                                                                                       \
        for (size_t i = 0; i < REGRESSION_DIM; i++) ((REAL *)params)[i] = 0;                                 \
    }                                                                                                        \
    static void quadratic_start_##NAME(void *problem, void *params) {                                        \
        (void)problem;                                                                                       \
        for (size_t i = 0; i < QUADRATIC_DIM; i++) ((REAL *)params)[i] = 0;                                  \
    }                                                                                                        \
    static void widened_##NAME(const REAL *params, size_t dim, double *widened) {                            \
        for (size_t i = 0; i < dim; i++) widened[i] = (double)params[i];                                     \
    }                                                                                                        \
    static double quadratic_gradient_##NAME(void *problem, const void *params, void *grads) {                \
        double at[MOST_DIM], slopes[MOST_DIM];                                                               \
        (void)problem;                                                                                       \
        widened_##NAME(params, QUADRATIC_DIM, at);                                                           \
        double loss = quadratic(at, slopes);                                                                 \
        for (size_t i = 0; i < QUADRATIC_DIM; i++) ((REAL *)grads)[i] = (REAL)slopes[i];                     \
        return loss;                                                                                         \
    }                                                                                                        \
    static double quadratic_objective_##NAME(void *problem, const void *params) {                            \
        double at[MOST_DIM];                                                                                 \
        (void)problem;                                                                                       \
        widened_##NAME(params, QUADRATIC_DIM, at);                                                           \
        return quadratic(at, NULL);                                                                          \
    }                                                                                                        \
    static double regression_gradient_##NAME(void *context, const void *params, void *grads) {               \
        struct problem *problem = context;                                                                   \
        size_t rows[BATCH];                                                                                  \
        double at[MOST_DIM], slopes[MOST_DIM];                                                               \
        for (size_t b = 0; b < BATCH; b++) rows[b] = (size_t)random_uniform(&problem->order, 0, ROWS - 10);  \
        widened_##NAME(params, REGRESSION_DIM, at);                                                          \
        double loss = regression(problem, at, rows, BATCH, slopes);                                          \
        for (size_t i = 0; i < REGRESSION_DIM; i++) ((REAL *)grads)[i] = (REAL)slopes[i];                    \
        return loss;                                                                                         \
    }                                                                                                        \
    static double regression_objective_##NAME(void *problem, const void *params) {                           \
        double at[MOST_DIM];                                                                                 \
        widened_##NAME(params, REGRESSION_DIM, at);                                                          \
        return regression(problem, at, NULL, ROWS - 10, NULL);                                               \
    }                                                                                                        \
    static double regression_held_out_##NAME(void *problem, const void *params) {                            \
        size_t rows[10];                                                                                     \
        double at[MOST_DIM];                                                                                 \
        for (size_t i = 0; i < 10; i++) rows[i] = ROWS - 10 + i;                                             \
        widened_##NAME(params, REGRESSION_DIM, at);                                                          \
        return regression(problem, at, rows, 10, NULL);                                                      \
    }                                                                                                        \
    static const struct task_functions quadratic_##NAME = {open_problem, close_problem,                      \
                                                           quadratic_start_##NAME, quadratic_gradient_##NAME, \
                                                           quadratic_objective_##NAME, NULL};                \
    static const struct task_functions regression_##NAME = {open_problem, close_problem, start_##NAME,       \
                                                            regression_gradient_##NAME,                      \
                                                            regression_objective_##NAME,                     \
                                                            regression_held_out_##NAME};

TOYS(float, f32)
TOYS(double, f64)

static const size_t quadratic_lens[] = {QUADRATIC_DIM}, regression_lens[] = {REGRESSION_DIM};

static const struct task quadratic_task = {
    .name = "quadratic", .title = "A quadratic", .description = "A quadratic in 6 parameters.",
    .dim = QUADRATIC_DIM, .tensors = 1, .lens = quadratic_lens, .batch = 0, .steps = 1200, .excess = true,
    .optimum = quadratic_optimum, .f32 = &quadratic_f32, .f64 = &quadratic_f64};

static const struct task regression_task = {
    .name = "regression", .title = "A regression", .description = "A linear regression in 5 parameters.",
    .dim = REGRESSION_DIM, .tensors = 1, .lens = regression_lens, .batch = BATCH, .steps = 1200,
    .f32 = &regression_f32, .f64 = &regression_f64};

const char *task_data_folder = ".";

/* There is no larger one. */
const struct task task_characters_large = {.name = "characters-large"};

const struct task *const tasks[] = {&quadratic_task, &regression_task};
const size_t task_count = sizeof tasks / sizeof *tasks;

/*
 * A deep autoencoder of digits: 64 pixels, 32, 16, 8, 16, 32 tanh units, 64 pixels; full batch and minibatch.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <stdlib.h>

#include "datasets.h"
#include "net.h"
#include "task.h"

enum { PIXELS = 64, LAYERS = 6, TRAIN = 1472, FULL = 128, BATCH = 64 };
#define L2 1e-6

static const struct net net = {LAYERS, {PIXELS, 32, 16, 8, 16, 32, PIXELS}};

struct problem {
    uint64_t seed;
    const struct dataset *data;
    size_t *rows, train;
    struct batches batches;
    struct net_run run;
};

static void *open(uint64_t seed, size_t train, size_t batch) {
    struct problem *problem = allocate(1, sizeof *problem);
    problem->seed = seed;
    problem->data = digits();
    problem->rows = rows_shuffled(seed, problem->data->rows);
    problem->train = train;
    problem->batches = batches_new(seed, train, batch);
    problem->run = net_run_new(&net, batch);
    return problem;
}

static void *open_full(uint64_t seed) {
    return open(seed, FULL, FULL);
}

static void *open_minibatch(uint64_t seed) {
    return open(seed, TRAIN, BATCH);
}

static void close(void *opened) {
    struct problem *problem = opened;
    net_run_free(&problem->run);
    batches_free(&problem->batches);
    free(problem->rows);
    free(problem);
}

static void start(void *problem, void *params) {
    struct random random = random_stream(((struct problem *)problem)->seed, STREAM_START);
    net_start(&net, params, &random);
}

/* The sum over `count` rows of the mean squared error of a pixel; errors[LAYERS] become output less pixel. */
static double forward(struct problem *problem, const real *params, const size_t *batch, size_t first, size_t count) {
    struct net_run *run = &problem->run;
    double sum = 0;
    for (size_t n = 0; n < count; n++) {
        const float *input = problem->data->inputs + problem->rows[batch ? batch[n] : first + n] * PIXELS;
        for (size_t i = 0; i < PIXELS; i++) run->values[0][n * PIXELS + i] = (real)input[i];
    }
    net_forward(run, params, count);
    for (size_t i = 0; i < count * PIXELS; i++) {
        real error = run->errors[LAYERS][i] = run->values[LAYERS][i] - run->values[0][i];
        sum += (double)error * (double)error;
    }
    return sum / PIXELS;
}

static double gradient(void *opened, const void *params, void *grads) {
    struct problem *problem = opened;
    const size_t batch = problem->batches.batch;
    const bool full = batch == problem->train; /* then the order, which would change rounding errors, stays */
    double sum = forward(problem, params, full ? NULL : batches_next(&problem->batches), 0, batch);
    const real scale = (real)(2.0 / (double)(PIXELS * batch));
    for (size_t i = 0; i < batch * PIXELS; i++) problem->run.errors[LAYERS][i] *= scale;
    net_backward(&problem->run, params, batch, grads);
    return sum / (double)batch + net_penalty(&net, params, grads, L2);
}

static double mean_loss(struct problem *problem, const real *params, size_t from, size_t to) {
    const size_t most = problem->run.rows;
    double sum = 0;
    for (size_t n = from; n < to; n += most) sum += forward(problem, params, NULL, n, n + most < to ? most : to - n);
    return sum / (double)(to - from);
}

static double objective(void *opened, const void *params) {
    struct problem *problem = opened;
    return mean_loss(problem, params, 0, problem->train) + net_penalty(&net, params, NULL, L2);
}

/* Rows that neither of the two tasks trains on. */
static double held_out(void *opened, const void *params) {
    struct problem *problem = opened;
    return mean_loss(problem, params, TRAIN, problem->data->rows);
}

const struct task_functions NAME(autoencoder) = {open_full, close, start, gradient, objective, held_out};
const struct task_functions NAME(autoencoder_minibatch) = {open_minibatch, close, start, gradient, objective, held_out};

#ifdef REAL_F64

extern const struct task_functions autoencoder_f32, autoencoder_minibatch_f32;

enum { DIM = 65 * 32 + 33 * 16 + 17 * 8 + 9 * 16 + 17 * 32 + 33 * PIXELS, TENSORS = 2 * LAYERS };
static const size_t lens[TENSORS] = {64 * 32, 32, 32 * 16, 16, 16 * 8, 8, 8 * 16, 16, 16 * 32, 32, 32 * 64, 64};

const struct task task_autoencoder = {
    .name = "autoencoder",
    .title = "Autoencoder, full batch",
    .description = "An autoencoder of 64-32-16-8-16-32-64 units (tanh, linear outputs) on 128 digits, all in each "
                   "gradient; mean squared error of a pixel, L2 of 10^-6 on the weights.",
    .dim = DIM,
    .tensors = TENSORS,
    .lens = lens,
    .batch = 0,
    .steps = 1000,
    .f32 = &autoencoder_f32,
    .f64 = &autoencoder_f64,
};

const struct task task_autoencoder_minibatch = {
    .name = "autoencoder-minibatch",
    .title = "Autoencoder, minibatch",
    .description = "The same autoencoder on 1,472 digits with minibatches of 64.",
    .dim = DIM,
    .tensors = TENSORS,
    .lens = lens,
    .batch = BATCH,
    .steps = 1000,
    .f32 = &autoencoder_minibatch_f32,
    .f64 = &autoencoder_minibatch_f64,
};

#endif

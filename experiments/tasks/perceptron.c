/*
 * Digits by a perceptron: 64 pixels, 32 tanh units, softmax over 10 classes, cross-entropy.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets.h"
#include "functions.h"
#include "net.h"
#include "task.h"

enum { PIXELS = 64, HIDDEN = 32, CLASSES = 10, LAYERS = 2, TRAIN = 1472, BATCH = 64 };
enum { DIM = (PIXELS + 1) * HIDDEN + (HIDDEN + 1) * CLASSES };
#define L2 1e-4

static const struct net net = {LAYERS, {PIXELS, HIDDEN, CLASSES}};

struct problem {
    uint64_t seed;
    const struct dataset *data;
    size_t *rows;
    struct batches batches;
    struct net_run run;
};

static void *open(uint64_t seed) {
    struct problem *problem = allocate(1, sizeof *problem);
    problem->seed = seed;
    problem->data = digits();
    problem->rows = rows_shuffled(seed, problem->data->rows);
    problem->batches = batches_new(seed, TRAIN, BATCH);
    problem->run = net_run_new(&net, BATCH);
    return problem;
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

/* Cross-entropy of the softmax; the logits become its derivative by them. The largest is subtracted: no overflow. */
static double cross_entropy(real *logits, int label) {
    real largest = logits[0], right = logits[label];
    double sum = 0;
    for (size_t c = 1; c < CLASSES; c++) largest = logits[c] > largest ? logits[c] : largest;
    for (size_t c = 0; c < CLASSES; c++) logits[c] = real_exp(logits[c] - largest);
    for (size_t c = 0; c < CLASSES; c++) sum += (double)logits[c];
    for (size_t c = 0; c < CLASSES; c++) logits[c] *= (real)(1 / sum);
    logits[label] -= 1;
    return log(sum) + (double)largest - (double)right;
}

/* The sum over `count` rows, at most BATCH: those of `batch`, or from `first` on. Outputs become errors. */
static double forward(struct problem *problem, const real *params, const size_t *batch, size_t first, size_t count) {
    struct net_run *run = &problem->run;
    double sum = 0;
    for (size_t n = 0; n < count; n++) {
        const float *input = problem->data->inputs + problem->rows[batch ? batch[n] : first + n] * PIXELS;
        for (size_t i = 0; i < PIXELS; i++) run->values[0][n * PIXELS + i] = (real)input[i];
    }
    net_forward(run, params, count);
    for (size_t n = 0; n < count; n++)
        sum += cross_entropy(run->values[LAYERS] + n * CLASSES,
                             problem->data->labels[problem->rows[batch ? batch[n] : first + n]]);
    return sum;
}

static double gradient(void *opened, const void *params, void *grads) {
    struct problem *problem = opened;
    double sum = forward(problem, params, batches_next(&problem->batches), 0, BATCH);
    for (size_t i = 0; i < BATCH * CLASSES; i++)
        problem->run.errors[LAYERS][i] = problem->run.values[LAYERS][i] * (real)(1.0 / BATCH);
    net_backward(&problem->run, params, BATCH, grads);
    return sum / BATCH + net_penalty(&net, params, grads, L2);
}

static double mean_loss(struct problem *problem, const real *params, size_t from, size_t to) {
    double sum = 0;
    for (size_t n = from; n < to; n += BATCH)
        sum += forward(problem, params, NULL, n, n + BATCH < to ? BATCH : to - n);
    return sum / (double)(to - from);
}

static double objective(void *problem, const void *params) {
    return mean_loss(problem, params, 0, TRAIN) + net_penalty(&net, params, NULL, L2);
}

static double held_out(void *problem, const void *params) {
    return mean_loss(problem, params, TRAIN, ((struct problem *)problem)->data->rows);
}

const struct task_functions NAME(perceptron) = {open, close, start, gradient, objective, held_out};

#ifdef REAL_F64

extern const struct task_functions perceptron_f32;

static const size_t lens[] = {PIXELS * HIDDEN, HIDDEN, HIDDEN * CLASSES, CLASSES};

const struct task task_perceptron = {
    .name = "perceptron",
    .title = "Digits perceptron",
    .description = "Digits of 8 x 8 pixels by a perceptron of 64, 32 (tanh) and 10 (softmax) units; 1,472 rows, "
                   "minibatches of 64, L2 of 10^-4 on the weights.",
    .dim = DIM,
    .tensors = 4,
    .lens = lens,
    .batch = BATCH,
    .steps = 1000,
    .f32 = &perceptron_f32,
    .f64 = &perceptron_f64,
};

#endif

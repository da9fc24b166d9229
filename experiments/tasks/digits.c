/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "digits.h"

#include <stdbool.h>
#include <stdlib.h>

#include "datasets.h"

struct problem {
    const struct digits_model *model;
    uint64_t seed;
    const struct dataset *data;
    size_t *rows, train;
    struct batches batches;
    struct net_run run;
    int *labels; /* of the rows in `run` */
};

void *digits_open(const struct digits_model *model, uint64_t seed, size_t train, size_t batch) {
    struct problem *problem = allocate(1, sizeof *problem);
    problem->model = model;
    problem->seed = seed;
    problem->data = digits();
    problem->rows = rows_shuffled(seed, problem->data->rows);
    problem->train = train;
    problem->batches = batches_new(seed, train, batch);
    problem->run = net_run_new(model->net, batch);
    problem->labels = allocate(batch, sizeof *problem->labels);
    return problem;
}

void digits_close(void *opened) {
    struct problem *problem = opened;
    net_run_free(&problem->run);
    batches_free(&problem->batches);
    free(problem->rows);
    free(problem->labels);
    free(problem);
}

void digits_start(void *opened, void *params) {
    struct problem *problem = opened;
    struct random random = random_stream(problem->seed, STREAM_START);
    net_start(problem->model->net, params, &random);
}

/* The sum over `count` rows: those of `batch`, or from `first` on. */
static double forward(struct problem *problem, const real *params, const size_t *batch, size_t first, size_t count) {
    struct net_run *run = &problem->run;
    for (size_t n = 0; n < count; n++) {
        size_t row = problem->rows[batch ? batch[n] : first + n];
        const float *input = problem->data->inputs + row * DIGITS_PIXELS;
        for (size_t i = 0; i < DIGITS_PIXELS; i++) run->values[0][n * DIGITS_PIXELS + i] = (real)input[i];
        problem->labels[n] = problem->data->labels[row];
    }
    net_forward(run, params, count);
    return problem->model->loss(run, problem->labels, count);
}

double digits_gradient(void *opened, const void *params, void *grads) {
    struct problem *problem = opened;
    const struct net *net = problem->model->net;
    const size_t batch = problem->batches.batch;
    const bool full = batch == problem->train; /* then the order, which would change rounding errors, stays */
    double sum = forward(problem, params, full ? NULL : batches_next(&problem->batches), 0, batch);
    const real scale = (real)(1 / (double)batch);
    for (size_t i = 0; i < batch * net->widths[net->layers]; i++) problem->run.errors[net->layers][i] *= scale;
    net_backward(&problem->run, params, batch, grads);
    return sum / (double)batch + net_penalty(net, params, grads, problem->model->l2);
}

static double mean_loss(struct problem *problem, const real *params, size_t from, size_t to) {
    const size_t most = problem->run.rows;
    double sum = 0;
    for (size_t n = from; n < to; n += most) sum += forward(problem, params, NULL, n, n + most < to ? most : to - n);
    return sum / (double)(to - from);
}

double digits_objective(void *opened, const void *params) {
    struct problem *problem = opened;
    const struct digits_model *model = problem->model;
    return mean_loss(problem, params, 0, problem->train) + net_penalty(model->net, params, NULL, model->l2);
}

double digits_held_out(void *opened, const void *params) {
    struct problem *problem = opened;
    return mean_loss(problem, params, DIGITS_TRAIN, problem->data->rows);
}

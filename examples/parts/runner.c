/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "runner.h"

#include <math.h>
#include <stdlib.h>

/* Streams of random numbers that a run draws from; stream 0 splits the data. */
enum { STREAM_INIT = 1, STREAM_BATCHES = 2 };

/* Minibatches: a fresh random order each epoch; rows left over at its end wait for another one. */
struct batches {
    struct random random;
    size_t *order;
    size_t rows, size, next;
};

static struct batches batches_new(const struct task *task, size_t rows, uint64_t seed) {
    struct batches batches = {random_stream(seed, STREAM_BATCHES), NULL, rows, rows, rows};
    if (task->batch == 0) return batches;
    if (task->batch > rows) fail("%s: a minibatch of %zu from %zu rows", task->name, task->batch, rows);
    batches.size = task->batch;
    batches.order = allocate(rows, sizeof *batches.order);
    return batches;
}

/* The rows of the next minibatch; NULL: all. */
static const size_t *batches_next(struct batches *batches) {
    if (!batches->order) return NULL;
    if (batches->next + batches->size > batches->rows) {
        random_shuffle(&batches->random, batches->order, batches->rows);
        batches->next = 0;
    }
    const size_t *rows = batches->order + batches->next;
    batches->next += batches->size;
    return rows;
}

struct run {
    const struct task *task;
    struct split data;
    float *params[MAX_TENSORS], *grads[MAX_TENSORS];
};

static struct run run_new(const struct task *task, uint64_t seed) {
    struct run run = {.task = task, .data = dataset_split(task->data, seed)};
    struct random random = random_stream(seed, STREAM_INIT);
    model_allocate(task->model, run.params);
    model_allocate(task->model, run.grads);
    task->model->init(run.params, &random);
    return run;
}

static void run_free(struct run *run) {
    model_release(run->task->model, run->params);
    model_release(run->task->model, run->grads);
    dataset_free(&run->data.train);
    dataset_free(&run->data.test);
}

/* C does not add the inner const by itself. */
static const float *const *view(float *const *tensors) {
    return (const float *const *)tensors;
}

/* A loss that is not finite is infinite: NaN would compare as smaller than nothing and larger than nothing. */
static double train_loss(const struct run *run) {
    const struct dataset *data = &run->data.train;
    double loss = run->task->model->loss(view(run->params), data, NULL, data->rows, NULL);
    return isfinite(loss) ? loss : INFINITY;
}

void train(const struct task *task, const struct method *method, double lr, uint64_t seed, struct outcome *outcome) {
    const struct model *model = task->model;
    struct run run = run_new(task, seed);
    struct batches batches = batches_new(task, run.data.train.rows, seed);
    struct optimizer *optimizer = method->create(method, model->lens, model->tensors, lr);
    double *seconds = allocate(task->steps, sizeof *seconds);
    size_t interval = task->steps / (CURVE_POINTS - 1);
    if (interval * (CURVE_POINTS - 1) != task->steps) fail("%s: %zu steps do not part evenly", task->name, task->steps);
    size_t done = 0, points = 0;

    outcome->curve[points++] = train_loss(&run);
    while (done < task->steps) {
        const size_t *rows = batches_next(&batches);
        model->loss(view(run.params), &run.data.train, rows, batches.size, run.grads);
        optimizer->set_lr(optimizer, lmada_schedule(task->schedule, lr, done + 1, 0, task->steps));
        double start = seconds_now();
        bool moved = optimizer->step(optimizer, run.params, view(run.grads));
        seconds[done++] = seconds_now() - start;
        if (!moved) break;
        if (done % interval) continue;
        outcome->curve[points++] = train_loss(&run);
        if (isinf(outcome->curve[points - 1])) break;
    }
    while (points < CURVE_POINTS) outcome->curve[points++] = INFINITY;

    outcome->train_loss = outcome->curve[CURVE_POINTS - 1];
    outcome->test_accuracy = model_accuracy(model, view(run.params), &run.data.test);
    outcome->step_seconds = median(seconds, done);

    free(seconds);
    free(batches.order);
    optimizer->destroy(optimizer);
    run_free(&run);
}

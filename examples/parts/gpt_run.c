/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "gpt_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gpt.h"

enum { STREAM_INIT = 1, STREAM_WINDOWS = 2, WINDOW = GPT_CONTEXT + 1 };

const char *const schedule_names[SCHEDULE_COUNT] = {"cosine", "constant"};

double scheduled_lr(enum schedule schedule, double lr, size_t step, size_t steps) {
    const lmada_schedule_t kind = schedule == SCHEDULE_CONSTANT ? LMADA_SCHEDULE_CONSTANT : LMADA_SCHEDULE_COSINE;
    return lmada_schedule(kind, lr, step + 1, 1, steps + 1); /* one step of warm-up is none: it has the peak */
}

/* Windows that losses are measured on. */
struct measure {
    const unsigned char **train, **held_out;
    size_t count;
};

static struct measure measure_new(const struct gpt_task *task) {
    struct measure measure = {.count = task->measured};
    measure.train = allocate(measure.count, sizeof *measure.train);
    measure.held_out = allocate(measure.count, sizeof *measure.held_out);
    text_spread(&task->text->train, WINDOW, measure.train, measure.count);
    text_spread(&task->text->held_out, WINDOW, measure.held_out, measure.count);
    return measure;
}

static void measure_free(struct measure *measure) {
    free(measure->train);
    free(measure->held_out);
}

/* False where the run has diverged. A loss that is not finite is infinite: NaN would compare as no larger. */
static bool measure_at(const struct measure *measure, const float *params, struct gpt_outcome *outcome, size_t point) {
    double train = gpt_loss(params, measure->train, measure->count, NULL);
    double held_out = gpt_loss(params, measure->held_out, measure->count, NULL);
    outcome->train[point] = isfinite(train) ? train : INFINITY;
    outcome->held_out[point] = isfinite(held_out) ? held_out : INFINITY;
    return isfinite(train) && isfinite(held_out);
}

static void choose(const struct part *part, struct random *random, const unsigned char **windows, size_t count) {
    for (size_t i = 0; i < count; i++)
        windows[i] = part->codes + (size_t)random_uniform(random, 0, (double)(part->len - WINDOW + 1));
}

void gpt_train(const struct gpt_task *task, const struct method *method, double lr, enum schedule schedule,
               uint64_t seed, bool curves, struct gpt_outcome *outcome) {
    const size_t len = GPT_PARAMETERS, interval = task->steps / (CURVE_POINTS - 1);
    if (interval * (CURVE_POINTS - 1) != task->steps) fail("%zu steps do not part evenly", task->steps);
    struct measure measure = measure_new(task);
    struct random init = random_stream(seed, STREAM_INIT), choice = random_stream(seed, STREAM_WINDOWS);
    float *params = allocate(len, sizeof *params), *grads = allocate(len, sizeof *grads);
    double *steps = allocate(task->steps, sizeof *steps), *gradients = allocate(task->steps, sizeof *gradients);
    const unsigned char **windows = allocate(task->batch, sizeof *windows);
    struct optimizer *optimizer = method->create(method, &len, 1, lr);
    gpt_init(params, &init);

    *outcome = (struct gpt_outcome){0};
    bool going = measure_at(&measure, params, outcome, 0);
    size_t done = 0;
    while (done < task->steps && going) {
        choose(&task->text->train, &choice, windows, task->batch);
        double start = seconds_now();
        gpt_loss(params, windows, task->batch, grads);
        double middle = seconds_now();
        optimizer->set_lr(optimizer, scheduled_lr(schedule, lr, done, task->steps));
        going = optimizer->step(optimizer, &params, (const float *const *)&grads);
        gradients[done] = middle - start;
        steps[done++] = seconds_now() - middle;
        if (going && done % interval == 0 && (curves || done == task->steps))
            going = measure_at(&measure, params, outcome, done / interval);
    }
    if (!going)
        for (size_t point = (done + interval - 1) / interval; point < CURVE_POINTS; point++)
            outcome->train[point] = outcome->held_out[point] = INFINITY;
    outcome->step_seconds = median(steps, done);
    outcome->gradient_seconds = median(gradients, done);

    optimizer->destroy(optimizer);
    measure_free(&measure);
    free(windows);
    free(gradients);
    free(steps);
    free(grads);
    free(params);
}

void gpt_train_task(const struct task *task, const struct method *method, double lr, uint64_t seed,
                    struct outcome *outcome) {
    struct gpt_outcome of_gpt;
    gpt_train(task->gpt, method, lr, SCHEDULE_CONSTANT, seed, false, &of_gpt);
    *outcome = (struct outcome){.train_loss = of_gpt.train[CURVE_POINTS - 1], .step_seconds = of_gpt.step_seconds};
    memcpy(outcome->curve, of_gpt.train, sizeof outcome->curve);
}

/*
 * One training run of the GPT: the same start, the same windows of text in the same order for every optimizer.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_GPT_RUN_H
#define EXAMPLES_GPT_RUN_H

#include "optimizer.h"
#include "runner.h"
#include "text.h"

struct gpt_task {
    const struct text *text;
    size_t batch;    /* windows a step */
    size_t steps;    /* a multiple of CURVE_POINTS - 1 */
    size_t measured; /* windows of each part of the text that losses are measured on: for all runs the same */
};

/* Constant, or half a cosine from lr at the first step down to 0 behind the last (Loshchilov, Hutter 2017). */
enum schedule { SCHEDULE_COSINE, SCHEDULE_CONSTANT, SCHEDULE_COUNT };
extern const char *const schedule_names[SCHEDULE_COUNT];
double scheduled_lr(enum schedule schedule, double lr, size_t step, size_t steps);

/* Of fixed size and without pointers, so that a child process can hand it over in shared memory. */
struct gpt_outcome {
    double step_seconds, gradient_seconds; /* median time of the optimizer's call, and of loss and gradient */
    /* At equal distances, from before the first step to after the last; INFINITY from where the run diverged. */
    double train[CURVE_POINTS], held_out[CURVE_POINTS];
};

/* Starting weights and the choice of the windows follow from the seed. Without curves: only their first and last
 * point, the others being 0. */
void gpt_train(const struct gpt_task *task, const struct method *method, double lr, enum schedule schedule,
               uint64_t seed, bool curves, struct gpt_outcome *outcome);

/* The same as one of the tasks of a search, with a constant learning rate, as they all have. */
void gpt_train_task(const struct task *task, const struct method *method, double lr, uint64_t seed,
                    struct outcome *outcome);

#endif

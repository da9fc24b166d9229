/*
 * One run: an optimizer on a task, from the start to the last step.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_RUN_H
#define EXPERIMENTS_RUN_H

#include "settings.h"
#include "tasks/task.h"

enum { CURVE_POINTS = 41, TAIL_EVALUATIONS = 5 };

/* Linear: falls from the peak at the first step (or after the warm-up) and would be 0 one step after the last. */
enum schedule { SCHEDULE_LINEAR, SCHEDULE_CONSTANT, SCHEDULE_COUNT };
extern const char *const schedule_names[SCHEDULE_COUNT];

/* The learning rate of a step, counted from 0. */
double scheduled_lr(enum schedule schedule, double peak, double warmup, size_t step, size_t steps);

struct plan {
    double lr; /* the peak */
    enum schedule schedule;
    uint64_t seed;
    size_t steps; /* gradients */
};

/* Of fixed size and without pointers: a child process hands it over in shared memory. INFINITY: the run diverged. */
struct outcome {
    double objective; /* mean over the evaluations of the tail; minus the optimum if the task knows it */
    double held_out;  /* mean over the same evaluations; NAN: the task holds nothing out */
    double start;     /* the objective before the first step; minus the optimum if the task knows it */
};

/* The objective at equal distances, from the start to the last step; INFINITY from where the run diverged. */
struct curve_of_run {
    double objective[CURVE_POINTS];
};

/* `curve` may be NULL; recording it draws no minibatch. */
void run_train(const struct task *task, const struct setting *setting, const struct plan *plan,
               struct outcome *outcome, struct curve_of_run *curve);

/* The precision that a setting trains a task in. */
bool run_in_f64(const struct task *task, const struct setting *setting);

/* A distance to the optimum below this counts as this: optima are known to 1e-12. */
#define LEAST_EXCESS 1e-11

#endif

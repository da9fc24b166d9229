/*
 * One training run: the same start, the same minibatches and the same number of steps for every optimizer.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_RUNNER_H
#define EXAMPLES_RUNNER_H

#include "model.h"
#include "optimizer.h"

#define CURVE_POINTS 26

struct gpt_task;

struct task {
    const char *name;
    const struct model *model;
    const struct dataset *data;
    size_t batch; /* rows a step; 0: all of the training set */
    size_t steps; /* a multiple of CURVE_POINTS - 1 */
    const struct gpt_task *gpt; /* NULL, or what is trained in place of a model on a data set: see gpt_run.h */
    lmada_schedule_t schedule;  /* how the learning rate goes on from step to step; not of the GPT */
};

/* Of fixed size and without pointers, so that a child process can hand it over in shared memory. */
struct outcome {
    double train_loss; /* over the whole training set, after the last step; INFINITY where the run diverged */
    double test_accuracy; /* not of the GPT */
    double step_seconds;        /* median time of the optimizer's call alone */
    double curve[CURVE_POINTS]; /* train loss at equal distances, from before the first step to after the last */
};

/* Split into training and test set, starting weights and order of the minibatches all follow from the seed. */
void train(const struct task *task, const struct method *method, double lr, uint64_t seed, struct outcome *outcome);

#endif

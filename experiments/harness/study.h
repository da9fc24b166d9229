/*
 * All runs of a study: they are requested, then done, several at a time, then looked up.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_STUDY_H
#define EXPERIMENTS_STUDY_H

#include "progress.h"
#include "run.h"
#include "runs.h"

/* Learning rates are 10^(index/2). */
enum { LR_LEAST = -18, LR_MOST = 6 };
double lattice_lr(int index);
int lattice_index(double lr);

/* The seeds that choose learning rates and settings, and those that are reported. */
enum { FIRST_TUNING_SEED = 100, FIRST_REPORTED_SEED = 0, MOST_SEEDS = 16 };

struct job {
    size_t task, setting; /* in the study's lists */
    int lr;               /* see lattice_lr */
    enum schedule schedule;
    uint64_t seed;
    size_t steps;
};

/* Seconds that one call takes: measured by timing.c, guessed before. */
struct times {
    double gradient, step, objective;
};

/* With --quick a run has this share of its steps, but at least CURVE_POINTS: to try a program out. */
enum { QUICK_SHARE = 25 };

struct study {
    const struct task *const *tasks;
    size_t task_count;
    struct settings settings;
    size_t share; /* a run has the task's steps divided by this */
    size_t tuning_seeds, seeds;
    size_t at_a_time;
    struct runs *runs;
    struct progress progress;
    double later; /* seconds of runs that are expected after those wanted now */
    struct job *wanted;
    size_t wanted_count, wanted_reserved;
};

/* Fails if no task has the name. */
const struct task *task_called(const char *name);

size_t study_steps(const struct study *study, size_t task);

/* NULL: not done. Numbers as in struct outcome. */
const struct outcome *study_find(const struct study *study, const struct job *job);

/* The reported runs of a job, study->seeds many; the job's own seed is not used. Fails where one is not done. */
void study_outcomes(const struct study *study, struct job job, struct outcome outcomes[MOST_SEEDS]);

/* The geometric mean of the objectives of the tuning seeds. INFINITY: one run diverged, or is not done. */
double study_tuning_loss(const struct study *study, struct job job);

/* Wants a run, unless it is done. A run that is wanted twice is done once. */
void study_want(struct study *study, const struct job *job);

/* The same for all reported or tuning seeds; the job's own seed is not used. */
void study_want_seeds(struct study *study, struct job job, bool tuning);

/* Does the runs that are wanted. */
void study_do(struct study *study);

/* Seconds that a run takes by the times measured; 0 before. */
double study_seconds(const struct study *study, const struct job *job);

/* Measured times of a setting on a task; zeros: not measured. */
struct times study_times(const struct study *study, size_t task, size_t setting);
void study_add_times(struct study *study, size_t task, size_t setting, struct times times);

#endif

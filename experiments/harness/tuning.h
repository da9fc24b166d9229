/*
 * The learning rate that suits each setting on each task.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_TUNING_H
#define EXPERIMENTS_TUNING_H

#include "study.h"

/* One setting on one task with one schedule, at any learning rate. */
struct cell {
    size_t task, setting;
    enum schedule schedule;
    size_t steps;        /* gradients of its runs */
    int low, high, best; /* learning rates tried, and the best of them: see lattice_lr */
    double loss;         /* there: the geometric mean over the tuning seeds */
    bool sweep;          /* tried on both sides until the loss is above twice the best */
};

/* A cell that begins with three learning rates around `lr`, or with none for settings without one. */
struct cell cell_new(const struct study *study, size_t task, size_t setting, enum schedule schedule, int lr);

/* Tries learning rates until the best of each cell lies inside of those tried, or a limit is reached. */
void tune(struct study *study, struct cell *cells, size_t count);

/* The cell's loss at a learning rate: the geometric mean over the tuning seeds. INFINITY: diverged, or not tried. */
double cell_loss(const struct study *study, const struct cell *cell, int lr);

/* Does the best lie at a limit of the learning rates? */
bool cell_at_limit(const struct study *study, const struct cell *cell);

/* Its run at the best learning rate, of no seed yet. */
struct job cell_job(const struct cell *cell);

/* One decision of `tune`: moves an end of the range. Separate for the tests. `losses[i]` is that of low + i. */
bool widen(struct cell *cell, const double *losses);

#endif

/*
 * The phases of the evidence, one after the other, and what they leave behind for the report.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_RESULTS_H
#define EXPERIMENTS_RESULTS_H

#include "study.h"
#include "tuning.h"
#include "verdict.h"

/* Longer runs of Adam: its best setting with twice and four times the gradients. */
enum { LONGER = 2 };

/* What is reported of one task. A job with 0 steps: there is none. */
struct task_results {
    struct job best[FAMILY_COUNT];       /* equal gradients: the family's best setting, as tuned */
    struct job equal_time[FAMILY_COUNT]; /* as many gradients as fit into the time of best[FAMILY_ADAM] */
    struct job constant[FAMILY_COUNT];   /* best[]'s settings, with a constant learning rate */
    struct job longer[LONGER];           /* best[FAMILY_ADAM] with 2 and 4 times the gradients */
    struct job untuned_lmada, untuned_adam;
    struct cell chosen_sweep, adam_sweep; /* learning rates on both sides, until the loss is twice the best */
};

/* The verdict counts each task twice: at equal gradients, then at equal time. */
enum { AXES = 2 };

struct results {
    struct study *study;
    struct cell *cells;        /* [task][setting]: linear schedule, equal gradients */
    struct cell *timed_cells;  /* [task][setting]: linear schedule, equal time */
    struct cell *variants;     /* [task][setting]: lmada's settings, swept as chosen_sweep is; NULL: not asked for */
    struct task_results *tasks;
    size_t candidates[MOST_CANDIDATES], candidate_count; /* the settings that the verdict is about */
    struct verdict verdict;
    size_t chosen;             /* the setting */
    int chosen_lr;
    double chosen_lr_worst;    /* the worst ratio to a task's least loss there */
};

struct results results_new(struct study *study);

/* Only the learning rates of all settings at equal gradients: the other parts are empty. */
struct results results_tuned(struct study *study);

/* The setting that is the family's best but `rank` others on the task; NULL: there is none. */
const struct cell *results_ranked(const struct results *results, size_t task, enum family family, size_t rank);

void results_free(struct results *results);

/* False: the setting does not run on the task. */
bool cell_applies(const struct cell *cell);

/* The cell of a setting. */
const struct cell *results_cell(const struct results *results, size_t task, size_t setting);

/* Objectives, or held-out losses, of a job's reported runs. */
enum measure { OBJECTIVE, HELD_OUT };
void job_losses(const struct study *study, struct job job, enum measure measure, double losses[MOST_SEEDS]);

/* Seconds that a job's run takes. */
double job_seconds(const struct study *study, struct job job);

/* Losses of a sweep, at the learning rates from `low` to `high`, which may go beyond those tried. */
void sweep_losses(const struct study *study, const struct cell *sweep, int low, int high, double *losses);

#endif

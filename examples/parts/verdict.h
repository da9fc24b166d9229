/*
 * Which candidate trains best over several tasks, and at which learning rate.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_VERDICT_H
#define EXAMPLES_VERDICT_H

#include "search.h"
#include "tasks.h"

/* A train loss below this counts as this: the right class then has a probability of 99.99 %; less is no more use. */
#define LOSS_FLOOR 1e-4

/* All runs of all candidates: a search a task. */
struct evidence {
    struct search searches[TASK_COUNT];
    double starts[TASK_COUNT]; /* median train loss before the first step */
    double bests[TASK_COUNT];  /* least median train loss of any candidate at any learning rate */
};

/* Fills in starts and bests from searches that are done, of the seeds `from` to `to - 1`. */
void evidence_complete(struct evidence *evidence, size_t from, size_t to);

/*
 * log(loss/best) / log(start/best): the share of the way from the start to the best loss, in decades, that was not
 * made. 0: as good as the best; 1: no better than at the start, or diverged.
 */
double regret(const struct evidence *evidence, size_t task, double loss);

struct verdict {
    size_t candidate;
    struct summary best[TASK_COUNT]; /* at the best learning rate of each task */
    double regrets[TASK_COUNT], worst;
};

/* One verdict a candidate, the least worst-case regret first. */
void judge(const struct evidence *evidence, struct verdict *verdicts);

/* One candidate at one learning rate for all tasks. */
struct lr_verdict {
    size_t votes; /* (task, seed) pairs where it is the best of the grid */
    double losses[TASK_COUNT], worst;
};

/* One a learning rate of the grid. Returns the index of the one to recommend: the median of the votes. */
size_t judge_lrs(const struct evidence *evidence, size_t candidate, struct lr_verdict *verdicts);

#endif

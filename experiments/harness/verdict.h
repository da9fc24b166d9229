/*
 * Which candidate has the least worst regret over several tasks, and at which learning rate.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_VERDICT_H
#define EXPERIMENTS_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

enum { MOST_TASKS = 32, MOST_CANDIDATES = 32 };

/*
 * Losses of candidates, as log10, task by task and seed by seed. NAN: the candidate does not run on the task. A task at
 * equal gradients and the same task at equal time are two tasks here.
 */
struct losses {
    size_t tasks, candidates, seeds;
    const double *log10s;  /* [task][candidate][seed] */
    const double *bytes;   /* [candidate]: what a step moves for each parameter */
};

struct verdict {
    /*
     * log10 of the geometric mean of a candidate's losses over that of the task's best; 0 where the two are a tie
     * (statistics.h); NAN where the candidate does not run.
     */
    double regrets[MOST_TASKS][MOST_CANDIDATES];
    double worst[MOST_CANDIDATES];       /* over the tasks that all candidates run on */
    size_t best;                         /* has the least worst regret of the candidates that run on every task */
    /* On no task is the lower end of the 95 % interval of the regret above worst[best]. */
    bool within_spread[MOST_CANDIDATES];
    size_t chosen;                       /* of those within the spread that run on every task: the fewest bytes */
};

void judge(const struct losses *losses, struct verdict *verdict);

/* The median, of an even count the lower of the two in the middle. Sorts the values. */
int lower_median(int *values, size_t count);

/* How many of the learning rates have a loss of at most `factor` times the least. */
size_t width(const double *losses, size_t lrs, double factor);

#endif

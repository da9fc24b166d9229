/*
 * Every method at every learning rate of one grid, with several seeds, one child process a run.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_SEARCH_H
#define EXAMPLES_SEARCH_H

#include "jobs.h"
#include "progress.h"
#include "runner.h"

/* Learning rates in factors of about 3: 1, 3, 10, 30 ... */
struct grid {
    size_t count;
    double lrs[32];
};

/* From 10^low to 10^high. */
struct grid grid_new(int low, int high);

struct search {
    const struct task *task;
    const struct method *methods;
    size_t method_count;
    const struct grid *grid;
    size_t seeds;             /* runs have the seeds 0 to seeds - 1 */
    struct outcome *outcomes; /* [method][lr][seed] */
    size_t from, to;          /* the seeds that summaries look at, `to` excluded; search_run sets them to all */
};

/* One method at one learning rate: medians over the seeds looked at. */
struct summary {
    size_t lr_index;
    double lr, train_loss, test_accuracy;
};

/* Does all runs, `jobs` at a time. */
void search_run(struct search *search, size_t jobs, struct progress *progress);
void search_free(struct search *search);

const struct outcome *search_outcome(const struct search *search, size_t method, size_t lr, size_t seed);
struct summary search_summary(const struct search *search, size_t method, size_t lr);

/* The learning rate with the least median train loss. Where all are infinite: the first of the grid. */
struct summary search_best(const struct search *search, size_t method);

/* The same for one seed alone; INFINITY as train loss where all diverged. */
struct summary search_best_of_seed(const struct search *search, size_t method, size_t seed);

/* Is the best at an end of the grid, so that a wider one might have found a better? */
bool search_at_edge(const struct search *search, struct summary best);

#endif

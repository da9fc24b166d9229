/*
 * The search on the GPT: each setting, with each schedule, at the learning rate that suits it, on seeds that had no
 * part in choosing it.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_GPT_SEARCH_H
#define EXAMPLES_GPT_SEARCH_H

#include "gpt_runs.h"
#include "gpt_settings.h"

/*
 * Learning rates are 1, 3, 10, 30 ... times a power of ten. All begin with those from 1e-3 to 1e-1; the range grows by
 * one for as long as the best is at its end, but not beyond these limits.
 */
enum { LR_LEAST = -16, LR_FIRST = -6, LR_LAST = -2, LR_MOST = 8 };
double lattice_lr(int index);

/* One setting with one schedule. */
struct candidate {
    size_t setting;
    enum schedule schedule;
    int low, high, best; /* the learning rates tried, and the one with the least train loss: see lattice_lr */
    double tuning_loss;  /* train loss there: median over the seeds that choose */
};

struct protocol {
    struct gpt_task task;
    size_t tuning_seeds; /* choose the learning rate: by the median of the train losses after the last step */
    size_t seeds;        /* others, which are reported */
};

struct gpt_search {
    const struct gpt_settings *settings;
    struct protocol protocol;
    struct gpt_runs *runs;
    struct candidate *candidates; /* [schedule][setting] */
    size_t count;
};

/* Does the runs that are not done yet, `jobs` at a time. */
struct gpt_search gpt_search_run(const struct gpt_settings *settings, struct protocol protocol, struct gpt_runs *runs,
                                 size_t jobs);
void gpt_search_free(struct gpt_search *search);

/* A reported run: 0 to seeds - 1. */
const struct gpt_outcome *gpt_search_outcome(const struct gpt_search *search, const struct candidate *candidate,
                                             size_t seed);

/* May a better learning rate lie beyond the limits? */
bool candidate_at_limit(const struct candidate *candidate);

#endif

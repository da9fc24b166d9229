/*
 * What is said of a few runs: medians, spreads, and whether two methods differ.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_STATISTICS_H
#define EXPERIMENTS_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

/* Over the seeds. */
struct spread {
    double median, least, most;
};
struct spread spread_of(const double *values, size_t count);

/*
 * A paired comparison: the mean over the seeds of log10(loss/other's loss), and its 95 % bootstrap interval.
 * Losses are positive; a run that diverged counts as DIVERGED_LOG10 decades worse.
 */
#define DIVERGED_LOG10 6
struct comparison {
    double mean, low, high;
};
struct comparison compare(const double *losses, const double *others, size_t count);

/* "lower", "higher", or "tie" where the interval holds 0. */
const char *comparison_word(const struct comparison *comparison);
bool is_tie(const struct comparison *comparison);

/* `count` seeds drawn with replacement, the `resample`th time: the same for all, so that resamples are paired. */
enum { RESAMPLES = 4000, MOST_DRAWN = 16 };
void resample(size_t resample, size_t count, size_t drawn[MOST_DRAWN]);

/* The interval that holds the middle 95 % of RESAMPLES values, which are sorted in place. */
void middle_95(double *values, double *low, double *high);

#endif

/*
 * Numbers as the document has them.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_WORDS_H
#define EXPERIMENTS_WORDS_H

#include "results.h"
#include "statistics.h"

struct words {
    char chars[96];
};

/* A loss with three digits; "diverged" where it is not finite. */
struct words loss_text(double loss);

/* "0.12 (0.1 to 0.2)": the median, the minimum and the maximum. */
struct words spread_text(const double *values, size_t count);

/* How many times the other's loss: "0.12 (0.1 to 0.2), lower"; "tie" if the interval holds 1. */
struct words ratio_text(const struct comparison *comparison);

/* "13 times lower", "24 % higher"; "tie (1.02)", with the ratio in brackets. */
struct words difference_text(const struct comparison *comparison);

/* A job's losses against those of another one, seed by seed. */
struct comparison compare_jobs(const struct study *study, struct job job, struct job other, enum measure measure);

/* False: the task holds nothing out. */
bool has_held_out(const struct study *study, struct job job);

/* The start of a table: its first column, then the titles, which may be NULL to leave one out. */
void table_head(FILE *file, const char *first, const char *const *titles, size_t count);

const char *setting_name(const struct results *results, struct job job);
const char *task_title(const struct results *results, size_t task);

/* Has any task a job of this family? */
bool family_has_jobs(const struct results *results, enum family family);

#endif

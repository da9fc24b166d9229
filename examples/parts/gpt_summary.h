/*
 * The runs of a setting over its seeds, put together.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_GPT_SUMMARY_H
#define EXAMPLES_GPT_SUMMARY_H

#include "gpt_search.h"

/* Over the seeds. */
struct spread {
    double median, least, most;
};

/* A candidate over the seeds that are reported, at its learning rate. */
struct gpt_summary {
    const struct candidate *candidate;
    struct spread train[CURVE_POINTS], held_out[CURVE_POINTS];
    double step_seconds; /* of the optimizer's call */
};

struct gpt_summary gpt_summary_of(const struct gpt_search *search, const struct candidate *candidate);

/* Held-out loss at the end less that of the other, seed by seed. */
struct spread gpt_difference(const struct gpt_search *search, const struct candidate *candidate,
                             const struct candidate *other);

/* Time of a loss and its gradient: they are the same for all, so that one number is taken for all. */
double gpt_gradient_seconds(const struct gpt_search *search);

/* The family's candidate with the least train loss on the seeds that chose the learning rates; NULL: it has none. */
const struct candidate *gpt_best_of_family(const struct gpt_search *search, enum family family, enum schedule schedule);

#endif

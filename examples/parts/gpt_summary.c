/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "gpt_summary.h"

#include <stdlib.h>

/* Sorts the values. */
static struct spread spread_of(double *values, size_t count) {
    double middle = median(values, count);
    return (struct spread){middle, values[0], values[count - 1]};
}

struct gpt_summary gpt_summary_of(const struct gpt_search *search, const struct candidate *candidate) {
    size_t seeds = search->protocol.seeds;
    struct gpt_summary summary = {.candidate = candidate};
    double *train = allocate(seeds, sizeof *train), *held_out = allocate(seeds, sizeof *held_out);
    for (size_t point = 0; point < CURVE_POINTS; point++) {
        for (size_t seed = 0; seed < seeds; seed++) {
            const struct gpt_outcome *outcome = gpt_search_outcome(search, candidate, seed);
            train[seed] = outcome->train[point];
            held_out[seed] = outcome->held_out[point];
        }
        summary.train[point] = spread_of(train, seeds);
        summary.held_out[point] = spread_of(held_out, seeds);
    }
    for (size_t seed = 0; seed < seeds; seed++) train[seed] = gpt_search_outcome(search, candidate, seed)->step_seconds;
    summary.step_seconds = median(train, seeds);
    free(train);
    free(held_out);
    return summary;
}

struct spread gpt_difference(const struct gpt_search *search, const struct candidate *candidate,
                             const struct candidate *other) {
    size_t seeds = search->protocol.seeds;
    double *differences = allocate(seeds, sizeof *differences);
    for (size_t seed = 0; seed < seeds; seed++)
        differences[seed] = gpt_search_outcome(search, candidate, seed)->held_out[CURVE_POINTS - 1] -
                            gpt_search_outcome(search, other, seed)->held_out[CURVE_POINTS - 1];
    struct spread spread = spread_of(differences, seeds);
    free(differences);
    return spread;
}

double gpt_gradient_seconds(const struct gpt_search *search) {
    size_t seeds = search->protocol.seeds, count = 0;
    double *seconds = allocate(search->count * seeds, sizeof *seconds);
    for (size_t c = 0; c < search->count; c++)
        for (size_t seed = 0; seed < seeds; seed++)
            seconds[count++] = gpt_search_outcome(search, search->candidates + c, seed)->gradient_seconds;
    double middle = median(seconds, count);
    free(seconds);
    return middle;
}

const struct candidate *gpt_best_of_family(const struct gpt_search *search, enum family family,
                                           enum schedule schedule) {
    const struct candidate *best = NULL;
    for (size_t c = 0; c < search->count; c++) {
        const struct candidate *other = search->candidates + c;
        if (search->settings->list[other->setting].family != family || other->schedule != schedule) continue;
        if (!best || other->tuning_loss < best->tuning_loss) best = other;
    }
    return best;
}

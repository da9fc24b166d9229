/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

struct spread spread_of(const double *values, size_t count) {
    double *sorted = allocate(count, sizeof *sorted);
    memcpy(sorted, values, count * sizeof *sorted);
    double middle = median(sorted, count);
    struct spread spread = {middle, sorted[0], sorted[count - 1]};
    free(sorted);
    return spread;
}

void resample(size_t resample, size_t count, size_t drawn[MOST_DRAWN]) {
    struct random random = random_stream(1, resample);
    for (size_t i = 0; i < count; i++) drawn[i] = (size_t)random_uniform(&random, 0, (double)count);
}

void middle_95(double *values, double *low, double *high) {
    median(values, RESAMPLES); /* sorts */
    *low = values[RESAMPLES / 40];
    *high = values[RESAMPLES - 1 - RESAMPLES / 40];
}

static double log_ratio(double loss, double other) {
    bool diverged = !isfinite(loss), other_diverged = !isfinite(other);
    if (diverged || other_diverged) return DIVERGED_LOG10 * ((double)diverged - (double)other_diverged);
    return log10(loss / other);
}

struct comparison compare(const double *losses, const double *others, size_t count) {
    double ratios[MOST_DRAWN], *means = allocate(RESAMPLES, sizeof *means);
    if (count > MOST_DRAWN) fail("%zu seeds are too many", count);
    struct comparison comparison = {0, 0, 0};
    for (size_t i = 0; i < count; i++) {
        ratios[i] = log_ratio(losses[i], others[i]);
        comparison.mean += ratios[i] / (double)count;
    }
    for (size_t r = 0; r < RESAMPLES; r++) {
        size_t drawn[MOST_DRAWN];
        resample(r, count, drawn);
        for (size_t i = 0; i < count; i++) means[r] += ratios[drawn[i]] / (double)count;
    }
    middle_95(means, &comparison.low, &comparison.high);
    free(means);
    return comparison;
}

bool is_tie(const struct comparison *comparison) {
    return comparison->low <= 0 && comparison->high >= 0;
}

const char *comparison_word(const struct comparison *comparison) {
    return is_tie(comparison) ? "tie" : comparison->mean < 0 ? "lower" : "higher";
}

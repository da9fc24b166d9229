/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "verdict.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "statistics.h"
#include "support.h"

static const double *logs_of(const struct losses *losses, size_t task, size_t candidate) {
    return losses->log10s + (task * losses->candidates + candidate) * losses->seeds;
}

static bool runs_on(const struct losses *losses, size_t task, size_t candidate) {
    return !isnan(logs_of(losses, task, candidate)[0]);
}

static bool runs_everywhere(const struct losses *losses, size_t candidate) {
    for (size_t t = 0; t < losses->tasks; t++)
        if (!runs_on(losses, t, candidate)) return false;
    return true;
}

/* False: some candidate does not run on the task. Its worst regret would lack the task, so the task counts for none. */
static bool counts(const struct losses *losses, size_t task) {
    for (size_t c = 0; c < losses->candidates; c++)
        if (!runs_on(losses, task, c)) return false;
    return true;
}

static double mean_log(const struct losses *losses, size_t task, size_t candidate) {
    double sum = 0;
    for (size_t i = 0; i < losses->seeds; i++) sum += logs_of(losses, task, candidate)[i];
    return sum / (double)losses->seeds;
}

static size_t best_on(const struct losses *losses, size_t task) {
    size_t best = SIZE_MAX;
    for (size_t c = 0; c < losses->candidates; c++)
        if (runs_on(losses, task, c) &&
            (best == SIZE_MAX || mean_log(losses, task, c) < mean_log(losses, task, best)))
            best = c;
    if (best == SIZE_MAX) fail("a task that no candidate runs on");
    return best;
}

/* A candidate against the best on a task, seed by seed. */
static struct comparison against(const struct losses *losses, size_t task, size_t candidate, size_t best) {
    double values[MOST_DRAWN], others[MOST_DRAWN];
    for (size_t i = 0; i < losses->seeds; i++) {
        values[i] = pow(10, logs_of(losses, task, candidate)[i]);
        others[i] = pow(10, logs_of(losses, task, best)[i]);
    }
    return compare(values, others, losses->seeds);
}

/* Decades that rounding may make of equal losses. */
#define ROUNDING 1e-9

/* On no task does even the lower end of the regret's interval exceed the best candidate's worst regret. */
static bool is_within_spread(const struct losses *losses, size_t candidate, double least_worst) {
    for (size_t t = 0; t < losses->tasks; t++) {
        if (!counts(losses, t)) continue;
        struct comparison regret = against(losses, t, candidate, best_on(losses, t));
        if (!is_tie(&regret) && regret.low > least_worst + ROUNDING) return false;
    }
    return true;
}

void judge(const struct losses *losses, struct verdict *verdict) {
    if (losses->tasks > MOST_TASKS || losses->candidates > MOST_CANDIDATES) fail("too many tasks or candidates");
    *verdict = (struct verdict){.best = 0};
    for (size_t t = 0; t < losses->tasks; t++) {
        size_t best = best_on(losses, t);
        for (size_t c = 0; c < losses->candidates; c++) {
            double *regret = verdict->regrets[t] + c;
            *regret = NAN;
            if (!runs_on(losses, t, c)) continue;
            struct comparison comparison = against(losses, t, c, best);
            *regret = is_tie(&comparison) ? 0 : comparison.mean;
            if (counts(losses, t)) verdict->worst[c] = fmax(verdict->worst[c], *regret);
        }
    }
    verdict->best = SIZE_MAX;
    for (size_t c = 0; c < losses->candidates; c++)
        if (runs_everywhere(losses, c) &&
            (verdict->best == SIZE_MAX || verdict->worst[c] < verdict->worst[verdict->best]))
            verdict->best = c;
    if (verdict->best == SIZE_MAX) fail("no candidate runs on every task");
    verdict->chosen = verdict->best;
    for (size_t c = 0; c < losses->candidates; c++) {
        verdict->within_spread[c] = c == verdict->best || is_within_spread(losses, c, verdict->worst[verdict->best]);
        bool fewer_bytes = losses->bytes[c] < losses->bytes[verdict->chosen];
        if (verdict->within_spread[c] && runs_everywhere(losses, c) && fewer_bytes) verdict->chosen = c;
    }
}

static double least_of(const double *losses, size_t count) {
    double least = INFINITY;
    for (size_t i = 0; i < count; i++) least = fmin(least, losses[i]);
    return least;
}

static int by_size(const void *a, const void *b) {
    int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

int lower_median(int *values, size_t count) {
    qsort(values, count, sizeof *values, by_size);
    return values[(count - 1) / 2];
}

size_t width(const double *losses, size_t lrs, double factor) {
    size_t count = 0;
    double least = least_of(losses, lrs);
    for (size_t lr = 0; lr < lrs; lr++) count += isfinite(losses[lr]) && losses[lr] <= factor * least;
    return count;
}

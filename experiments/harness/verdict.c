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

/* A task that a candidate does not run on says nothing of who loses least: the absent would win. */
static bool counts(const struct losses *losses, size_t task) {
    for (size_t c = 0; c < losses->candidates; c++)
        if (!runs_on(losses, task, c)) return false;
    return true;
}

static double drawn_mean(const struct losses *losses, size_t task, size_t candidate, const size_t *drawn) {
    double sum = 0;
    for (size_t i = 0; i < losses->seeds; i++) sum += logs_of(losses, task, candidate)[drawn[i]];
    return sum / (double)losses->seeds;
}

/* The regrets of all candidates on one task, ties not looked at. Returns the best. */
static size_t plain_regrets(const struct losses *losses, size_t task, const size_t *drawn, double *regrets) {
    size_t best = SIZE_MAX;
    for (size_t c = 0; c < losses->candidates; c++) {
        regrets[c] = drawn_mean(losses, task, c, drawn);
        if (!isnan(regrets[c]) && (best == SIZE_MAX || regrets[c] < regrets[best])) best = c;
    }
    if (best == SIZE_MAX) fail("a task that no candidate runs on");
    double least = regrets[best];
    for (size_t c = 0; c < losses->candidates; c++) regrets[c] -= least;
    return best;
}

static bool tie_on_task(const struct losses *losses, size_t task, size_t candidate, size_t best) {
    double values[MOST_DRAWN], others[MOST_DRAWN];
    for (size_t i = 0; i < losses->seeds; i++) {
        values[i] = pow(10, logs_of(losses, task, candidate)[i]);
        others[i] = pow(10, logs_of(losses, task, best)[i]);
    }
    struct comparison comparison = compare(values, others, losses->seeds);
    return is_tie(&comparison);
}

/* Of each candidate the largest regret over the tasks, with resampled seeds. */
static void drawn_worst(const struct losses *losses, const size_t *drawn, double *worst) {
    double regrets[MOST_CANDIDATES];
    for (size_t c = 0; c < losses->candidates; c++) worst[c] = 0;
    for (size_t t = 0; t < losses->tasks; t++) {
        if (!counts(losses, t)) continue;
        plain_regrets(losses, t, drawn, regrets);
        for (size_t c = 0; c < losses->candidates; c++) worst[c] = fmax(worst[c], regrets[c]);
    }
}

static void find_within_spread(const struct losses *losses, struct verdict *verdict) {
    double *differences = allocate(RESAMPLES * losses->candidates, sizeof *differences);
    for (size_t r = 0; r < RESAMPLES; r++) {
        size_t drawn[MOST_DRAWN];
        double worst[MOST_CANDIDATES];
        resample(r, losses->seeds, drawn);
        drawn_worst(losses, drawn, worst);
        for (size_t c = 0; c < losses->candidates; c++)
            differences[c * RESAMPLES + r] = worst[c] - worst[verdict->best];
    }
    for (size_t c = 0; c < losses->candidates; c++) {
        double low, high;
        middle_95(differences + c * RESAMPLES, &low, &high);
        verdict->within_spread[c] = c == verdict->best || verdict->worst[c] <= verdict->worst[verdict->best] ||
                                    (low <= 0 && high >= 0);
    }
    free(differences);
}

void judge(const struct losses *losses, struct verdict *verdict) {
    if (losses->tasks > MOST_TASKS || losses->candidates > MOST_CANDIDATES) fail("too many tasks or candidates");
    size_t all[MOST_DRAWN];
    for (size_t i = 0; i < losses->seeds; i++) all[i] = i;
    *verdict = (struct verdict){.best = 0};
    for (size_t t = 0; t < losses->tasks; t++) {
        double *regrets = verdict->regrets[t];
        size_t best = plain_regrets(losses, t, all, regrets);
        for (size_t c = 0; c < losses->candidates; c++) {
            if (runs_on(losses, t, c) && tie_on_task(losses, t, c, best)) regrets[c] = 0;
            if (counts(losses, t)) verdict->worst[c] = fmax(verdict->worst[c], regrets[c]);
        }
    }
    for (size_t c = 1; c < losses->candidates; c++)
        if (verdict->worst[c] < verdict->worst[verdict->best]) verdict->best = c;
    find_within_spread(losses, verdict);
    verdict->chosen = verdict->best;
    for (size_t c = 0; c < losses->candidates; c++)
        if (verdict->within_spread[c] && losses->bytes[c] < losses->bytes[verdict->chosen]) verdict->chosen = c;
}

static double least_of(const double *losses, size_t count) {
    double least = INFINITY;
    for (size_t i = 0; i < count; i++) least = fmin(least, losses[i]);
    return least;
}

size_t judge_lr(const double *losses, size_t tasks, size_t lrs, double *worst) {
    size_t best = 0;
    *worst = INFINITY;
    for (size_t lr = 0; lr < lrs; lr++) {
        double ratio = 0;
        for (size_t t = 0; t < tasks; t++) ratio = fmax(ratio, losses[t * lrs + lr] / least_of(losses + t * lrs, lrs));
        if (ratio >= *worst) continue;
        *worst = ratio;
        best = lr;
    }
    return best;
}

size_t width(const double *losses, size_t lrs, double factor) {
    size_t count = 0;
    double least = least_of(losses, lrs);
    for (size_t lr = 0; lr < lrs; lr++) count += isfinite(losses[lr]) && losses[lr] <= factor * least;
    return count;
}

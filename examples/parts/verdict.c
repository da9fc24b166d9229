/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "verdict.h"

#include <math.h>
#include <stdlib.h>

void evidence_complete(struct evidence *evidence, size_t from, size_t to) {
    for (size_t t = 0; t < TASK_COUNT; t++) {
        struct search *search = evidence->searches + t;
        search->from = from;
        search->to = to;

        double *starts = allocate(to - from, sizeof *starts);
        for (size_t seed = from; seed < to; seed++) starts[seed - from] = search_outcome(search, 0, 0, seed)->curve[0];
        evidence->starts[t] = median(starts, to - from);
        free(starts);

        evidence->bests[t] = INFINITY;
        for (size_t m = 0; m < search->method_count; m++)
            evidence->bests[t] = fmin(evidence->bests[t], search_best(search, m).train_loss);
        if (evidence->bests[t] >= evidence->starts[t]) fail("%s: no candidate learns", search->task->name);
    }
}

double regret(const struct evidence *evidence, size_t task, double loss) {
    double start = evidence->starts[task], best = fmax(evidence->bests[task], LOSS_FLOOR);
    return log(fmin(fmax(loss, LOSS_FLOOR), start) / best) / log(start / best);
}

static int by_worst(const void *left, const void *right) {
    const struct verdict *a = left, *b = right;
    int order = (a->worst > b->worst) - (a->worst < b->worst);
    return order ? order : (a->candidate > b->candidate) - (a->candidate < b->candidate);
}

void judge(const struct evidence *evidence, struct verdict *verdicts) {
    size_t candidates = evidence->searches[0].method_count;
    for (size_t m = 0; m < candidates; m++) {
        verdicts[m] = (struct verdict){.candidate = m};
        for (size_t t = 0; t < TASK_COUNT; t++) {
            verdicts[m].best[t] = search_best(evidence->searches + t, m);
            verdicts[m].regrets[t] = regret(evidence, t, verdicts[m].best[t].train_loss);
            verdicts[m].worst = fmax(verdicts[m].worst, verdicts[m].regrets[t]);
        }
    }
    qsort(verdicts, candidates, sizeof *verdicts, by_worst);
}

size_t judge_lrs(const struct evidence *evidence, size_t candidate, struct lr_verdict *verdicts) {
    size_t count = evidence->searches[0].grid->count, votes = 0;
    for (size_t lr = 0; lr < count; lr++) {
        verdicts[lr] = (struct lr_verdict){0};
        for (size_t t = 0; t < TASK_COUNT; t++) {
            verdicts[lr].losses[t] = search_summary(evidence->searches + t, candidate, lr).train_loss;
            verdicts[lr].worst = fmax(verdicts[lr].worst, regret(evidence, t, verdicts[lr].losses[t]));
        }
    }
    for (size_t t = 0; t < TASK_COUNT; t++)
        for (size_t seed = evidence->searches[t].from; seed < evidence->searches[t].to; seed++, votes++)
            verdicts[search_best_of_seed(evidence->searches + t, candidate, seed).lr_index].votes++;

    /* With an even number of votes the smaller of the two in the middle, the safer one. */
    size_t median_lr = 0;
    for (size_t passed = verdicts[0].votes; 2 * passed < votes; passed += verdicts[median_lr].votes) median_lr++;
    return median_lr;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "search.h"

#include <math.h>
#include <stdlib.h>

#include "gpt_run.h"

struct grid grid_new(int low, int high) {
    struct grid grid = {0};
    for (int exponent = low; exponent <= high; exponent++) {
        grid.lrs[grid.count++] = pow(10, exponent);
        if (exponent < high) grid.lrs[grid.count++] = 3 * pow(10, exponent);
    }
    return grid;
}

static size_t outcome_count(const struct search *search) {
    return search->method_count * search->grid->count * search->seeds;
}

static struct outcome *outcome_at(const struct search *search, size_t method, size_t lr, size_t seed) {
    return search->outcomes + (method * search->grid->count + lr) * search->seeds + seed;
}

const struct outcome *search_outcome(const struct search *search, size_t method, size_t lr, size_t seed) {
    return outcome_at(search, method, lr, seed);
}

/* What the jobs of a search need: job = (method, lr, seed), the seed the fastest. */
struct searching {
    const struct search *search;
    struct progress *progress;
};

static size_t method_of(const struct search *search, size_t job) {
    return job / search->seeds / search->grid->count;
}

static void run_job(void *context, size_t job) {
    const struct search *search = ((struct searching *)context)->search;
    size_t seed = job % search->seeds;
    size_t lr = job / search->seeds % search->grid->count;
    size_t method = method_of(search, job);
    (search->task->gpt ? gpt_train_task : train)(search->task, search->methods + method, search->grid->lrs[lr], seed,
                                                 outcome_at(search, method, lr, seed));
}

static void report_job(void *context, size_t job) {
    const struct searching *searching = context;
    const struct search *search = searching->search;
    progress_advance(searching->progress, search->task->name, search->methods[method_of(search, job)].name);
}

void search_run(struct search *search, size_t jobs, struct progress *progress) {
    size_t total = outcome_count(search);
    search->outcomes = shared_new(total * sizeof *search->outcomes);
    search->from = 0;
    search->to = search->seeds;
    struct searching searching = {search, progress};
    jobs_run(&(struct work){run_job, report_job, &searching}, total, jobs);
}

void search_free(struct search *search) {
    shared_free(search->outcomes, outcome_count(search) * sizeof *search->outcomes);
    search->outcomes = NULL;
}

struct summary search_summary(const struct search *search, size_t method, size_t lr) {
    size_t count = search->to - search->from;
    double *losses = allocate(count, sizeof *losses), *accuracies = allocate(count, sizeof *accuracies);
    for (size_t i = 0; i < count; i++) {
        const struct outcome *outcome = search_outcome(search, method, lr, search->from + i);
        losses[i] = outcome->train_loss;
        accuracies[i] = outcome->test_accuracy;
    }
    struct summary summary = {
        .lr_index = lr,
        .lr = search->grid->lrs[lr],
        .train_loss = median(losses, count),
        .test_accuracy = median(accuracies, count),
    };
    free(losses);
    free(accuracies);
    return summary;
}

struct summary search_best(const struct search *search, size_t method) {
    struct summary best = search_summary(search, method, 0);
    for (size_t lr = 1; lr < search->grid->count; lr++) {
        struct summary other = search_summary(search, method, lr);
        if (other.train_loss < best.train_loss) best = other;
    }
    return best;
}

struct summary search_best_of_seed(const struct search *search, size_t method, size_t seed) {
    struct summary best = {.train_loss = INFINITY};
    for (size_t lr = 0; lr < search->grid->count; lr++) {
        const struct outcome *outcome = search_outcome(search, method, lr, seed);
        if (outcome->train_loss < best.train_loss)
            best = (struct summary){lr, search->grid->lrs[lr], outcome->train_loss, outcome->test_accuracy};
    }
    return best;
}

bool search_at_edge(const struct search *search, struct summary best) {
    return best.lr_index == 0 || best.lr_index == search->grid->count - 1;
}

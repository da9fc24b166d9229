/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "search.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void run_job(const struct search *search, size_t job) {
    size_t seed = job % search->seeds;
    size_t lr = job / search->seeds % search->grid->count;
    size_t method = job / search->seeds / search->grid->count;
    train(search->task, search->methods + method, search->grid->lrs[lr], seed, outcome_at(search, method, lr, seed));
}

static void start_job(const struct search *search, size_t job) {
    fflush(NULL); /* else the child inherits, and prints again, what is still in the buffers */
    pid_t child = fork();
    if (child < 0) fail("fork: %s", strerror(errno));
    if (child > 0) return;
    run_job(search, job);
    _exit(EXIT_SUCCESS);
}

static void await_job(void) {
    int status;
    pid_t child;
    do child = wait(&status);
    while (child < 0 && errno == EINTR);
    if (child < 0) fail("wait: %s", strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) fail("a training run ended with status %d", status);
}

void search_run(struct search *search, size_t jobs, struct progress *progress) {
    size_t total = outcome_count(search), started = 0, finished = 0;
    void *shared =
        mmap(NULL, total * sizeof *search->outcomes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) fail("mmap: %s", strerror(errno));
    search->outcomes = shared;
    search->from = 0;
    search->to = search->seeds;

    while (finished < total) {
        while (started < total && started - finished < jobs) start_job(search, started++);
        await_job();
        progress_advance(progress, search->task->name, search->methods[finished / (total / search->method_count)].name);
        finished++;
    }
}

void search_free(struct search *search) {
    munmap(search->outcomes, outcome_count(search) * sizeof *search->outcomes);
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

size_t processors(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (size_t)count : 1;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "gpt_search.h"

#include <math.h>
#include <stdlib.h>

#include "jobs.h"
#include "progress.h"

/* Where the seeds that are reported begin. */
enum { FIRST_REPORTED = 100 };

double lattice_lr(int index) {
    return (index % 2 ? 3 : 1) * pow(10, floor(index / 2.0));
}

struct job {
    const struct candidate *candidate;
    int lr;
    uint64_t seed;
};

/* What is to be done before the next decision. */
struct round {
    struct gpt_search *search;
    struct progress *progress;
    struct job *jobs;
    size_t count;
    struct gpt_outcome *outcomes; /* shared, one a job */
};

static const struct gpt_outcome *find(const struct gpt_search *search, const struct candidate *candidate, int lr,
                                      uint64_t seed) {
    char key[RUN_KEY_SIZE];
    gpt_run_key(key, search->settings->list[candidate->setting].name, candidate->schedule, lattice_lr(lr), seed);
    return gpt_runs_find(search->runs, key);
}

const struct gpt_outcome *gpt_search_outcome(const struct gpt_search *search, const struct candidate *candidate,
                                             size_t seed) {
    return find(search, candidate, candidate->best, FIRST_REPORTED + seed);
}

static void want(struct round *round, const struct candidate *candidate, int lr, uint64_t seed) {
    if (!find(round->search, candidate, lr, seed)) round->jobs[round->count++] = (struct job){candidate, lr, seed};
}

static void run_job(void *context, size_t index) {
    const struct round *round = context;
    const struct job *job = round->jobs + index;
    const struct method *method = &round->search->settings->list[job->candidate->setting].method;
    gpt_train(&round->search->protocol.task, method, lattice_lr(job->lr), job->candidate->schedule, job->seed,
              job->seed >= FIRST_REPORTED, round->outcomes + index);
}

static void take_job(void *context, size_t index) {
    const struct round *round = context;
    const struct job *job = round->jobs + index;
    const char *setting = round->search->settings->list[job->candidate->setting].name;
    char key[RUN_KEY_SIZE];
    gpt_run_key(key, setting, job->candidate->schedule, lattice_lr(job->lr), job->seed);
    gpt_runs_add(round->search->runs, key, round->outcomes + index);
    progress_advance(round->progress, schedule_names[job->candidate->schedule], setting);
}

/* In random order: cheap and dear runs mix, so that the time left can be told from the time passed. */
static void shuffle(struct round *round) {
    struct random random = random_stream(round->count, 0);
    size_t *order = allocate(round->count, sizeof *order);
    struct job *jobs = allocate(round->count, sizeof *jobs);
    random_shuffle(&random, order, round->count);
    for (size_t i = 0; i < round->count; i++) jobs[i] = round->jobs[order[i]];
    free(round->jobs);
    free(order);
    round->jobs = jobs;
}

static void do_round(struct round *round, size_t at_a_time) {
    if (round->count == 0) return;
    shuffle(round);
    round->outcomes = shared_new(round->count * sizeof *round->outcomes);
    jobs_run(&(struct work){run_job, take_job, round}, round->count, at_a_time);
    shared_free(round->outcomes, round->count * sizeof *round->outcomes);
}

/* Runs that are still to come at least: those of this round, and of the seeds that are reported. */
static size_t still_to_come(const struct round *round) {
    const struct gpt_search *search = round->search;
    size_t reported = 0;
    for (size_t c = 0; c < search->count; c++)
        for (size_t seed = 0; seed < search->protocol.seeds; seed++)
            reported += !gpt_search_outcome(search, search->candidates + c, seed);
    return round->count + reported;
}

static double tuning_loss(const struct gpt_search *search, const struct candidate *candidate, int lr) {
    size_t seeds = search->protocol.tuning_seeds;
    double *losses = allocate(seeds, sizeof *losses);
    for (size_t seed = 0; seed < seeds; seed++)
        losses[seed] = find(search, candidate, lr, seed)->train[CURVE_POINTS - 1];
    double middle = median(losses, seeds);
    free(losses);
    return middle;
}

bool candidate_at_limit(const struct candidate *candidate) {
    return candidate->best == candidate->low || candidate->best == candidate->high;
}

/* Finds the best of the range, and widens that where it lies at an end. False: it need not, or cannot. */
static bool judge_candidate(const struct gpt_search *search, struct candidate *candidate) {
    candidate->tuning_loss = INFINITY;
    candidate->best = candidate->low;
    for (int lr = candidate->low; lr <= candidate->high; lr++) {
        double loss = tuning_loss(search, candidate, lr);
        if (loss >= candidate->tuning_loss) continue;
        candidate->tuning_loss = loss;
        candidate->best = lr;
    }
    bool lower = candidate->best == candidate->low && candidate->low > LR_LEAST;
    bool higher = candidate->best == candidate->high && candidate->high < LR_MOST;
    candidate->low -= lower;
    candidate->high += higher;
    return lower || higher;
}

static struct round round_new(struct gpt_search *search, struct progress *progress) {
    const struct protocol *protocol = &search->protocol;
    size_t most = search->count * (protocol->tuning_seeds * (LR_MOST - LR_LEAST + 1) + protocol->seeds);
    return (struct round){.search = search, .progress = progress, .jobs = allocate(most, sizeof(struct job))};
}

/* One round of tuning; true where another has to follow. */
static bool tune(struct gpt_search *search, struct progress *progress, size_t at_a_time) {
    struct round round = round_new(search, progress);
    for (size_t c = 0; c < search->count; c++) {
        const struct candidate *candidate = search->candidates + c;
        for (int lr = candidate->low; lr <= candidate->high; lr++)
            for (size_t seed = 0; seed < search->protocol.tuning_seeds; seed++) want(&round, candidate, lr, seed);
    }
    progress_expect(progress, progress->done + still_to_come(&round));
    do_round(&round, at_a_time);
    free(round.jobs);
    bool again = false;
    for (size_t c = 0; c < search->count; c++) again = judge_candidate(search, search->candidates + c) || again;
    return again;
}

static void report(struct gpt_search *search, struct progress *progress, size_t at_a_time) {
    struct round round = round_new(search, progress);
    for (size_t c = 0; c < search->count; c++)
        for (size_t seed = 0; seed < search->protocol.seeds; seed++)
            want(&round, search->candidates + c, search->candidates[c].best, FIRST_REPORTED + seed);
    progress_expect(progress, progress->done + round.count);
    do_round(&round, at_a_time);
    free(round.jobs);
}

struct gpt_search gpt_search_run(const struct gpt_settings *settings, struct protocol protocol, struct gpt_runs *runs,
                                 size_t jobs) {
    struct gpt_search search = {settings, protocol, runs, NULL, SCHEDULE_COUNT * settings->count};
    search.candidates = allocate(search.count, sizeof *search.candidates);
    for (size_t c = 0; c < search.count; c++)
        search.candidates[c] = (struct candidate){
            .setting = c % settings->count,
            .schedule = (enum schedule)(c / settings->count),
            .low = LR_FIRST,
            .high = LR_LAST,
            .best = (LR_FIRST + LR_LAST) / 2,
        };
    struct progress progress = progress_start(1);
    while (tune(&search, &progress, jobs)) continue;
    report(&search, &progress, jobs);
    progress_finish(&progress);
    return search;
}

void gpt_search_free(struct gpt_search *search) {
    free(search->candidates);
    search->candidates = NULL;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"
#include "support.h"

double lattice_lr(int index) {
    return (index % 2 ? 3.1622776601683795 : 1) * pow(10, floor(index / 2.0));
}

int lattice_index(double lr) {
    return (int)lround(2 * log10(lr));
}

const struct task *task_called(const char *name) {
    for (size_t t = 0; t < task_count; t++)
        if (strcmp(tasks[t]->name, name) == 0) return tasks[t];
    if (strcmp(task_characters_large.name, name) == 0) return &task_characters_large;
    fail("there is no task called %s", name);
}

size_t study_steps(const struct study *study, size_t task) {
    size_t steps = study->tasks[task]->steps / study->share;
    return steps > CURVE_POINTS ? steps : CURVE_POINTS;
}

static void key_of(const struct study *study, const struct job *job, char key[RUN_KEY_SIZE]) {
    int length = snprintf(key, RUN_KEY_SIZE, "%s; %s; %s; lr %g; seed %llu; %zu steps", study->tasks[job->task]->name,
                          study->settings.list[job->setting].name, schedule_names[job->schedule], lattice_lr(job->lr),
                          (unsigned long long)job->seed, job->steps);
    if (length < 0 || length >= RUN_KEY_SIZE) fail("a run's name of %d characters", length);
}

const struct outcome *study_find(const struct study *study, const struct job *job) {
    char key[RUN_KEY_SIZE];
    key_of(study, job, key);
    return (const struct outcome *)runs_find(study->runs, key);
}

void study_outcomes(const struct study *study, struct job job, struct outcome outcomes[MOST_SEEDS]) {
    for (size_t i = 0; i < study->seeds; i++) {
        job.seed = FIRST_REPORTED_SEED + i;
        const struct outcome *outcome = study_find(study, &job);
        if (!outcome) fail("%s: a run that is to be reported is not done", study->tasks[job.task]->name);
        outcomes[i] = *outcome;
    }
}

double study_tuning_loss(const struct study *study, struct job job) {
    double logarithms = 0;
    for (size_t i = 0; i < study->tuning_seeds; i++) {
        job.seed = FIRST_TUNING_SEED + i;
        const struct outcome *outcome = study_find(study, &job);
        if (!outcome || !isfinite(outcome->objective)) return INFINITY;
        logarithms += log(fmax(outcome->objective, LEAST_EXCESS)) / (double)study->tuning_seeds;
    }
    return exp(logarithms);
}

void study_want(struct study *study, const struct job *job) {
    if (study_find(study, job)) return;
    if (study->wanted_count == study->wanted_reserved) {
        study->wanted_reserved = study->wanted_reserved ? 2 * study->wanted_reserved : 256;
        study->wanted = realloc(study->wanted, study->wanted_reserved * sizeof *study->wanted);
        if (!study->wanted) fail("out of memory: %zu runs", study->wanted_reserved);
    }
    study->wanted[study->wanted_count++] = *job;
}

void study_want_seeds(struct study *study, struct job job, bool tuning) {
    size_t count = tuning ? study->tuning_seeds : study->seeds;
    for (size_t i = 0; i < count; i++) {
        job.seed = (tuning ? FIRST_TUNING_SEED : FIRST_REPORTED_SEED) + i;
        study_want(study, &job);
    }
}

/* What is done side by side. */
struct batch {
    struct study *study;
    struct outcome *outcomes; /* shared, one a job */
};

static void run_job(void *context, size_t index) {
    const struct batch *batch = context;
    const struct study *study = batch->study;
    const struct job *job = study->wanted + index;
    const struct plan plan = {lattice_lr(job->lr), job->schedule, job->seed, job->steps};
    run_train(study->tasks[job->task], study->settings.list + job->setting, &plan, batch->outcomes + index, NULL);
}

static void take_job(void *context, size_t index) {
    const struct batch *batch = context;
    struct study *study = batch->study;
    const struct job *job = study->wanted + index;
    char key[RUN_KEY_SIZE];
    double numbers[RUN_NUMBERS];
    key_of(study, job, key);
    memcpy(numbers, batch->outcomes + index, sizeof numbers);
    runs_add(study->runs, key, numbers);
    progress_advance(&study->progress, study_seconds(study, job), study->tasks[job->task]->name,
                     study->settings.list[job->setting].name);
}

/* Each once, by its key; then the longest first, so that the processors end together. */
static const struct study *sorted;

static int by_key(const void *left, const void *right) {
    char a[RUN_KEY_SIZE], b[RUN_KEY_SIZE];
    key_of(sorted, left, a);
    key_of(sorted, right, b);
    return strcmp(a, b);
}

static int by_seconds(const void *left, const void *right) {
    double a = study_seconds(sorted, left), b = study_seconds(sorted, right);
    return a != b ? (a < b) - (a > b) : by_key(left, right);
}

static void arrange(struct study *study) {
    sorted = study;
    qsort(study->wanted, study->wanted_count, sizeof *study->wanted, by_key);
    size_t kept = 0;
    for (size_t i = 0; i < study->wanted_count; i++)
        if (kept == 0 || by_key(study->wanted + kept - 1, study->wanted + i) != 0)
            study->wanted[kept++] = study->wanted[i];
    study->wanted_count = kept;
    qsort(study->wanted, kept, sizeof *study->wanted, by_seconds);
}

void study_do(struct study *study) {
    if (study->wanted_count == 0) return;
    arrange(study);
    double seconds = study->later;
    for (size_t i = 0; i < study->wanted_count; i++) seconds += study_seconds(study, study->wanted + i);
    progress_expect(&study->progress, study->wanted_count, seconds);
    struct batch batch = {study, shared_new(study->wanted_count * sizeof *batch.outcomes)};
    jobs_run(&(struct work){run_job, take_job, &batch}, study->wanted_count, study->at_a_time);
    shared_free(batch.outcomes, study->wanted_count * sizeof *batch.outcomes);
    free(study->wanted);
    study->wanted = NULL;
    study->wanted_count = study->wanted_reserved = 0;
}

/* ---- times ---- */

static void times_key(const struct study *study, size_t task, size_t setting, char key[RUN_KEY_SIZE]) {
    snprintf(key, RUN_KEY_SIZE, "time; %s; %s", study->tasks[task]->name, study->settings.list[setting].name);
}

struct times study_times(const struct study *study, size_t task, size_t setting) {
    char key[RUN_KEY_SIZE];
    times_key(study, task, setting, key);
    const double *numbers = runs_find(study->runs, key);
    return numbers ? (struct times){numbers[0], numbers[1], numbers[2]} : (struct times){0, 0, 0};
}

void study_add_times(struct study *study, size_t task, size_t setting, struct times times) {
    char key[RUN_KEY_SIZE];
    times_key(study, task, setting, key);
    runs_add(study->runs, key, (const double[RUN_NUMBERS]){times.gradient, times.step, times.objective});
}

double study_seconds(const struct study *study, const struct job *job) {
    struct times times = study_times(study, job->task, job->setting);
    return (double)job->steps * (times.gradient + times.step) + (TAIL_EVALUATIONS + 1) * times.objective;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "results.h"

#include <math.h>
#include <stdlib.h>

#include "support.h"
#include "timing.h"

bool cell_applies(const struct cell *cell) {
    return cell->low <= cell->high;
}

/* Then the cell has no learning rates, and nothing is run for it. */
static void leave_out(struct cell *cell) {
    cell->high = cell->low - 1;
}

const struct cell *results_cell(const struct results *results, size_t task, size_t setting) {
    return results->cells + task * results->study->settings.count + setting;
}

void job_losses(const struct study *study, struct job job, enum measure measure, double losses[MOST_SEEDS]) {
    struct outcome outcomes[MOST_SEEDS];
    study_outcomes(study, job, outcomes);
    for (size_t i = 0; i < study->seeds; i++)
        losses[i] = measure == OBJECTIVE ? outcomes[i].objective : outcomes[i].held_out;
}

double job_seconds(const struct study *study, struct job job) {
    struct times times = study_times(study, job.task, job.setting);
    return (double)job.steps * (times.gradient + times.step);
}

static const struct setting *setting_of(const struct study *study, size_t setting) {
    return study->settings.list + setting;
}

/* ---- equal gradients, linear schedule ---- */

static bool is_better(const struct cell *cell, const struct cell *other) {
    return cell->loss < other->loss || (cell->loss == other->loss && cell->setting < other->setting);
}

const struct cell *results_ranked(const struct results *results, size_t task, enum family family, size_t rank) {
    const struct cell *cells = results_cell(results, task, 0);
    for (size_t s = 0; s < results->study->settings.count; s++) {
        if (!cell_applies(cells + s) || setting_of(results->study, s)->family != family) continue;
        size_t better = 0;
        for (size_t other = 0; other < results->study->settings.count; other++)
            better += cell_applies(cells + other) && setting_of(results->study, other)->family == family &&
                      is_better(cells + other, cells + s);
        if (better == rank) return cells + s;
    }
    return NULL;
}

static void tune_all(struct results *results) {
    struct study *study = results->study;
    size_t count = study->settings.count;
    results->cells = allocate(study->task_count * count, sizeof *results->cells);
    for (size_t t = 0; t < study->task_count; t++)
        for (size_t s = 0; s < count; s++) {
            const struct setting *setting = setting_of(study, s);
            struct cell *cell = results->cells + t * count + s;
            *cell = cell_new(study, t, s, SCHEDULE_LINEAR, lattice_index(setting->first_lr));
            if (!setting_applies(setting, study->tasks[t])) leave_out(cell);
        }
    tune(study, results->cells, study->task_count * count);
}

static void report_best(struct results *results) {
    struct study *study = results->study;
    for (size_t t = 0; t < study->task_count; t++) {
        for (enum family f = 0; f < FAMILY_COUNT; f++) {
            const struct cell *best = results_ranked(results, t, f, 0);
            if (!best) continue;
            results->tasks[t].best[f] = cell_job(best);
            study_want_seeds(study, results->tasks[t].best[f], false);
        }
        /* The verdict compares these with each other. */
        for (size_t s = 0; s < study->settings.count; s++)
            if (setting_is_lmada(setting_of(study, s)) && cell_applies(results_cell(results, t, s)))
                study_want_seeds(study, cell_job(results_cell(results, t, s)), false);
    }
    study_do(study);
}

/* ---- learning rates around the best ---- */

void sweep_losses(const struct study *study, const struct cell *sweep, int low, int high, double *losses) {
    for (int lr = low; lr <= high; lr++) losses[lr - low] = cell_loss(study, sweep, lr);
}

static void sweep_all(struct results *results) {
    struct study *study = results->study;
    size_t tasks = study->task_count;
    struct cell *sweeps = allocate(2 * tasks, sizeof *sweeps);
    for (size_t t = 0; t < tasks; t++) {
        sweeps[2 * t] = *results_cell(results, t, results->chosen);
        sweeps[2 * t + 1] = *results_cell(results, t, results->tasks[t].best[FAMILY_ADAM].setting);
        sweeps[2 * t].sweep = sweeps[2 * t + 1].sweep = true;
    }
    tune(study, sweeps, 2 * tasks);
    int low = LR_MOST, high = LR_LEAST;
    for (size_t t = 0; t < tasks; t++) {
        results->tasks[t].chosen_sweep = sweeps[2 * t];
        results->tasks[t].adam_sweep = sweeps[2 * t + 1];
        if (!cell_applies(&sweeps[2 * t])) continue;
        low = sweeps[2 * t].best < low ? sweeps[2 * t].best : low;
        high = sweeps[2 * t].best > high ? sweeps[2 * t].best : high;
    }
    free(sweeps);

    /* One learning rate for all tasks lies between the least and the largest of their own best ones. */
    size_t used = 0;
    for (size_t t = 0; t < tasks; t++) {
        if (!cell_applies(&results->tasks[t].chosen_sweep)) continue;
        struct job job = cell_job(&results->tasks[t].chosen_sweep);
        for (job.lr = low; job.lr <= high; job.lr++) study_want_seeds(study, job, true);
    }
    study_do(study);
    int bests[MOST_TASKS];
    for (size_t t = 0; t < tasks; t++)
        if (cell_applies(&results->tasks[t].chosen_sweep)) bests[used++] = results->tasks[t].chosen_sweep.best;
    results->chosen_lr = lower_median(bests, used);
    results->chosen_lr_worst = 1;
    for (size_t t = 0; t < tasks; t++) {
        const struct cell *sweep = &results->tasks[t].chosen_sweep;
        if (cell_applies(sweep))
            results->chosen_lr_worst =
                fmax(results->chosen_lr_worst, cell_loss(study, sweep, results->chosen_lr) / sweep->loss);
    }
}

/* Is the good range of learning rates of another setting wider? */
static void sweep_variants(struct results *results) {
    struct study *study = results->study;
    size_t count = study->settings.count;
    bool asked_for = false;
    for (size_t s = 0; s < count; s++) asked_for = asked_for || setting_of(study, s)->family == FAMILY_VARIANTS;
    if (!asked_for) return;
    results->variants = allocate(study->task_count * count, sizeof *results->variants);
    for (size_t i = 0; i < study->task_count * count; i++) {
        enum family family = setting_of(study, i % count)->family;
        results->variants[i] = results->cells[i];
        results->variants[i].sweep = true;
        if (family != FAMILY_VARIANTS && family != FAMILY_LMADA) leave_out(results->variants + i);
    }
    tune(study, results->variants, study->task_count * count);
}

/* ---- other lengths ---- */

static void run_longer(struct results *results) {
    struct study *study = results->study;
    for (size_t t = 0; t < study->task_count; t++)
        for (size_t i = 0; i < LONGER; i++) {
            struct job *job = results->tasks[t].longer + i;
            *job = results->tasks[t].best[FAMILY_ADAM];
            job->steps *= (size_t)2 << i;
            study_want_seeds(study, *job, false);
        }
    study_do(study);
}

/* Within 2 % the equal number of gradients serves: times are not known better. */
static size_t steps_in(const struct study *study, struct job job, double seconds) {
    double steps = (double)job.steps * seconds / job_seconds(study, job);
    if (fabs(steps / (double)job.steps - 1) <= 0.02) return job.steps;
    return steps < 2 * TAIL_EVALUATIONS ? 2 * TAIL_EVALUATIONS : (size_t)steps;
}

static const struct cell *timed_cell(const struct results *results, size_t task, size_t setting) {
    return results->timed_cells + task * results->study->settings.count + setting;
}

/* The learning rate of each setting is tuned again: shorter runs may want another one. */
static void tune_at_equal_time(struct results *results) {
    struct study *study = results->study;
    size_t count = study->settings.count;
    results->timed_cells = allocate(study->task_count * count, sizeof *results->timed_cells);
    for (size_t t = 0; t < study->task_count; t++)
        for (size_t s = 0; s < count; s++) {
            const struct cell *cell = results_cell(results, t, s);
            struct cell *timed = results->timed_cells + t * count + s;
            *timed = cell_new(study, t, s, SCHEDULE_LINEAR, cell->best);
            if (cell_applies(cell))
                timed->steps = steps_in(study, cell_job(cell), job_seconds(study, results->tasks[t].best[FAMILY_ADAM]));
            else
                leave_out(timed);
        }
    tune(study, results->timed_cells, study->task_count * count);
}

/* Another setting may be the family's best if its steps are cheaper: the tuning seeds choose again. */
static void run_equal_time(struct results *results) {
    struct study *study = results->study;
    tune_at_equal_time(results);
    for (size_t t = 0; t < study->task_count; t++) {
        struct task_results *task = results->tasks + t;
        double least[FAMILY_COUNT];
        for (enum family f = 0; f < FAMILY_COUNT; f++) least[f] = INFINITY;
        for (size_t s = 0; s < study->settings.count; s++) {
            enum family family = setting_of(study, s)->family;
            const struct cell *cell = timed_cell(results, t, s);
            if (!cell_applies(cell)) continue;
            /* The verdict compares these with each other. */
            if (setting_is_lmada(setting_of(study, s))) study_want_seeds(study, cell_job(cell), false);
            bool is_first = task->equal_time[family].steps == 0;
            if (family == FAMILY_VARIANTS || (cell->loss >= least[family] && !is_first)) continue;
            least[family] = cell->loss;
            task->equal_time[family] = cell_job(cell);
        }
        /* Adam has the time of its own run. */
        task->equal_time[FAMILY_ADAM] = task->best[FAMILY_ADAM];
        for (enum family f = 0; f < FAMILY_COUNT; f++)
            if (task->equal_time[f].steps > 0) study_want_seeds(study, task->equal_time[f], false);
    }
    study_do(study);
}

/* ---- the verdict ---- */

static void judge_settings(struct results *results) {
    struct study *study = results->study;
    double bytes[MOST_CANDIDATES];
    for (size_t s = 0; s < study->settings.count; s++) {
        if (!setting_is_lmada(setting_of(study, s))) continue;
        if (results->candidate_count == MOST_CANDIDATES) fail("too many candidates");
        bytes[results->candidate_count] = setting_of(study, s)->window_bytes;
        results->candidates[results->candidate_count++] = s;
    }
    size_t candidates = results->candidate_count, seeds = study->seeds;
    double *logs = allocate(AXES * study->task_count * candidates * seeds, sizeof *logs), *at = logs;
    for (size_t row = 0; row < AXES * study->task_count; row++)
        for (size_t c = 0; c < candidates; c++, at += seeds) {
            size_t task = row % study->task_count, setting = results->candidates[c];
            bool equal_gradients = row < study->task_count;
            const struct cell *cell = (equal_gradients ? results_cell : timed_cell)(results, task, setting);
            double losses[MOST_SEEDS];
            if (cell_applies(cell)) job_losses(study, cell_job(cell), OBJECTIVE, losses);
            for (size_t i = 0; i < seeds; i++) at[i] = cell_applies(cell) ? log10(fmin(losses[i], 1e30)) : NAN;
        }
    const struct losses losses = {AXES * study->task_count, candidates, seeds, logs, bytes};
    judge(&losses, &results->verdict);
    results->chosen = results->candidates[results->verdict.chosen];
    free(logs);
}

/* ---- other learning rates ---- */

static bool has_constant_row(enum family family) {
    return family != FAMILY_LBFGS && family != FAMILY_LBFGS_F32 && family != FAMILY_VARIANTS;
}

static void run_constant(struct results *results) {
    struct study *study = results->study;
    struct cell *cells = allocate(study->task_count * FAMILY_COUNT, sizeof *cells);
    size_t count = 0;
    for (size_t t = 0; t < study->task_count; t++)
        for (enum family f = 0; f < FAMILY_COUNT; f++) {
            const struct job *best = results->tasks[t].best + f;
            if (best->steps > 0 && has_constant_row(f))
                cells[count++] = cell_new(study, t, best->setting, SCHEDULE_CONSTANT, best->lr - 1);
        }
    tune(study, cells, count);
    for (size_t c = 0; c < count; c++) {
        enum family family = setting_of(study, cells[c].setting)->family;
        struct job *job = results->tasks[cells[c].task].constant + family;
        *job = cell_job(cells + c);
        study_want_seeds(study, *job, false);
    }
    study_do(study);
    free(cells);
}

static const char untuned_adam[] = "Adam 0.9, 0.999";

/* As people first try them: the settings and learning rates that come with them. */
static void run_untuned(struct results *results) {
    struct study *study = results->study;
    /* Without a row if it is not among the settings that --only keeps. */
    if (!setting_is_there(&study->settings, untuned_adam)) return;
    size_t adam = setting_find(&study->settings, untuned_adam);
    for (size_t t = 0; t < study->task_count; t++) {
        struct task_results *task = results->tasks + t;
        task->untuned_lmada = task->untuned_adam = task->best[FAMILY_ADAM];
        task->untuned_lmada.setting = results->chosen;
        task->untuned_lmada.lr = results->chosen_lr;
        task->untuned_adam.setting = adam;
        task->untuned_adam.lr = lattice_index(1e-3);
        if (!setting_applies(setting_of(study, results->chosen), study->tasks[t])) task->untuned_lmada.steps = 0;
        if (task->untuned_lmada.steps > 0) study_want_seeds(study, task->untuned_lmada, false);
        study_want_seeds(study, task->untuned_adam, false);
    }
    study_do(study);
}

/* ---- all ---- */

/* Seconds of all runs by the times measured, one after the other: a guess at how many learning rates are tried. */
static double estimate(const struct study *study, size_t *runs) {
    enum { LRS = 5, OTHER_RUNS = 70 };
    double seconds = 0;
    *runs = 0;
    for (size_t t = 0; t < study->task_count; t++) {
        double mean = 0, applying = 0;
        for (size_t s = 0; s < study->settings.count; s++) {
            if (!setting_applies(setting_of(study, s), study->tasks[t])) continue;
            struct job job = {t, s, 0, SCHEDULE_LINEAR, 0, study_steps(study, t)};
            size_t tried = setting_has_lr(setting_of(study, s)) ? LRS : 1;
            size_t count = tried * study->tuning_seeds + setting_is_lmada(setting_of(study, s)) * study->seeds;
            seconds += (double)count * study_seconds(study, &job);
            *runs += count;
            mean += study_seconds(study, &job);
            applying++;
        }
        /* Constant rates, equal time, longer runs, sweeps, reports. */
        seconds += OTHER_RUNS * (double)(study->seeds + study->tuning_seeds) / 7 * mean / applying;
        *runs += OTHER_RUNS * (study->seeds + study->tuning_seeds) / 7;
    }
    return seconds;
}

struct results results_tuned(struct study *study) {
    struct results results = {.study = study};
    results.tasks = allocate(study->task_count, sizeof *results.tasks);
    timing_measure(study);
    study->progress = progress_start();
    tune_all(&results);
    progress_finish(&study->progress);
    return results;
}

struct results results_new(struct study *study) {
    struct results results = {.study = study};
    results.tasks = allocate(study->task_count, sizeof *results.tasks);
    timing_measure(study);
    size_t runs;
    double seconds = estimate(study, &runs);
    fprintf(stderr, "about %zu runs, about %.0f s with %zu at a time; runs in the file of runs are read\n", runs,
            seconds / (double)study->at_a_time, study->at_a_time);
    study->progress = progress_start();
    static void (*const phases[])(struct results *) = {
        tune_all, report_best, run_equal_time, judge_settings,
        sweep_all, sweep_variants, run_longer, run_constant, run_untuned};
    /* The share of the whole that is left after each phase, roughly. */
    static const double left[] = {0.5, 0.4, 0.25, 0.25, 0.2, 0.2, 0.15, 0.02, 0};
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        study->later = left[i] * seconds;
        phases[i](&results);
    }
    progress_finish(&study->progress);
    return results;
}

void results_free(struct results *results) {
    free(results->cells);
    free(results->timed_cells);
    free(results->variants);
    free(results->tasks);
}

/*
 * The first chapter of the document: lmada against the other optimizers, and the recommended setting.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "document.h"
#include "support.h"
#include "words.h"

/* Which of a task's jobs. */
typedef const struct job *(*job_of_task)(const struct task_results *task);

static const struct job *lmada_best(const struct task_results *task) {
    return task->best + FAMILY_LMADA;
}
static const struct job *lmada_equal_time(const struct task_results *task) {
    return task->equal_time + FAMILY_LMADA;
}
static const struct job *adam_best(const struct task_results *task) {
    return task->best + FAMILY_ADAM;
}
static const struct job *lbfgs_best(const struct task_results *task) {
    return task->best + FAMILY_LBFGS;
}
static const struct job *lbfgs_f32_best(const struct task_results *task) {
    return task->best + FAMILY_LBFGS_F32;
}
static const struct job *lmada_constant(const struct task_results *task) {
    return task->constant + FAMILY_LMADA;
}
static const struct job *adam_constant(const struct task_results *task) {
    return task->constant + FAMILY_ADAM;
}
static const struct job *lmada_untuned(const struct task_results *task) {
    return &task->untuned_lmada;
}
static const struct job *adam_untuned(const struct task_results *task) {
    return &task->untuned_adam;
}

/* lmada against another optimizer, on all tasks where both have a job. */
static const struct contest {
    const char *title;
    job_of_task jobs, others;
    enum measure measure;
} contests[] = {
    {"Adam, equal gradients", lmada_best, adam_best, OBJECTIVE},
    {"Adam, equal time", lmada_equal_time, adam_best, OBJECTIVE},
    {"Adam, held-out loss", lmada_best, adam_best, HELD_OUT},
    {"L-BFGS in f64", lmada_best, lbfgs_best, OBJECTIVE},
    {"L-BFGS on f32 gradients", lmada_best, lbfgs_f32_best, OBJECTIVE},
    {"Adam, both with a constant lr", lmada_constant, adam_constant, OBJECTIVE},
    {"Adam, both untuned", lmada_untuned, adam_untuned, OBJECTIVE},
};
enum { CONTESTS = sizeof contests / sizeof *contests };

static bool is_held(const struct results *results, size_t task, const struct contest *contest) {
    const struct job *job = contest->jobs(results->tasks + task), *other = contest->others(results->tasks + task);
    if (job->steps == 0 || other->steps == 0) return false;
    return contest->measure == OBJECTIVE || has_held_out(results->study, *job);
}

static struct comparison result_of(const struct results *results, size_t task, const struct contest *contest) {
    const struct task_results *of_task = results->tasks + task;
    return compare_jobs(results->study, *contest->jobs(of_task), *contest->others(of_task), contest->measure);
}

static void write_counts(FILE *file, const struct results *results) {
    static const char *const titles[] = {"tasks", "lmada lower", "tie", "lmada higher"};
    table_head(file, "lmada against", titles, 4);
    for (size_t c = 0; c < CONTESTS; c++) {
        size_t lower = 0, tie = 0, higher = 0;
        for (size_t t = 0; t < results->study->task_count; t++) {
            if (!is_held(results, t, contests + c)) continue;
            struct comparison comparison = result_of(results, t, contests + c);
            *(is_tie(&comparison) ? &tie : comparison.mean < 0 ? &lower : &higher) += 1;
        }
        size_t all = lower + tie + higher;
        if (all > 0) fprintf(file, "| %s | %zu | %zu | %zu | %zu |\n", contests[c].title, all, lower, tie, higher);
    }
    fputc('\n', file);
}

/* How many times its own gradients tuned Adam needs until its loss is no longer higher than lmada's. */
static const char *gradients_of_adam(const struct results *results, size_t task) {
    static const char *const answers[LONGER + 1] = {"at most 2 times as many", "at most 4 times as many",
                                                         "more than 4 times as many"};
    const struct task_results *of_task = results->tasks + task;
    struct job lmada = of_task->best[FAMILY_LMADA];
    struct comparison comparison = compare_jobs(results->study, lmada, of_task->best[FAMILY_ADAM], OBJECTIVE);
    if (is_tie(&comparison) || comparison.mean > 0) return "–";
    size_t i = 0;
    for (; i < LONGER; i++) {
        comparison = compare_jobs(results->study, lmada, of_task->longer[i], OBJECTIVE);
        if (is_tie(&comparison) || comparison.mean > 0) break;
    }
    return answers[i];
}

static void write_contests(FILE *file, const struct results *results) {
    const char *titles[CONTESTS + 1] = {NULL};
    for (size_t c = 0; c < CONTESTS; c++)
        for (size_t t = 0; t < results->study->task_count; t++)
            if (is_held(results, t, contests + c)) titles[c] = contests[c].title;
    titles[CONTESTS] = "gradients that Adam needs for lmada's loss";
    table_head(file, "lmada's loss against", titles, CONTESTS + 1);
    for (size_t t = 0; t < results->study->task_count; t++) {
        fprintf(file, "| %s |", task_title(results, t));
        for (size_t c = 0; c < CONTESTS; c++) {
            if (!titles[c]) continue;
            if (is_held(results, t, contests + c)) {
                struct comparison comparison = result_of(results, t, contests + c);
                fprintf(file, " %s |", difference_text(&comparison).chars);
            } else {
                fputs(" – |", file);
            }
        }
        fprintf(file, " %s |\n", gradients_of_adam(results, t));
    }
    fputc('\n', file);
}

static double median_width(const struct results *results, bool adam, double factor) {
    double widths[MOST_TASKS];
    size_t count = 0;
    for (size_t t = 0; t < results->study->task_count; t++) {
        const struct cell *sweep = adam ? &results->tasks[t].adam_sweep : &results->tasks[t].chosen_sweep;
        double losses[LR_MOST - LR_LEAST + 1];
        if (!cell_applies(sweep)) continue;
        sweep_losses(results->study, sweep, sweep->low, sweep->high, losses);
        widths[count++] = (double)width(losses, (size_t)(sweep->high - sweep->low + 1), factor);
    }
    return median(widths, count);
}

/* The names of the settings within the spread, with commas between them. */
static void write_within_spread(FILE *file, const struct results *results) {
    const char *before = "";
    for (size_t c = 0; c < results->candidate_count; c++) {
        if (!results->verdict.within_spread[c]) continue;
        fprintf(file, "%s%s", before, results->study->settings.list[results->candidates[c]].name);
        before = ", ";
    }
}

static void write_choice(FILE *file, const struct results *results) {
    const struct verdict *verdict = &results->verdict;
    const struct settings *settings = &results->study->settings;
    const char *chosen = settings->list[results->chosen].name;
    const double lr = lattice_lr(results->chosen_lr);
    fprintf(file,
            "- **The recommended setting is %s with lr %.3g.** The least worst regret is that of %s\n"
            "  (%.2f decades). Within its spread: ",
            chosen, lr, settings->list[results->candidates[verdict->best]].name, verdict->worst[verdict->best]);
    write_within_spread(file, results);
    fprintf(file,
            ".\n  Of these, among the settings that run on every task, %s moves the fewest bytes.\n"
            "- **One learning rate for all tasks costs something.** With lr %.3g, the loss of %s is at most\n"
            "  %.3g times its loss at the task's best learning rate.\n",
            chosen, lr, chosen, results->chosen_lr_worst);
    fprintf(file,
            "- **The range of good learning rates.** Median over the tasks, in half-decades: %g for %s and %g for\n"
            "  Adam within 10 %% of the best loss; %g and %g within twice the best loss.\n",
            median_width(results, false, 1.1), chosen, median_width(results, true, 1.1),
            median_width(results, false, 2), median_width(results, true, 2));
}

void write_sentences(FILE *file, const struct results *results) {
    fprintf(file,
            "## What the numbers say\n\n"
            "- **Tuned** (no remark): the best of a family's settings at its best learning rate, for each task. lmada\n"
            "  is the family with diagonal preconditioning.\n"
            "- **Untuned**: lmada is %s with lr %.3g on all tasks, Adam has 0.9, 0.999 and lr 0.001.\n"
            "- **Lower, higher**: the 95 %% interval of the ratio of the losses excludes 1. **Tie**: the interval\n"
            "  includes 1; the ratio is in brackets.\n"
            "- L-BFGS runs on full-batch tasks only, with equal gradients.\n\n",
            results->study->settings.list[results->chosen].name, lattice_lr(results->chosen_lr));
    write_counts(file, results);
    write_contests(file, results);
    write_choice(file, results);
    fputc('\n', file);
}

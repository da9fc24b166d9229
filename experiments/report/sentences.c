/*
 * What the document says first, in sentences that are made from the numbers.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "document.h"
#include "support.h"
#include "words.h"

/* Tasks on which one thing holds, with a remark each. */
struct listing {
    size_t count;
    char names[2000];
};

static void list(struct listing *listing, const char *task, const char *remark) {
    size_t len = strlen(listing->names);
    int added = snprintf(listing->names + len, sizeof listing->names - len, "%s%s%s%s%s", listing->count++ ? ", " : "",
                         task, remark ? " (" : "", remark ? remark : "", remark ? ")" : "");
    if (added < 0 || len + (size_t)added >= sizeof listing->names) fail("too many tasks to list");
}

static const char *names_of(const struct listing *listing) {
    return listing->count ? listing->names : "none";
}

/* A family's jobs against the others', task by task. */
struct outcome_lists {
    struct listing lower, tie, higher;
};

static void sort_in(struct outcome_lists *lists, const char *task, const struct comparison *comparison) {
    struct words times = times_text(comparison);
    struct listing *fitting = is_tie(comparison)      ? &lists->tie
                              : comparison->mean < 0 ? &lists->lower
                                                     : &lists->higher;
    list(fitting, task, times.chars);
}

static void write_lists(FILE *file, const char *subject, const char *than, const struct outcome_lists *lists) {
    size_t all = lists->lower.count + lists->tie.count + lists->higher.count;
    if (all == 0) return;
    fprintf(file,
            "- **%s: lower than %s on %zu of %zu tasks, a tie on %zu, higher on %zu.**\n"
            "  Lower: %s. Tie: %s. Higher: %s.\n",
            subject, than, lists->lower.count, all, lists->tie.count, lists->higher.count, names_of(&lists->lower),
            names_of(&lists->tie), names_of(&lists->higher));
}

/* Where both have a job. `jobs` and `others` say which of a task's they are. */
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

static void write_comparison(FILE *file, const struct results *results, const char *subject, const char *than,
                             job_of_task jobs, job_of_task others, enum measure measure) {
    struct outcome_lists lists = {{0, ""}, {0, ""}, {0, ""}};
    for (size_t t = 0; t < results->study->task_count; t++) {
        const struct job *job = jobs(results->tasks + t), *other = others(results->tasks + t);
        if (job->steps == 0 || other->steps == 0) continue;
        if (measure == HELD_OUT && !has_held_out(results->study, *job)) continue;
        struct comparison comparison = compare_jobs(results->study, *job, *other, measure);
        sort_in(&lists, task_title(results, t), &comparison);
    }
    write_lists(file, subject, than, &lists);
}

/* How many times the gradients Adam needs to be no longer higher than lmada. */
static void write_price(FILE *file, const struct results *results) {
    struct listing needs[LONGER + 1] = {{0, ""}};
    size_t lower = 0;
    for (size_t t = 0; t < results->study->task_count; t++) {
        const struct task_results *task = results->tasks + t;
        struct job lmada = task->best[FAMILY_LMADA];
        struct comparison comparison = compare_jobs(results->study, lmada, task->best[FAMILY_ADAM], OBJECTIVE);
        if (is_tie(&comparison) || comparison.mean >= 0) continue;
        lower++;
        size_t i = 0;
        for (; i < LONGER; i++) {
            comparison = compare_jobs(results->study, lmada, task->longer[i], OBJECTIVE);
            if (is_tie(&comparison) || comparison.mean > 0) break;
        }
        list(needs + i, task_title(results, t), NULL);
    }
    if (lower == 0) return;
    fprintf(file,
            "- **What that is worth in Adam's gradients.** Of the %zu tasks where lmada is lower, tuned Adam reaches\n"
            "  its loss with twice the gradients on %zu (%s), with four times on %zu more (%s),\n"
            "  and with four times does not reach it on %zu (%s).\n",
            lower, needs[0].count, names_of(needs), needs[1].count, names_of(needs + 1), needs[2].count,
            names_of(needs + 2));
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

static void write_choice(FILE *file, const struct results *results) {
    const struct verdict *verdict = &results->verdict;
    const struct settings *settings = &results->study->settings;
    size_t best = results->candidates[verdict->best];
    struct listing within = {0, ""};
    for (size_t c = 0; c < results->candidate_count; c++)
        if (verdict->within_spread[c]) list(&within, settings->list[results->candidates[c]].name, NULL);
    fprintf(file,
            "- **The setting to recommend is %s, with lr %.3g.** The least worst-case regret has %s (%.2f decades);\n"
            "  within the spread of it: %s. Of these, without formats that f64 does not have, %s\n  moves the fewest bytes. At one learning rate for all tasks,\n"
            "  %.3g, its loss is at most %.3g times that at each task's own.\n",
            settings->list[results->chosen].name, lattice_lr(results->chosen_lr), settings->list[best].name,
            verdict->worst[verdict->best], within.names, settings->list[results->chosen].name,
            lattice_lr(results->chosen_lr), results->chosen_lr_worst);
    fprintf(file,
            "- **Good learning rates.** Within 10 %% of its best loss are %g half-decades of learning rates (median over\n"
            "  the tasks), for tuned Adam %g; within twice its best loss %g, for Adam %g.\n",
            median_width(results, false, 1.1), median_width(results, true, 1.1), median_width(results, false, 2),
            median_width(results, true, 2));
}

void write_sentences(FILE *file, const struct results *results) {
    fputs("## What the numbers say\n\n\"lmada\" is the best setting of the family lmada (diagonal preconditioning on), "
          "\"Adam\" that of the family Adam, each\ntuned task by task. In brackets: lmada's loss as a multiple of the "
          "other's.\n\n",
          file);
    write_comparison(file, results, "Equal gradients", "tuned Adam", lmada_best, adam_best, OBJECTIVE);
    write_comparison(file, results, "Equal time", "tuned Adam", lmada_equal_time, adam_best, OBJECTIVE);
    write_price(file, results);
    write_comparison(file, results, "On rows that are held out, equal gradients", "tuned Adam", lmada_best, adam_best,
                     HELD_OUT);
    write_comparison(file, results, "Full batch, equal gradients", "L-BFGS in f64", lmada_best, lbfgs_best, OBJECTIVE);
    write_comparison(file, results, "Full batch, equal gradients", "L-BFGS on f32 gradients", lmada_best,
                     lbfgs_f32_best, OBJECTIVE);
    write_comparison(file, results, "With a constant learning rate", "tuned Adam with one", lmada_constant,
                     adam_constant, OBJECTIVE);
    write_comparison(file, results, "Untuned (the setting and learning rate to recommend)",
                     "untuned Adam (0.9, 0.999, lr 0.001)", lmada_untuned, adam_untuned, OBJECTIVE);
    write_choice(file, results);
    fputc('\n', file);
}

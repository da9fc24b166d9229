/*
 * Which setting of lmada to recommend, at which learning rate, and what other learning rates cost.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>

#include "document.h"
#include "words.h"

/* Of one axis: 0 is equal gradients, 1 equal time. */
static void write_regrets(FILE *file, const struct results *results, size_t axis) {
    const struct study *study = results->study;
    const char *titles[MOST_TASKS];
    for (size_t t = 0; t < study->task_count; t++) titles[t] = task_title(results, t);
    table_head(file, axis == 0 ? "equal gradients" : "equal time", titles, study->task_count);
    for (size_t c = 0; c < results->candidate_count; c++) {
        fprintf(file, "| %s |", study->settings.list[results->candidates[c]].name);
        for (size_t t = 0; t < study->task_count; t++) {
            double regret = results->verdict.regrets[axis * study->task_count + t][c];
            if (isnan(regret))
                fputs(" – |", file);
            else
                fprintf(file, " %.2f |", regret);
        }
        fputc('\n', file);
    }
    fputc('\n', file);
}

static void write_worst(FILE *file, const struct results *results) {
    static const char *const titles[] = {"worst regret", "within the spread", "bytes a parameter"};
    const struct verdict *verdict = &results->verdict;
    table_head(file, "setting", titles, sizeof titles / sizeof *titles);
    for (size_t c = 0; c < results->candidate_count; c++) {
        const struct setting *setting = results->study->settings.list + results->candidates[c];
        const char *mark = c == verdict->chosen ? "**" : "";
        fprintf(file, "| %s%s%s | %.2f | %s | %g |\n", mark, setting->name, mark, verdict->worst[c],
                verdict->within_spread[c] ? "yes" : "no", setting->window_bytes);
    }
    fputc('\n', file);
}

/* The line that the tests compare the library with. */
static void write_chosen_line(FILE *file, const struct results *results) {
    char line[400];
    setting_line(&results->study->settings.list[results->chosen].method.config, line, sizeof line);
    fprintf(file, "<!-- chosen: lr %.3g, %s -->\n\n", lattice_lr(results->chosen_lr), line);
}

static void write_width(FILE *file, const struct study *study, const struct cell *sweep) {
    double losses[LR_MOST - LR_LEAST + 1];
    size_t count = (size_t)(sweep->high - sweep->low + 1);
    sweep_losses(study, sweep, sweep->low, sweep->high, losses);
    fprintf(file, " %.3g | %zu | %zu |", lattice_lr(sweep->best), width(losses, count, 1.1), width(losses, count, 2));
}

static void write_widths(FILE *file, const struct results *results) {
    fprintf(file,
            "## Learning rates\n\n"
            "For %s and for the best setting of Adam on the task: the best learning rate, and the number of\n"
            "half-decades of learning rates with a loss within 10 %% of the best and within twice the best, on the\n"
            "seeds that choose. Last column: the ratio of the loss at lr %.3g to the loss at the task's best learning\n"
            "rate.\n\n"
            "| task | best lr | within 10 %% | within 2 times | Adam: best lr | within 10 %% | within 2 times | at lr "
            "%.3g |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
            results->study->settings.list[results->chosen].name, lattice_lr(results->chosen_lr),
            lattice_lr(results->chosen_lr));
    for (size_t t = 0; t < results->study->task_count; t++) {
        const struct cell *sweep = &results->tasks[t].chosen_sweep;
        if (!cell_applies(sweep)) continue;
        fprintf(file, "| %s |", task_title(results, t));
        write_width(file, results->study, sweep);
        write_width(file, results->study, &results->tasks[t].adam_sweep);
        double ratio = cell_loss(results->study, sweep, results->chosen_lr) / sweep->loss;
        fprintf(file, " %s |\n", loss_text(ratio).chars);
    }
    fputc('\n', file);
}

static void write_variants(FILE *file, const struct results *results) {
    const struct study *study = results->study;
    const char *titles[MOST_TASKS];
    if (!results->variants) return;
    for (size_t t = 0; t < study->task_count; t++) titles[t] = task_title(results, t);
    fputs("## What widens the good range\n\n"
          "The number of half-decades of learning rates with a loss within twice the setting's best loss on the task,\n"
          "on the seeds that choose.\n\n",
          file);
    table_head(file, "setting", titles, study->task_count);
    for (size_t s = 0; s < study->settings.count; s++) {
        enum family family = study->settings.list[s].family;
        if (family != FAMILY_LMADA && family != FAMILY_VARIANTS) continue;
        fprintf(file, "| %s |", study->settings.list[s].name);
        for (size_t t = 0; t < study->task_count; t++) {
            const struct cell *sweep = results->variants + t * study->settings.count + s;
            double losses[LR_MOST - LR_LEAST + 1];
            if (cell_applies(sweep)) {
                sweep_losses(study, sweep, sweep->low, sweep->high, losses);
                fprintf(file, " %zu |", width(losses, (size_t)(sweep->high - sweep->low + 1), 2));
            } else {
                fputs(" – |", file);
            }
        }
        fputc('\n', file);
    }
    fputc('\n', file);
}

void write_verdict_tables(FILE *file, const struct results *results, const char *name) {
    fputs("## Which setting to recommend\n\n"
          "Regret: log10 of the ratio of the setting's loss to the loss of the best lmada setting on the task, each\n"
          "at its tuned learning rate; mean over the reported seeds; 0 if the two tie.\n\n",
          file);
    for (size_t axis = 0; axis < AXES; axis++) write_regrets(file, results, axis);
    fputs("The worst regret is the maximum over both tables, without the tasks on which some setting does not run.\n"
          "\"Within the spread\" means: on none of these tasks is the lower end of the 95 % interval of the setting's\n"
          "regret above the least worst regret. Of the settings within the spread that run on every task, the one\n"
          "that moves the fewest bytes for each parameter is recommended. (int8 does not run in f64.)\n\n",
          file);
    write_worst(file, results);
    write_chosen_line(file, results);
    write_widths(file, results);
    fprintf(file, "![Loss against learning rate, task by task](%s-rates.svg)\n\n", name);
    write_variants(file, results);
}

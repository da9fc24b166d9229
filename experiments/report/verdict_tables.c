/*
 * Which setting of lmada to recommend, at which learning rate, and how much depends on that.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>

#include "document.h"
#include "words.h"

static void write_regrets(FILE *file, const struct results *results) {
    const struct study *study = results->study;
    const struct verdict *verdict = &results->verdict;
    const char *titles[MOST_TASKS + 3];
    for (size_t t = 0; t < study->task_count; t++) titles[t] = task_title(results, t);
    titles[study->task_count] = "worst";
    titles[study->task_count + 1] = "within the spread";
    titles[study->task_count + 2] = "bytes a parameter";
    table_head(file, "setting", titles, study->task_count + 3);
    for (size_t c = 0; c < results->candidate_count; c++) {
        const struct setting *setting = study->settings.list + results->candidates[c];
        const char *mark = c == verdict->chosen ? "**" : "";
        fprintf(file, "| %s%s%s |", mark, setting->name, mark);
        for (size_t t = 0; t < study->task_count; t++) {
            if (isnan(verdict->regrets[t][c]))
                fputs(" – |", file);
            else
                fprintf(file, " %.2f |", verdict->regrets[t][c]);
        }
        fprintf(file, " %.2f | %s | %g |\n", verdict->worst[c], verdict->within_spread[c] ? "yes" : "no",
                setting->window_bytes);
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
            "## Learning rates\n\nThe best learning rate of %s and of the best setting of Adam, and how many "
            "half-decades of\nlearning rates end within 10 %% of the best loss and within twice the best, on the seeds "
            "that choose.\nLast: the loss at lr %.3g, as a multiple of that at the task's own best.\n\n"
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

void write_verdict_tables(FILE *file, const struct results *results, const char *name) {
    fputs("## Which setting to recommend\n\nRegret: log10 of the loss over that of the best lmada setting on the task, "
          "geometric means over the reported seeds, each\nat its tuned learning rate; 0 where the two are a tie. Tasks that not all settings run on do not count. The "
          "least worst regret counts, and among the settings within the\nspread of it the fewest bytes that a step "
          "moves for each parameter.\n\n",
          file);
    write_regrets(file, results);
    write_chosen_line(file, results);
    write_widths(file, results);
    fprintf(file, "![Loss against learning rate, task by task](%s-rates.svg)\n\n", name);
}

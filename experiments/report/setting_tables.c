/*
 * All settings on all tasks: what they reach, and how long they take.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "document.h"
#include "words.h"

static void write_head(FILE *file, const struct results *results) {
    const char *titles[MOST_TASKS];
    for (size_t t = 0; t < results->study->task_count; t++) titles[t] = task_title(results, t);
    table_head(file, "setting", titles, results->study->task_count);
}

static void write_losses(FILE *file, const struct results *results) {
    const struct study *study = results->study;
    bool limit = false;
    fputs("## All settings\n\nObjective on the seeds that choose (geometric mean), and the best learning rate.\n\n",
          file);
    write_head(file, results);
    for (size_t s = 0; s < study->settings.count; s++) {
        const struct setting *setting = study->settings.list + s;
        fprintf(file, "| %s |", setting->name);
        for (size_t t = 0; t < study->task_count; t++) {
            const struct cell *cell = results_cell(results, t, s);
            if (!cell_applies(cell)) {
                fputs(" – |", file);
                continue;
            }
            fprintf(file, " %s", loss_text(cell->loss).chars);
            if (setting_has_lr(setting)) fprintf(file, "; %.3g", lattice_lr(cell->best));
            fputs(cell_at_limit(study, cell) ? "\\* |" : " |", file);
            limit = limit || cell_at_limit(study, cell);
        }
        fputc('\n', file);
    }
    fputc('\n', file);
    if (limit) fputs("\\* at a limit of the search: a better learning rate may lie outside.\n\n", file);
}

static void write_times(FILE *file, const struct results *results) {
    const struct study *study = results->study;
    fputs("## Times\n\n"
          "Microseconds on one thread, medians. First row: a gradient in the precision of Adam's runs. Other rows:\n"
          "the optimizer's time in a step, for L-BFGS its time divided by the number of gradients.\n\n",
          file);
    write_head(file, results);
    fputs("| *gradient* |", file);
    for (size_t t = 0; t < study->task_count; t++)
        fprintf(file, " *%.3g* |", 1e6 * study_times(study, t, results->tasks[t].best[FAMILY_ADAM].setting).gradient);
    fputc('\n', file);
    for (size_t s = 0; s < study->settings.count; s++) {
        fprintf(file, "| %s |", study->settings.list[s].name);
        for (size_t t = 0; t < study->task_count; t++) {
            if (cell_applies(results_cell(results, t, s)))
                fprintf(file, " %.3g |", 1e6 * study_times(study, t, s).step);
            else
                fputs(" – |", file);
        }
        fputc('\n', file);
    }
    fputc('\n', file);
}

void write_setting_tables(FILE *file, const struct results *results) {
    write_losses(file, results);
    write_times(file, results);
}

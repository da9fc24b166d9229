/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "rates.h"

#include <math.h>
#include <stdlib.h>

#include "chart.h"
#include "support.h"

static void add_curve(struct panel *panel, const struct study *study, const struct cell *sweep) {
    struct curve *curve = panel->curves + panel->curve_count++;
    *curve = (struct curve){.count = (size_t)(sweep->high - sweep->low + 1)};
    snprintf(curve->label, sizeof curve->label, "%s", study->settings.list[sweep->setting].name);
    sweep_losses(study, sweep, sweep->low, sweep->high, curve->y);
    for (int lr = sweep->low; lr <= sweep->high; lr++) curve->x[lr - sweep->low] = lattice_lr(lr);
}

void rates_write(const char *path, const struct results *results) {
    const struct study *study = results->study;
    struct panel *panels = allocate(study->task_count, sizeof *panels);
    size_t count = 0;
    for (size_t t = 0; t < study->task_count; t++) {
        const struct task_results *task = results->tasks + t;
        if (!cell_applies(&task->chosen_sweep)) continue;
        struct panel *panel = panels + count++;
        *panel = (struct panel){.title = study->tasks[t]->title, .x_label = "learning rate", .y_label = "objective",
                                .log_x = true};
        add_curve(panel, study, &task->chosen_sweep);
        add_curve(panel, study, &task->adam_sweep);
        panel->top = 30 * fmax(task->chosen_sweep.loss, task->adam_sweep.loss);
    }
    chart_write(path, "Loss at the end against the peak learning rate, linear decay", panels, count, 3);
    free(panels);
}

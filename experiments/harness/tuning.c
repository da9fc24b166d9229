/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tuning.h"

#include <math.h>

static struct job job_of(const struct cell *cell, int lr) {
    return (struct job){cell->task, cell->setting, lr, cell->schedule, 0, cell->steps};
}

struct cell cell_new(const struct study *study, size_t task, size_t setting, enum schedule schedule, int lr) {
    bool has_lr = setting_has_lr(study->settings.list + setting);
    if (!has_lr) lr = 0;
    if (lr < LR_LEAST + 1) lr = LR_LEAST + 1;
    if (lr > LR_MOST - 1) lr = LR_MOST - 1;
    return (struct cell){.task = task, .setting = setting, .schedule = schedule,
                         .steps = study_steps(study, task), .low = lr - has_lr,
                         .high = lr + has_lr, .best = lr, .loss = INFINITY};
}

double cell_loss(const struct study *study, const struct cell *cell, int lr) {
    return study_tuning_loss(study, job_of(cell, lr));
}

/* Where all diverge, smaller learning rates are tried. */
bool widen(struct cell *cell, const double *losses) {
    cell->loss = INFINITY;
    cell->best = cell->low;
    for (int lr = cell->low; lr <= cell->high; lr++) {
        if (losses[lr - cell->low] >= cell->loss) continue;
        cell->loss = losses[lr - cell->low];
        cell->best = lr;
    }
    bool lower = cell->best == cell->low, higher = cell->best == cell->high;
    if (cell->sweep) {
        lower = lower || losses[0] <= 2 * cell->loss;
        higher = higher || losses[cell->high - cell->low] <= 2 * cell->loss;
    }
    lower = lower && cell->low > LR_LEAST;
    higher = higher && cell->high < LR_MOST && isfinite(cell->loss);
    cell->low -= lower;
    cell->high += higher;
    return lower || higher;
}

static bool judge(const struct study *study, struct cell *cell) {
    if (cell->low > cell->high) return false; /* the setting does not apply */
    if (!setting_has_lr(study->settings.list + cell->setting)) {
        cell->loss = cell_loss(study, cell, cell->best);
        return false;
    }
    double losses[LR_MOST - LR_LEAST + 1];
    for (int lr = cell->low; lr <= cell->high; lr++) losses[lr - cell->low] = cell_loss(study, cell, lr);
    return widen(cell, losses);
}

void tune(struct study *study, struct cell *cells, size_t count) {
    bool again = true;
    while (again) {
        for (size_t c = 0; c < count; c++)
            for (int lr = cells[c].low; lr <= cells[c].high; lr++)
                study_want_seeds(study, job_of(cells + c, lr), true);
        study_do(study);
        again = false;
        for (size_t c = 0; c < count; c++) again = judge(study, cells + c) || again;
    }
}

bool cell_at_limit(const struct study *study, const struct cell *cell) {
    return setting_has_lr(study->settings.list + cell->setting) &&
           (cell->best <= LR_LEAST || cell->best >= LR_MOST);
}

struct job cell_job(const struct cell *cell) {
    return job_of(cell, cell->best);
}

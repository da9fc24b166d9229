/*
 * Tables with a row a task and a column a family.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#include "document.h"
#include "words.h"

/* Which of a task's jobs a table shows. */
typedef const struct job *(*jobs_of_task)(const struct task_results *task);

static const struct job *best_jobs(const struct task_results *task) {
    return task->best;
}
static const struct job *equal_time_jobs(const struct task_results *task) {
    return task->equal_time;
}
static const struct job *constant_jobs(const struct task_results *task) {
    return task->constant;
}

typedef void (*write_cell)(FILE *file, const struct results *results, struct job job);

static void write_loss(FILE *file, const struct results *results, struct job job) {
    double losses[MOST_SEEDS];
    job_losses(results->study, job, OBJECTIVE, losses);
    fprintf(file, "%s", spread_text(losses, results->study->seeds).chars);
}

static void write_held_out(FILE *file, const struct results *results, struct job job) {
    double losses[MOST_SEEDS];
    if (!has_held_out(results->study, job)) {
        fputs("–", file);
        return;
    }
    job_losses(results->study, job, HELD_OUT, losses);
    fprintf(file, "%s", spread_text(losses, results->study->seeds).chars);
}

static void write_ratio(FILE *file, const struct results *results, struct job job) {
    struct comparison comparison =
        compare_jobs(results->study, job, results->tasks[job.task].best[FAMILY_ADAM], OBJECTIVE);
    fprintf(file, "%s", ratio_text(&comparison).chars);
}

static void write_setting(FILE *file, const struct results *results, struct job job) {
    fprintf(file, "%s", setting_name(results, job));
    if (setting_has_lr(results->study->settings.list + job.setting)) fprintf(file, "; %.3g", lattice_lr(job.lr));
}

static void write_gradients(FILE *file, const struct results *results, struct job job) {
    fprintf(file, "%zu: ", job.steps);
    write_ratio(file, results, job);
}

static void write_table(FILE *file, const struct results *results, jobs_of_task jobs, write_cell cell) {
    const char *titles[FAMILY_COUNT] = {NULL};
    for (enum family f = 0; f < FAMILY_COUNT; f++)
        for (size_t t = 0; t < results->study->task_count; t++)
            if (jobs(results->tasks + t)[f].steps > 0) titles[f] = family_names[f];
    table_head(file, "task", titles, FAMILY_COUNT);
    for (size_t t = 0; t < results->study->task_count; t++) {
        fprintf(file, "| %s |", task_title(results, t));
        for (enum family f = 0; f < FAMILY_COUNT; f++) {
            if (!titles[f]) continue;
            const struct job *job = jobs(results->tasks + t) + f;
            fputc(' ', file);
            if (job->steps > 0)
                cell(file, results, *job);
            else
                fputs("–", file);
            fputs(" |", file);
        }
        fputc('\n', file);
    }
    fputc('\n', file);
}

/* A row of four losses. */
static void write_losses(FILE *file, const struct results *results, size_t task, const struct job jobs[4]) {
    fprintf(file, "| %s |", task_title(results, task));
    for (size_t i = 0; i < 4; i++) {
        fputc(' ', file);
        write_loss(file, results, jobs[i]);
        fputs(" |", file);
    }
    fputc('\n', file);
}

static void write_price_table(FILE *file, const struct results *results) {
    static const char *const titles[] = {"lmada, T gradients", "Adam, T", "Adam, 2 T", "Adam, 4 T"};
    fputs("## Adam with more gradients\n\nThe best setting of Adam at its learning rate, with two and four times the "
          "gradients: median (minimum to maximum).\n\n",
          file);
    table_head(file, "task", titles, 4);
    for (size_t t = 0; t < results->study->task_count; t++) {
        const struct task_results *task = results->tasks + t;
        const struct job jobs[4] = {task->best[FAMILY_LMADA], task->best[FAMILY_ADAM], task->longer[0],
                                    task->longer[1]};
        write_losses(file, results, t, jobs);
    }
    fputc('\n', file);
}

static void write_untuned_table(FILE *file, const struct results *results) {
    static const char *const titles[] = {"lmada, untuned", "the same, lr tuned", "Adam 0.9, 0.999, lr 0.001",
                                         "Adam, tuned"};
    fprintf(file, "## Untuned\n\nlmada is %s with lr %.3g. Linear decay. Objective: median (minimum to maximum).\n\n",
            results->study->settings.list[results->chosen].name, lattice_lr(results->chosen_lr));
    table_head(file, "task", titles, 4);
    for (size_t t = 0; t < results->study->task_count; t++) {
        const struct task_results *task = results->tasks + t;
        const struct cell *tuned = results_cell(results, t, results->chosen);
        if (task->untuned_lmada.steps == 0) continue;
        const struct job jobs[4] = {task->untuned_lmada, cell_job(tuned), task->untuned_adam,
                                    task->best[FAMILY_ADAM]};
        write_losses(file, results, t, jobs);
    }
    fputc('\n', file);
}

void write_family_tables(FILE *file, const struct results *results) {
    fputs("## Equal gradients\n\nThe best setting of each family. Objective, or its distance to the optimum: median "
          "(minimum to maximum) over the\nseeds.\n\n",
          file);
    write_table(file, results, best_jobs, write_loss);
    fputs("The ratio to tuned Adam's loss, seed by seed: geometric mean (95 % bootstrap interval).\n\n", file);
    write_table(file, results, best_jobs, write_ratio);
    fputs("The settings and their learning rates.\n\n", file);
    write_table(file, results, best_jobs, write_setting);
    fputs("## Equal time\n\n"
          "Each setting takes as many gradients as fit into the time of tuned Adam's run (gradients and optimizer).\n"
          "Shown: the number of gradients, and the ratio to tuned Adam's loss as above.\n\n",
          file);
    write_table(file, results, equal_time_jobs, write_gradients);
    fputs("The settings and their learning rates, chosen again for that number of gradients.\n\n", file);
    write_table(file, results, equal_time_jobs, write_setting);
    write_price_table(file, results);
    fputs("## Held-out loss\n\n"
          "The runs of \"Equal gradients\". The objective chose settings and learning rates, not this loss. Median\n"
          "(minimum to maximum).\n\n",
          file);
    write_table(file, results, best_jobs, write_held_out);
    fputs("## Constant learning rate\n\n"
          "The settings that are best with linear decay; their constant learning rate is tuned. Objective: median\n"
          "(minimum to maximum).\n\n",
          file);
    write_table(file, results, constant_jobs, write_loss);
    write_untuned_table(file, results);
}

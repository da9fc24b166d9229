/*
 * A short race on two tasks: a table for each, and a picture of both.
 *
 *     demo --data FOLDER --out FILE.svg [--quick] [--jobs N]
 *
 * All optimizers take the same number of gradients from the same start, with the same minibatches; their learning rates
 * fall linearly to 0. The peak of each is tuned on two seeds, and five other seeds are shown.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "jobs.h"
#include "methods/minimise.h"
#include "support.h"
#include "timing.h"
#include "tuning.h"
#include "words.h"

enum { TASKS = 2, SEEDS = 5, MOST_SHOWN = 8 };

static const char *const task_names[TASKS] = {"cancer-minibatch", "perceptron"};

/* Adam runs with four settings, of which the best is shown. */
static const char *const competitors[] = {"Adam 0.9, 0.999", "Adam 0.9, 0.99", "Adam 0.8, 0.999", "Adam 0.8, 0.99",
                                          "Adagrad eps 1e-10, initial 0", "SGD 0.9"};

/* No setting of the demo is L-BFGS: the demo does without liblbfgs, which a fresh machine lacks. */
struct lbfgs_result lbfgs_minimise(objective_gradient evaluate, void *context, double *params, size_t dim,
                                   size_t memory, size_t budget) {
    (void)evaluate, (void)context, (void)params, (void)dim, (void)memory, (void)budget;
    fail("the demo has no L-BFGS");
}

static void add(struct settings *settings, const struct settings *all, const char *setting) {
    settings->list[settings->count++] = all->list[setting_find(all, setting)];
}

static void add_lmada(struct settings *settings, const struct settings *all, const lmada_config_t *config,
                      const char *name) {
    const char *setting = setting_of_config(all, config);
    if (!setting) fail("%s: no setting of the evidence", name);
    add(settings, all, setting);
    struct setting *added = settings->list + settings->count - 1;
    snprintf(added->name, sizeof added->name, "%s", name);
}

static struct settings settings_of_demo(void) {
    struct settings settings = {0}, all = settings_new(false);
    lmada_config_t config;
    if (lmada_config_recommended(&config, sizeof config) != LMADA_OK) fail("%s", lmada_last_error());
    add_lmada(&settings, &all, &config, "lmada, recommended");
    config.history_format = LMADA_HISTORY_INT8;
    add_lmada(&settings, &all, &config, "lmada, recommended, int8");
    for (size_t i = 0; i < sizeof competitors / sizeof *competitors; i++) add(&settings, &all, competitors[i]);
    return settings;
}

/* The runs that are shown: of each cell one a seed. */
struct shown {
    const struct study *study;
    const struct cell *cells[MOST_SHOWN];
    size_t count;
    struct outcome *outcomes; /* shared, [cell][seed] */
    struct curve_of_run *curves;
};

static void run_shown(void *context, size_t index) {
    const struct shown *shown = context;
    const struct cell *cell = shown->cells[index / SEEDS];
    const struct plan plan = {lattice_lr(cell->best), SCHEDULE_LINEAR, FIRST_REPORTED_SEED + index % SEEDS,
                              study_steps(shown->study, cell->task)};
    run_train(shown->study->tasks[cell->task], shown->study->settings.list + cell->setting, &plan,
              shown->outcomes + index, shown->curves + index);
}

static void nothing_to_take(void *context, size_t index) {
    (void)context, (void)index;
}

/* Of Adam the best on the seeds that tune; of all others each. */
static struct shown shown_new(const struct study *study, const struct cell *cells, size_t task) {
    struct shown shown = {.study = study};
    const struct cell *adam = NULL;
    for (size_t s = 0; s < study->settings.count; s++) {
        const struct cell *cell = cells + task * study->settings.count + s;
        if (study->settings.list[s].family != FAMILY_ADAM)
            shown.cells[shown.count++] = cell;
        else if (!adam || cell->loss < adam->loss)
            adam = cell;
    }
    shown.cells[shown.count++] = adam;
    size_t runs = shown.count * SEEDS;
    shown.outcomes = shared_new(runs * sizeof *shown.outcomes);
    shown.curves = shared_new(runs * sizeof *shown.curves);
    jobs_run(&(struct work){run_shown, nothing_to_take, &shown}, runs, study->at_a_time);
    return shown;
}

static void shown_free(struct shown *shown) {
    size_t runs = shown->count * SEEDS;
    shared_free(shown->outcomes, runs * sizeof *shown->outcomes);
    shared_free(shown->curves, runs * sizeof *shown->curves);
}

static void print_table(const struct shown *shown, size_t task) {
    const struct study *study = shown->study;
    printf("\n%s, %zu gradients%s\n\n%-28s %7s  %-31s %-28s %9s\n", study->tasks[task]->title,
           study_steps(study, task), study->tasks[task]->excess ? "; objective: the distance to its optimum" : "",
           "optimizer", "lr", "objective (min to max)", "held-out loss", "us a step");
    for (size_t c = 0; c < shown->count; c++) {
        double objectives[SEEDS], held_out[SEEDS];
        const struct cell *cell = shown->cells[c];
        for (size_t i = 0; i < SEEDS; i++) {
            objectives[i] = shown->outcomes[c * SEEDS + i].objective;
            held_out[i] = shown->outcomes[c * SEEDS + i].held_out;
        }
        printf("%-28s %7.3g  %-31s %-28s %9.2f\n", study->settings.list[cell->setting].name, lattice_lr(cell->best),
               spread_text(objectives, SEEDS).chars, spread_text(held_out, SEEDS).chars,
               1e6 * study_times(study, task, cell->setting).step);
    }
    printf("%-97s %9.2f\n", "(the gradient itself)", 1e6 * study_times(study, task, 0).gradient);
}

static void fill_panel(struct panel *panel, const struct shown *shown, size_t task) {
    const struct study *study = shown->study;
    *panel = (struct panel){.title = study->tasks[task]->title, .x_label = "gradients",
                            .y_label = study->tasks[task]->excess ? "objective less its optimum" : "objective"};
    for (size_t c = 0; c < shown->count; c++) {
        struct curve *curve = panel->curves + panel->curve_count++;
        const struct cell *cell = shown->cells[c];
        *curve = (struct curve){.count = CURVE_POINTS, .has_band = true};
        snprintf(curve->label, sizeof curve->label, "%s, lr %.3g", study->settings.list[cell->setting].name,
                 lattice_lr(cell->best));
        for (size_t point = 0; point < CURVE_POINTS; point++) {
            double losses[SEEDS];
            for (size_t i = 0; i < SEEDS; i++) losses[i] = shown->curves[c * SEEDS + i].objective[point];
            struct spread spread = spread_of(losses, SEEDS);
            curve->x[point] = (double)(study_steps(study, task) * point) / (CURVE_POINTS - 1);
            curve->y[point] = spread.median;
            curve->least[point] = spread.least;
            curve->most[point] = spread.most;
        }
        panel->top = fmax(panel->top, 2 * curve->y[0]);
    }
}

struct options {
    const char *data, *out;
    size_t jobs, share;
};

static struct options parse(int argc, char **argv) {
    struct options options = {NULL, NULL, processors(), 1};
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(option, "--quick") == 0) options.share = QUICK_SHARE;
        else if (strcmp(option, "--data") == 0) options.data = value, i++;
        else if (strcmp(option, "--out") == 0) options.out = value, i++;
        else if (strcmp(option, "--jobs") == 0) options.jobs = parse_count(value), i++;
        else fail("an unknown option: %s", option);
    }
    if (!options.data || !options.out || options.jobs == 0) fail("--data and --out are needed");
    return options;
}

int main(int argc, char **argv) {
    struct options options = parse(argc, argv);
    task_data_folder = options.data;
    const struct task *chosen[TASKS];
    for (size_t t = 0; t < TASKS; t++) chosen[t] = task_called(task_names[t]);
    struct runs runs = runs_open(NULL, "demo");
    struct study study = {.tasks = chosen, .task_count = TASKS, .settings = settings_of_demo(), .share = options.share,
                          .tuning_seeds = 2, .seeds = SEEDS, .at_a_time = options.jobs, .runs = &runs,
                          .progress = progress_start()};
    timing_measure(&study);
    size_t count = study.settings.count;
    struct cell *cells = allocate(TASKS * count, sizeof *cells);
    for (size_t i = 0; i < TASKS * count; i++)
        cells[i] = cell_new(&study, i / count, i % count, SCHEDULE_LINEAR,
                            lattice_index(study.settings.list[i % count].first_lr));
    tune(&study, cells, TASKS * count);
    progress_finish(&study.progress);

    struct panel *panels = allocate(TASKS, sizeof *panels);
    for (size_t t = 0; t < TASKS; t++) {
        struct shown shown = shown_new(&study, cells, t);
        print_table(&shown, t);
        fill_panel(panels + t, &shown, t);
        shown_free(&shown);
    }
    printf("\nMedian over %d seeds, with minimum and maximum. Learning rates were tuned on two other seeds and fall\n"
           "linearly to 0. All take the same gradients; the last column is the optimizer's time in a step.\n",
           SEEDS);
    chart_write(options.out, "Objective against gradients: median, minimum and maximum of five seeds", panels, TASKS,
                TASKS);
    printf("The curves: %s\n", options.out);
    free(panels);
    free(cells);
    runs_close(&runs);
    return 0;
}

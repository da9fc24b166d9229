/*
 * The demo: two models, five optimizers, every one at the best of the same grid of learning rates; and one of the
 * models with every history format of lmada.
 *
 *     demo DIGITS.csv CANCER.csv OUT.svg [--quick] [--jobs N]
 *
 * Prints a table for each model and one of the formats, and draws the loss curves. --quick: a quarter of the steps and
 * one seed, to try it out; --jobs: runs at a time, one a processor unless given.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "formats.h"
#include "progress.h"
#include "search.h"
#include "tasks.h"

#define METHOD_COUNT 6

struct options {
    const char *digits, *cancer, *chart;
    bool quick;
    size_t jobs;
};

static struct options parse(int argc, char **argv) {
    struct options options = {.jobs = processors()};
    const char **paths[] = {&options.digits, &options.cancer, &options.chart};
    size_t given = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0)
            options.quick = true;
        else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
            options.jobs = strtoul(argv[++i], NULL, 10);
        else if (given < 3)
            *paths[given++] = argv[i];
        else
            given = 4;
    }
    if (given != 3 || options.jobs == 0) fail("usage: demo DIGITS.csv CANCER.csv OUT.svg [--quick] [--jobs N]");
    return options;
}

static void methods_new(struct method methods[METHOD_COUNT]) {
    lmada_config_t recommended, defaults;
    if (lmada_config_recommended(&recommended, sizeof recommended) != LMADA_OK) fail("%s", lmada_last_error());
    if (lmada_config_init(&defaults, sizeof defaults) != LMADA_OK) fail("%s", lmada_last_error());
    methods[0] = method_lmada("lmada, recommended", &recommended);
    methods[1] = method_lmada("lmada, defaults", &defaults);
    lmada_config_t plain = recommended;
    plain.diagonal_beta = 0;
    methods[2] = method_lmada("lmada, plain", &plain);
    methods[3] = method_adam;
    methods[4] = method_adagrad;
    methods[5] = method_momentum;
}

/* Time of the optimizer's call, from a run that has the machine to itself as far as this program is concerned. */
static double step_seconds(const struct search *search, size_t method, double lr) {
    struct outcome outcome;
    train(search->task, search->methods + method, lr, 0, &outcome);
    return outcome.step_seconds;
}

/* Prints the rows; true where a learning rate lies at an end of the grid. */
static bool print_table(const struct search *search) {
    bool any_edge = false;
    printf("%-20s %9s  %11s  %13s  %8s\n", "optimizer", "best lr", "train loss", "test accuracy", "us/step");
    for (size_t m = 0; m < search->method_count; m++) {
        struct summary best = search_best(search, m);
        bool edge = search_at_edge(search, best);
        any_edge = any_edge || edge;
        printf("%-20s %8g%c  %11.3g  %11.1f %%  %8.2f\n", search->methods[m].name, best.lr, edge ? '*' : ' ',
               best.train_loss, 100 * best.test_accuracy, 1e6 * step_seconds(search, m, best.lr));
    }
    return any_edge;
}

static void fill_panel(const struct search *search, const char *title, struct panel *panel) {
    *panel = (struct panel){.title = title, .length = (double)search->task->steps, .curve_count = search->method_count};
    double *losses = allocate(search->seeds, sizeof *losses);
    for (size_t m = 0; m < search->method_count; m++) {
        struct summary best = search_best(search, m);
        struct curve *curve = panel->curves + m;
        snprintf(curve->label, sizeof curve->label, "%s, lr %g", search->methods[m].name, best.lr);
        for (size_t point = 0; point < CURVE_POINTS; point++) {
            for (size_t seed = 0; seed < search->seeds; seed++)
                losses[seed] = search_outcome(search, m, best.lr_index, seed)->curve[point];
            curve->losses[point] = median(losses, search->seeds);
        }
    }
    free(losses);
}

int main(int argc, char **argv) {
    struct options options = parse(argc, argv);
    struct tasks tasks;
    tasks_read(&tasks, options.digits, options.cancer, options.quick);
    struct method methods[METHOD_COUNT];
    methods_new(methods);

    struct task *chosen[] = {tasks.list + DIGITS_MINIBATCH, tasks.list + CANCER_FULL};
    static const char *const titles[] = {"Digits, minibatches of 64: 64-32-10 perceptron",
                                         "Breast cancer, unscaled, full batch: logistic regression"};
    enum { CHOSEN = sizeof chosen / sizeof *chosen };
    for (size_t t = 0; t < CHOSEN; t++) chosen[t]->schedule = LMADA_SCHEDULE_COSINE;
    const struct grid grid = grid_new(-8, 2);
    struct search searches[CHOSEN];
    struct panel panels[CHOSEN];

    /* The formats share the recommended setting's range of good learning rates: a part of the grid is enough. */
    const struct grid part = grid_new(-3, 0);
    struct method formats[FORMAT_METHODS];
    formats_new(&methods[0].config, formats);

    size_t seeds = options.quick ? 1 : 3;
    size_t runs = CHOSEN * METHOD_COUNT * grid.count + FORMAT_METHODS * part.count;
    struct progress progress = progress_start(runs * seeds);
    for (size_t t = 0; t < CHOSEN; t++) {
        searches[t] = (struct search){chosen[t], methods, METHOD_COUNT, &grid, seeds, NULL, 0, 0};
        search_run(searches + t, options.jobs, &progress);
    }
    struct search of_formats = {chosen[0], formats, FORMAT_METHODS, &part, seeds, NULL, 0, 0};
    search_run(&of_formats, options.jobs, &progress);
    progress_finish(&progress);

    bool any_edge = false;
    for (size_t t = 0; t < CHOSEN; t++) {
        printf("\n%s, %zu steps\n", titles[t], chosen[t]->steps);
        any_edge = print_table(searches + t) || any_edge;
        fill_panel(searches + t, titles[t], panels + t);
        search_free(searches + t);
    }
    printf("\n%s; lmada, recommended, with each history format\n", titles[0]);
    any_edge = formats_print(&of_formats) || any_edge;
    search_free(&of_formats);
    printf(
        "\nEvery optimizer at its best of %zu learning rates from %.0e to %.0e: the one with the least train loss\n"
        "after the last step. It falls to 0 along half a cosine. Medians over %zu seed%s (data split, starting\n"
        "weights, order of minibatches). Time: median of the optimizer's call alone.\n",
        grid.count, grid.lrs[0], grid.lrs[grid.count - 1], seeds, seeds == 1 ? "" : "s");
    if (any_edge) printf("* at an end of the grid: a better learning rate may lie beyond.\n");

    chart_write(options.chart, "Train loss, each optimizer at its best learning rate", panels, CHOSEN, CHOSEN);
    printf("\nLoss curves: %s\n", options.chart);
    tasks_free(&tasks);
    return EXIT_SUCCESS;
}

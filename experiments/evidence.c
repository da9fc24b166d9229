/*
 * lmada beside other optimizers on all tasks: the tables of docs/evidence.md and its pictures.
 *
 *     evidence --data FOLDER --runs FILE --version TEXT --out FOLDER
 *              [--name TEXT] [--title TEXT] [--machine FILE] [--task NAME]... [--only FILE]
 *              [--best-two FILE] [--quick] [--variants] [--jobs N]
 *
 * Runs that are in the file of runs, with this version, are not done again. --best-two writes the two best settings of
 * each family on the first task, with their learning rates, and no document; --only reads such a file, and tries no
 * other settings.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <errno.h>
#include <string.h>

#include "bars.h"
#include "document.h"
#include "jobs.h"
#include "rates.h"
#include "results.h"
#include "support.h"
#include "tasks/task.h"

/* Quick runs have fewer seeds too. */
enum { TUNING_SEEDS = 2, SEEDS = 5, QUICK_TUNING_SEEDS = 1, QUICK_SEEDS = 2 };

struct options {
    const char *data, *runs, *version, *out, *machine, *name, *title, *only, *best_two;
    const struct task *tasks[MOST_TASKS];
    size_t task_count, jobs;
    bool quick, variants;
};

static struct options parse(int argc, char **argv) {
    struct options options = {.name = "evidence", .title = "lmada beside other optimizers", .jobs = processors()};
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(option, "--quick") == 0) options.quick = true;
        else if (strcmp(option, "--variants") == 0) options.variants = true;
        else if (strcmp(option, "--best-two") == 0) options.best_two = value, i++;
        else if (strcmp(option, "--only") == 0) options.only = value, i++;
        else if (strcmp(option, "--name") == 0) options.name = value, i++;
        else if (strcmp(option, "--data") == 0) options.data = value, i++;
        else if (strcmp(option, "--runs") == 0) options.runs = value, i++;
        else if (strcmp(option, "--version") == 0) options.version = value, i++;
        else if (strcmp(option, "--out") == 0) options.out = value, i++;
        else if (strcmp(option, "--machine") == 0) options.machine = value, i++;
        else if (strcmp(option, "--title") == 0) options.title = value, i++;
        else if (strcmp(option, "--jobs") == 0) options.jobs = parse_count(value), i++;
        else if (strcmp(option, "--task") == 0 && options.task_count < MOST_TASKS)
            options.tasks[options.task_count++] = task_called(value), i++;
        else fail("an unknown option: %s", option);
    }
    if (!options.data || !options.runs || !options.version || options.jobs == 0)
        fail("--data, --runs and --version are needed");
    if (!options.out && !options.best_two) fail("--out or --best-two is needed");
    return options;
}

static void write_all(const struct options *options, const struct results *results) {
    static const char *const endings[] = {".md", ".svg", "-rates.svg"};
    char path[3][4096];
    for (size_t i = 0; i < 3; i++) {
        int length = snprintf(path[i], sizeof path[i], "%s/%s%s", options->out, options->name, endings[i]);
        if (length < 0 || (size_t)length >= sizeof path[i]) fail("a path that is too long: %s", options->out);
    }
    const struct document document = {options->name, options->title, options->machine};
    document_write(path[0], &document, results);
    bars_write(path[1], results);
    rates_write(path[2], results);
}

static void write_best_two(const char *path, const struct results *results) {
    FILE *file = fopen(path, "w");
    if (!file) fail("%s: %s", path, strerror(errno));
    for (enum family f = 0; f < FAMILY_COUNT; f++)
        for (size_t rank = 0; rank < 2; rank++) {
            const struct cell *cell = results_ranked(results, 0, f, rank);
            if (!cell) continue;
            fprintf(file, "%s\t%.3g\n", results->study->settings.list[cell->setting].name, lattice_lr(cell->best));
        }
    if (fclose(file) != 0) fail("%s: cannot be written", path);
}

int main(int argc, char **argv) {
    struct options options = parse(argc, argv);
    task_data_folder = options.data;
    if (options.task_count == 0)
        for (; options.task_count < task_count; options.task_count++)
            options.tasks[options.task_count] = tasks[options.task_count];

    struct runs runs = runs_open(options.runs, options.version);
    struct study study = {
        .tasks = options.tasks,
        .task_count = options.task_count,
        .settings = settings_new(options.variants),
        .share = options.quick ? QUICK_SHARE : 1,
        .tuning_seeds = options.quick ? QUICK_TUNING_SEEDS : TUNING_SEEDS,
        .seeds = options.quick ? QUICK_SEEDS : SEEDS,
        .at_a_time = options.jobs,
        .runs = &runs,
        .progress = progress_start(),
    };
    if (options.only) settings_keep(&study.settings, options.only);
    struct results results = options.best_two ? results_tuned(&study) : results_new(&study);
    if (options.best_two)
        write_best_two(options.best_two, &results);
    else
        write_all(&options, &results);
    results_free(&results);
    runs_close(&runs);
    return 0;
}

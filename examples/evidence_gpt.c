/*
 * Measures optimizers on a small character-level GPT, for docs/evidence-gpt.md.
 *
 *     evidence_gpt TEXT RUNS OUT.md OUT.svg [--quick] [--jobs N]
 *
 * RUNS keeps what is done: started again, the program goes on from there. --quick: few settings and steps, to try it
 * out; --jobs: runs at a time, one a processor unless given.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "gpt.h"
#include "gpt_report.h"
#include "jobs.h"

/*
 * Rises with every change of the model, the runs or the optimizers: runs of another number do not count. What changes in
 * the library it does not know: RUNS is to be another file then.
 */
enum { VERSION = 1 };

enum { TEXT, RUNS, TABLES, CHART, PATHS };

struct options {
    const char *paths[PATHS];
    bool quick;
    size_t jobs;
};

static struct options parse(int argc, char **argv) {
    struct options options = {.jobs = processors()};
    size_t given = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0)
            options.quick = true;
        else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
            options.jobs = strtoul(argv[++i], NULL, 10);
        else if (given < PATHS)
            options.paths[given++] = argv[i];
        else
            given = PATHS + 1;
    }
    if (given != PATHS || options.jobs == 0)
        fail("usage: evidence_gpt TEXT RUNS OUT.md OUT.svg [--quick] [--jobs N]");
    return options;
}

int main(int argc, char **argv) {
    struct options options = parse(argc, argv);
    struct text text = text_read(options.paths[TEXT], GPT_CHARACTERS);
    struct protocol protocol = {
        .task = {.text = &text, .batch = 8, .steps = 300, .measured = 128}, .tuning_seeds = 3, .seeds = 5};
    if (options.quick)
        protocol = (struct protocol){
            .task = {.text = &text, .batch = 2, .steps = 25, .measured = 4}, .tuning_seeds = 1, .seeds = 2};

    char version[RUN_VERSION_SIZE];
    snprintf(version, sizeof version, "%d, lmada %s, text %llx, %d parameters, %zu windows, %zu steps, %zu measured",
             VERSION, lmada_version(), (unsigned long long)text.fingerprint, GPT_PARAMETERS, protocol.task.batch,
             protocol.task.steps, protocol.task.measured);
    struct gpt_runs runs = gpt_runs_open(options.paths[RUNS], version);
    struct gpt_settings settings = gpt_settings_new(options.quick);
    struct gpt_search search = gpt_search_run(&settings, protocol, &runs, options.jobs);
    gpt_report_write(options.paths[TABLES], &search);
    gpt_chart_write(options.paths[CHART], &search);

    gpt_search_free(&search);
    gpt_runs_close(&runs);
    text_free(&text);
    return EXIT_SUCCESS;
}

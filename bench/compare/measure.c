/*
 * Times the two passes of a step in two builds of the library. One process loads both builds, and they take steps in
 * turn, so that the conditions are the same. Prints a table of medians.
 *
 *     measure OLD NEW [NAME]     OLD and NEW are paths of a liblmada.so; NAME prints the rows of one window only
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <dlfcn.h>
#include <lmada.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choices.h"
#include "support.h"
#include "table.h"

enum { LIBRARIES = 2, PASSES = 2, MOST = 501 };

static const struct window {
    const char *name;
    void (*choose)(lmada_config_t *config);
} windows[] = {
    {"full", NULL}, {"bf16", bf16}, {"f16", f16}, {"int8", int8}, {"sparse", sparse}, {"diagonal", diagonal},
};

/* In the second-level cache of one thread; in memory with few columns; in memory with many columns. */
static const struct size {
    size_t dim;
    uint32_t k, threads;
    int rounds;
} sizes[] = {{8192, 10, 1, 501}, {10000000, 10, 0, 15}, {1000000, 100, 0, 21}};

/* One build of the library. */
struct library {
    lmada_status_t (*config_init)(lmada_config_t *, size_t);
    lmada_status_t (*create)(const lmada_config_t *, size_t, lmada_t **);
    lmada_status_t (*begin)(lmada_t *), (*solve)(lmada_t *), (*end)(lmada_t *);
    lmada_status_t (*feed)(lmada_t *, size_t, const float *, size_t);
    lmada_status_t (*apply)(lmada_t *, size_t, float *, const float *, size_t);
    void (*free)(lmada_t *);
    const char *(*last_error)(void);
};

static void *find(void *handle, const char *name) {
    void *found = dlsym(handle, name);
    if (found == NULL) fail("%s", dlerror());
    return found;
}

static struct library load(const char *path) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) fail("%s", dlerror());
    struct library library;
    *(void **)&library.config_init = find(handle, "lmada_config_init");
    *(void **)&library.create = find(handle, "lmada_create");
    *(void **)&library.begin = find(handle, "lmada_begin");
    *(void **)&library.solve = find(handle, "lmada_solve");
    *(void **)&library.end = find(handle, "lmada_end");
    *(void **)&library.feed = find(handle, "lmada_feed");
    *(void **)&library.apply = find(handle, "lmada_apply");
    *(void **)&library.free = find(handle, "lmada_free");
    *(void **)&library.last_error = find(handle, "lmada_last_error");
    return library;
}

static void check(const struct library *library, lmada_status_t status) {
    if (status != LMADA_OK) fail("%s", library->last_error());
}

/* Takes a step and puts the seconds of its passes into `times`. */
static void step(const struct library *library, lmada_t *opt, float *params, const float *grads, size_t dim,
                 double times[PASSES]) {
    check(library, library->begin(opt));
    double start = seconds_now();
    check(library, library->feed(opt, 0, grads, dim));
    times[0] = seconds_now() - start;
    check(library, library->solve(opt));
    start = seconds_now();
    check(library, library->apply(opt, 0, params, grads, dim));
    times[1] = seconds_now() - start;
    check(library, library->end(opt));
}

static const struct column columns[] = {
    {"window", -8}, {"d", 5}, {"k", 3}, {"threads", 7}, {"pass", 4}, {"before", 7}, {"after", 7}, {"after/before", 12},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static void compare(const struct library libraries[LIBRARIES], const struct window *window, const struct size *size) {
    /* Gradients are overlapping ranges of one array, each with its own start. */
    enum { GRADIENTS = 200, STRIDE = 1024 };
    float *params = allocate(size->dim, sizeof *params);
    float *numbers = allocate(size->dim + GRADIENTS * STRIDE, sizeof *numbers);
    struct random random = random_stream(1, 0);
    for (size_t i = 0; i < size->dim + GRADIENTS * STRIDE; i++) numbers[i] = (float)random_uniform(&random, -1, 1);
    lmada_t *opts[LIBRARIES];
    for (size_t i = 0; i < LIBRARIES; i++) {
        lmada_config_t config;
        check(&libraries[i], libraries[i].config_init(&config, sizeof config));
        config.history_size = size->k;
        config.threads = size->threads;
        if (window->choose != NULL) window->choose(&config);
        check(&libraries[i], libraries[i].create(&config, size->dim, &opts[i]));
    }
    static double times[PASSES][LIBRARIES][MOST], ratios[PASSES][MOST];
    for (int round = -(int)size->k; round < size->rounds; round++) {
        const int number = round + (int)size->k;
        const float *grads = numbers + (size_t)(number % GRADIENTS) * STRIDE;
        double now[LIBRARIES][PASSES];
        for (int turn = 0; turn < LIBRARIES; turn++) {
            const int i = (turn + number) % LIBRARIES; /* each build goes first in every other round */
            step(&libraries[i], opts[i], params, grads, size->dim, now[i]);
        }
        for (int pass = 0; pass < PASSES && round >= 0; pass++) {
            for (int i = 0; i < LIBRARIES; i++) times[pass][i][round] = now[i][pass];
            ratios[pass][round] = now[1][pass] / now[0][pass];
        }
    }
    for (int pass = 0; pass < PASSES; pass++) {
        const size_t rounds = (size_t)size->rounds;
        const char *cells[COLUMNS] = {
            window->name,
            text_of_count(size->dim),
            text_of("%u", size->k),
            size->threads == 0 ? "all" : text_of("%u", size->threads),
            pass == 0 ? "one" : "two",
            text_of_seconds(median(times[pass][0], rounds)),
            text_of_seconds(median(times[pass][1], rounds)),
            text_of("%.2f", median(ratios[pass], rounds)),
        };
        table_row(columns, COLUMNS, cells);
    }
    for (size_t i = 0; i < LIBRARIES; i++) libraries[i].free(opts[i]);
    free(params);
    free(numbers);
}

int main(int count, char **arguments) {
    if (count < 3 || count > 4) fail("usage: measure OLD NEW [NAME]");
    const struct library libraries[LIBRARIES] = {load(arguments[1]), load(arguments[2])};
    bool found = false;
    table_head(columns, COLUMNS);
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
        if (count == 4 && strcmp(arguments[3], windows[w].name) != 0) continue;
        found = true;
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) compare(libraries, &windows[w], &sizes[s]);
    }
    if (!found) fail("no window is called %s", arguments[3]);
    return EXIT_SUCCESS;
}

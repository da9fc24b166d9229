/*
 * A program whose instructions are counted: steps with a full window, on one thread. run-tests runs it under callgrind,
 * which counts one function of lmada only.
 *
 *     counted kind       prints the vector instructions of the processor, which select the recorded counts
 *     counted WHAT       takes as many steps as run-tests divides by; WHAT is a function and its case
 *
 * While the window fills, the steps do not use the counted function: they are whole or in phases.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choices.h"
#include "lmada.h"
#include "support.h"

static void check(lmada_status_t status) {
    if (status != LMADA_OK) fail("%s: %s", lmada_status_string(status), lmada_last_error());
}

/* The instructions that valgrind reports to the library; they may be fewer than the machine's. */
static const char *kind(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "x86-64-avx2" : "x86-64";
#elif defined(__aarch64__)
    return "aarch64";
#else
    return "other";
#endif
}

struct model {
    lmada_t *handle;
    size_t dim;
    float *params, *grads;
    struct random random;
};

/* Half of the gradient is the same at each step. */
static void draw(struct model *model) {
    for (size_t i = 0; i < model->dim; i++)
        model->grads[i] = (i % 7 < 3 ? 1.0f : -1.0f) + (float)random_uniform(&model->random, -1.5, 1.5);
}

static void whole(struct model *model) {
    draw(model);
    check(lmada_step(model->handle, model->params, model->grads, model->dim));
}

static void in_phases(struct model *model) {
    draw(model);
    check(lmada_begin(model->handle));
    check(lmada_feed(model->handle, 0, model->grads, model->dim));
    check(lmada_solve(model->handle));
    check(lmada_apply(model->handle, 0, model->params, model->grads, model->dim));
    check(lmada_end(model->handle));
}

static const struct task {
    const char *name;
    size_t dim;
    uint32_t k;
    void (*fill)(struct model *model), (*count)(struct model *model);
    size_t steps;
    void (*choose)(lmada_config_t *config);
} tasks[] = {
    {"feed", 16384, 10, whole, in_phases, 4, NULL},
    {"apply", 16384, 10, whole, in_phases, 4, NULL},
    {"step", 220, 10, in_phases, whole, 100, NULL},
    {"solve", 220, 100, whole, in_phases, 10, NULL},
    {"feed-bf16", 16384, 10, whole, in_phases, 4, bf16},
    {"apply-bf16", 16384, 10, whole, in_phases, 4, bf16},
    {"feed-f16", 16384, 10, whole, in_phases, 4, f16},
    {"apply-f16", 16384, 10, whole, in_phases, 4, f16},
    {"feed-int8", 16384, 10, whole, in_phases, 4, int8},
    {"apply-int8", 16384, 10, whole, in_phases, 4, int8},
    {"feed-sparse", 16384, 100, whole, in_phases, 4, sparse},
    {"apply-sparse", 16384, 100, whole, in_phases, 4, sparse},
    {"feed-diagonal", 16384, 10, whole, in_phases, 4, diagonal},
    {"apply-diagonal", 16384, 10, whole, in_phases, 4, diagonal},
};

int main(int count, char **arguments) {
    if (count == 2 && !strcmp(arguments[1], "kind")) return puts(kind()) < 0;
    for (size_t i = 0; count == 2 && i < sizeof tasks / sizeof *tasks; i++) {
        const struct task *task = &tasks[i];
        if (strcmp(arguments[1], task->name)) continue;
        lmada_config_t config;
        check(lmada_config_init(&config, sizeof config));
        config.history_size = task->k;
        config.threads = 1;
        if (task->choose != NULL) task->choose(&config);
        struct model model = {NULL, task->dim, allocate(task->dim, sizeof(float)), allocate(task->dim, sizeof(float)),
                              random_stream(1, i)};
        check(lmada_create(&config, task->dim, &model.handle));
        for (size_t step = 0; step < task->k + 2; step++) task->fill(&model);
        for (size_t step = 0; step < task->steps; step++) task->count(&model);
        lmada_free(model.handle);
        free(model.params);
        free(model.grads);
        printf("%zu\n", task->steps);
        return EXIT_SUCCESS;
    }
    fail("usage: counted kind|feed|apply|step|solve|feed-bf16|..., see the list above main");
}

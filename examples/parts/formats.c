/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "formats.h"

#include <stdio.h>

#include "comparison.h"

static const struct format {
    const char *name;
    lmada_history_format_t format;
    double density;
} formats[FORMAT_COUNT] = {
    {"full", LMADA_HISTORY_FULL, 0},         {"bf16", LMADA_HISTORY_BF16, 0},
    {"f16", LMADA_HISTORY_F16, 0},           {"int8", LMADA_HISTORY_INT8, 0},
    {"sparse, 0.1", LMADA_HISTORY_SPARSE, 0.1}, {"sparse, 0.01", LMADA_HISTORY_SPARSE, 0.01},
};
/* Parameters of a model beside which all that does not grow with it is little. */
enum { LARGE = 1000000 };

static const unsigned sizes[FORMAT_SIZES] = {10, 30, 100};

static void check(lmada_status_t status) {
    if (status != LMADA_OK) fail("%s: %s", lmada_status_string(status), lmada_last_error());
}

void formats_new(const lmada_config_t *base, struct method methods[FORMAT_METHODS]) {
    for (size_t i = 0; i < FORMAT_METHODS; i++) {
        const struct format *format = formats + i % FORMAT_COUNT;
        lmada_config_t config = *base;
        config.history_size = sizes[i / FORMAT_COUNT];
        config.history_format = format->format;
        if (format->density > 0) config.density = format->density;
        methods[i] = method_lmada(format->name, &config);
    }
}

double format_memory(const lmada_config_t *config, size_t dim) {
    lmada_t *handle;
    lmada_stats_t stats;
    check(lmada_create(config, dim, &handle));
    check(lmada_stats(handle, &stats, sizeof stats));
    lmada_free(handle);
    return (double)stats.state_bytes;
}

bool formats_print(const struct search *search) {
    const struct task *task = search->task;
    size_t dim = 0;
    bool any_edge = false;
    for (size_t i = 0; i < task->model->tensors; i++) dim += task->model->lens[i];
    printf("%-12s %4s %8s  %10s  %13s  %9s  %6s  %7s  %8s\n", "format", "k", "best lr", "train loss", "test accuracy",
           "direction", "kB", "B/param", "us/step");
    for (size_t m = 0; m < search->method_count; m++) {
        const struct method *method = search->methods + m, *full = method - m % FORMAT_COUNT;
        struct summary best = search_best(search, m);
        struct outcome alone;
        train(task, method, best.lr, 0, &alone);
        bool edge = search_at_edge(search, best);
        any_edge = any_edge || edge;
        printf("%-12s %4u %7g%c  %10.3g  %11.1f %%  %7.3g %%  %6.0f  %7.2f  %8.2f\n", method->name,
               (unsigned)method->config.history_size, best.lr, edge ? '*' : ' ', best.train_loss,
               100 * best.test_accuracy,
               100 * direction_difference(task, &full->config, &method->config, best.lr, 0),
               format_memory(&method->config, dim) / 1e3, format_memory(&method->config, LARGE) / LARGE,
               1e6 * alone.step_seconds);
    }
    printf("\ndirection: how far it lies from the full format's on the same gradients, median over the steps of a run.\n"
           "kB: held by lmada for this model. B/param: for a model of a million parameters.\n");
    return any_edge;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "grid.h"

#include <stdio.h>

#include "pool.h"
#include "roof.h"
#include "rounds.h"
#include "subject.h"
#include "support.h"
#include "table.h"

static void in_f64(lmada_config_t *config) { config->dtype = LMADA_F64; }
static void gradient_momentum(lmada_config_t *config) { config->momentum_kind = LMADA_MOMENTUM_GRADIENT; }
static void update_momentum(lmada_config_t *config) { config->momentum_kind = LMADA_MOMENTUM_UPDATE; }
static void window_momentum(lmada_config_t *config) { config->momentum_kind = LMADA_MOMENTUM_WINDOW; }
static void centered(lmada_config_t *config) { config->centered = true; }
static void clipped_by_vector(lmada_config_t *config) { config->clip_kind = LMADA_CLIP_EMA_VECTOR; }
static void diagonal(lmada_config_t *config) {
    config->diagonal_beta = 0.99;
    config->clip_kind = LMADA_GRAFT_INPUT;
}
static void diagonal_with_momentum(lmada_config_t *config) {
    config->diagonal_beta = 0.99;
    config->momentum_kind = LMADA_MOMENTUM_UPDATE;
}
static void gradient_clipped(lmada_config_t *config) { config->grad_clip_norm = 0.5; }
static void averaged(lmada_config_t *config) { config->average_beta = 0.99; }
static void without_eps(lmada_config_t *config) { config->eps = 0; }

static const struct line {
    const char *name;
    struct setting setting;
} lines[] = {
    {"f32", {.dim = 220, .k = 10}},
    {"f32", {.dim = 100000, .k = 10}},
    {"f32", {.dim = 1000000, .k = 10}},
    {"f32", {.dim = 10000000, .k = 10}},
    {"f32", {.dim = 1000000, .k = 100}},
    {"f32", {.dim = 100000, .k = 100}},
    {"f64", {.dim = 100000, .k = 10, .change = in_f64}},
    {"f64", {.dim = 1000000, .k = 10, .change = in_f64}},
    {"f64", {.dim = 100000, .k = 100, .change = in_f64}},
    {"phases, 16 pieces", {.dim = 1000000, .k = 10, .way = PHASES}},
    {"50 tensors", {.dim = 1000000, .k = 10, .way = TENSORS}},
    {"direction", {.dim = 1000000, .k = 10, .way = DIRECTION}},
    {"gradient in bf16", {.dim = 1000000, .k = 10, .way = BF16}},
    {"gradient in bf16", {.dim = 10000000, .k = 3, .way = BF16}},
    {"f32", {.dim = 10000000, .k = 3}},
    {"gradient clipped", {.dim = 1000000, .k = 10, .change = gradient_clipped}},
    {"parameters averaged", {.dim = 1000000, .k = 10, .change = averaged}},
    {"1,000 blocks", {.dim = 1000000, .k = 10, .blocks = 1000}},
    {"momentum of gradient", {.dim = 1000000, .k = 10, .change = gradient_momentum}},
    {"momentum of update", {.dim = 1000000, .k = 10, .change = update_momentum}},
    {"momentum of window", {.dim = 1000000, .k = 10, .change = window_momentum}},
    {"EMA-vector clip", {.dim = 1000000, .k = 10, .change = clipped_by_vector}},
    {"diagonal preconditioning", {.dim = 1000000, .k = 3, .change = diagonal}},
    {"diagonal preconditioning", {.dim = 1000000, .k = 10, .change = diagonal}},
    {"diagonal preconditioning", {.dim = 10000000, .k = 10, .change = diagonal}},
    {"diagonal, momentum of update", {.dim = 10000000, .k = 3, .change = diagonal_with_momentum}},
    {"centered", {.dim = 1000000, .k = 10, .change = centered}},
    {"centered", {.dim = 100000, .k = 100, .change = centered}},
    {"ε = 0", {.dim = 220, .k = 10, .change = without_eps}},
    {"ε = 0", {.dim = 100000, .k = 100, .change = without_eps}},
};

static const struct column columns[] = {
    {"step", -28},      {"d", 5},  {"k", 3},         {"must move", 10}, {"time", 7}, {"GB/s", 6},
    {"roof, GB/s", 10}, {"of it", 5}, {"k×k", 7}, {"of the step", 11},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* A smaller window fits into the first caches, and the bytes do not determine the time. */
static const size_t least_roof = 1 << 20;

static void measure(const struct line *line) {
    fprintf(stderr, "%s, d = %zu, k = %u\n", line->name, line->setting.dim, line->setting.k);
    struct subject *subject = subject_new(&line->setting);
    size_t window = subject_window(subject);
    struct roof *roof = window >= least_roof ? roof_new(window, available_threads()) : NULL;
    size_t steps = subject_sample(subject);
    double times[ROUNDS], solves[ROUNDS];
    for (size_t round = 0; round < ROUNDS; round++) {
        /* An untimed step comes before each sample. It brings back into the caches what the last sample evicted. */
        if (roof) roof_sample(roof);
        subject_step(subject, 1);
        times[round] = subject_time(subject, steps);
        subject_solve_time(subject, 1);
        solves[round] = subject_solve_time(subject, steps);
    }
    double time = median(times, ROUNDS), solve = median(solves, ROUNDS), bytes = subject_bytes(subject);
    double height = roof ? roof_height(roof) : 0;
    const char *cells[COLUMNS] = {
        line->name,
        text_of_count(line->setting.dim),
        text_of("%u", line->setting.k),
        bytes < 1e6 ? text_of("%.1f kB", bytes / 1e3) : text_of("%.1f MB", bytes / 1e6),
        text_of_seconds(time),
        text_of("%.1f", bytes / time / 1e9),
        roof ? text_of("%.1f", height / 1e9) : "–",
        roof ? text_of("%.2f", bytes / time / height) : "–",
        text_of_seconds(solve),
        text_of("%.1f %%", 100 * solve / time),
    };
    table_row(columns, COLUMNS, cells);
    roof_free(roof);
    subject_free(subject);
}

void grid_print(void) {
    table_head(columns, COLUMNS);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) measure(&lines[i]);
}

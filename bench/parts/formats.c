/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "formats.h"

#include <stdio.h>

#include "pool.h"
#include "roof.h"
#include "rounds.h"
#include "subject.h"
#include "support.h"
#include "table.h"

static void bf16(lmada_config_t *config) { config->history_format = LMADA_HISTORY_BF16; }
static void f16(lmada_config_t *config) { config->history_format = LMADA_HISTORY_F16; }
static void int8(lmada_config_t *config) { config->history_format = LMADA_HISTORY_INT8; }
static void sparse(lmada_config_t *config) { config->history_format = LMADA_HISTORY_SPARSE; } /* density 0.01 */

enum { FORMATS = 5, SIZES = 3 };

static const struct format {
    const char *name;
    void (*change)(lmada_config_t *config);
    /* The targets that were set before the measurement: for each size the time divided by the full format's time, and
     * for k = 10 the bytes of a stored element. 0: no target. */
    double target[SIZES], target_element;
} formats[FORMATS] = {
    {"full", NULL, {0, 0, 0}, 0},
    {"bf16", bf16, {0.65, 0.57, 0.55}, 2.05},
    {"f16", f16, {0.68, 0.60, 0.57}, 2.1},
    {"int8", int8, {0.47, 0.36, 0.32}, 1.07},
    {"sparse", sparse, {0, 0, 0}, 0},
};

/* Ten million parameters, except for the largest k, for which a full window would take 4 GB and a minute to fill. */
static const struct size {
    size_t dim;
    unsigned k;
} sizes[SIZES] = {{10000000, 10}, {10000000, 30}, {1000000, 100}};

static const struct column columns[] = {
    {"format", -6}, {"d", 3}, {"k", 3}, {"moves", 5}, {"time", 7}, {"GB/s", 5}, {"roof", 5}, {"of it", 5},
    {"of full's", 11}, {"count", 5}, {"element", 11}, {"parameter", 9},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* A number, with its target in parentheses. */
static const char *with_target(double number, double target) {
    return target > 0 ? text_of("%.2f (%g)", number, target) : text_of("%.2f", number);
}

struct contestant {
    struct subject *subject;
    struct roof *roof;
    size_t steps;
    double times[ROUNDS];
};

static void print(const struct format *format, const struct size *size, struct contestant *own, double full_time,
                  double full_bytes) {
    double time = median(own->times, ROUNDS), bytes = subject_bytes(own->subject), height = roof_height(own->roof);
    double held = (double)subject_state(own->subject) / (double)size->dim;
    const char *cells[COLUMNS] = {
        format->name,
        text_of_count(size->dim),
        text_of("%u", size->k),
        text_of("%.1f", bytes / (double)size->dim),
        text_of_seconds(time),
        text_of("%.1f", bytes / time / 1e9),
        text_of("%.1f", height / 1e9),
        text_of("%.2f", bytes / time / height),
        with_target(time / full_time, format->target[size - sizes]),
        text_of("%.2f", bytes / full_bytes),
        with_target(held / size->k, size->k == 10 ? format->target_element : 0),
        text_of("%.2f", held),
    };
    table_row(columns, COLUMNS, cells);
}

/* Measures all formats at one size. All handles exist at once and are measured in turn, in the same conditions. */
static void measure(const struct size *size) {
    struct contestant all[FORMATS];
    for (size_t i = 0; i < FORMATS; i++) {
        fprintf(stderr, "%s, d = %zu, k = %u\n", formats[i].name, size->dim, size->k);
        const struct setting setting = {.dim = size->dim, .k = size->k, .change = formats[i].change};
        all[i].subject = subject_new(&setting);
        all[i].roof = roof_new(subject_state(all[i].subject), available_threads());
        all[i].steps = subject_sample(all[i].subject);
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < FORMATS; i++) {
            roof_sample(all[i].roof);
            subject_step(all[i].subject, 1); /* brings back into the caches what the other handles evicted */
            all[i].times[round] = subject_time(all[i].subject, all[i].steps);
        }
    }
    double full_time = median(all[0].times, ROUNDS), full_bytes = subject_bytes(all[0].subject);
    for (size_t i = 0; i < FORMATS; i++) {
        print(&formats[i], size, &all[i], full_time, full_bytes);
        roof_free(all[i].roof);
        subject_free(all[i].subject);
    }
}

void formats_print(void) {
    table_head(columns, COLUMNS);
    for (size_t i = 0; i < SIZES; i++) measure(&sizes[i]);
}

/*
 * The table of the history formats: its rows, the memory it tells, and how far directions are found to lie apart.
 *
 *     formats DIGITS.csv CANCER.csv
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "check.h"
#include "comparison.h"
#include "formats.h"
#include "tasks.h"

static lmada_config_t defaults(void) {
    lmada_config_t config;
    if (lmada_config_init(&config, sizeof config) != LMADA_OK) fail("%s", lmada_last_error());
    return config;
}

/* All formats at every k, full first, no two alike, and all else as it was given. */
static void check_rows(void) {
    static const unsigned sizes[FORMAT_SIZES] = {10, 30, 100};
    struct method methods[FORMAT_METHODS];
    lmada_config_t base = defaults();
    base.eps = 0.125;
    formats_new(&base, methods);
    for (size_t i = 0; i < FORMAT_METHODS; i++) {
        const lmada_config_t *config = &methods[i].config;
        CHECK(config->history_size == sizes[i / FORMAT_COUNT], "row %zu: k = %u", i, (unsigned)config->history_size);
        CHECK((config->history_format == LMADA_HISTORY_FULL) == (i % FORMAT_COUNT == 0), "row %zu: format", i);
        CHECK(config->eps == 0.125, "row %zu: eps = %g", i, config->eps);
        for (size_t j = i - i % FORMAT_COUNT; j < i; j++)
            CHECK(config->history_format != methods[j].config.history_format ||
                      config->density != methods[j].config.density,
                  "rows %zu and %zu are the same", i, j);
    }
}

/* What the formats are there for: bytes a parameter, and at most 2 MB that do not grow with the model. */
static void check_memory(void) {
    enum { DIM = 1000000 };
    static const struct {
        lmada_history_format_t format;
        double element, beside; /* bytes of a stored element; of a parameter beside the window */
    } expected[] = {
        {LMADA_HISTORY_FULL, 4, 0},
        {LMADA_HISTORY_BF16, 2, 0},
        {LMADA_HISTORY_F16, 2 + 8.0 / 256, 0},
        {LMADA_HISTORY_INT8, 1 + 8.0 / 256, 0},
        {LMADA_HISTORY_SPARSE, 0.04, 4},
    };
    static const unsigned sizes[] = {10, 100};
    lmada_config_t config = defaults();
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            config.history_format = expected[i].format;
            config.history_size = sizes[j];
            double bytes = expected[i].element * sizes[j] + expected[i].beside;
            double actual = format_memory(&config, DIM) / DIM;
            CHECK(actual >= bytes && actual <= bytes + 2, "format %zu, k = %u: %g bytes a parameter, not %g", i,
                  sizes[j], actual, bytes);
        }
}

static void check_differences(const struct task *task) {
    lmada_config_t first = defaults(), second = first;
    CHECK_CLOSE(direction_difference(task, &first, &second, 0.1, 0), 0, 0, "a setting against itself");

    /* Window and format as they are, |u| = 1 where k = 1 and eps = 0: cut to a quarter, it is three quarters off. */
    first.history_size = second.history_size = 1;
    first.eps = second.eps = 0;
    second.clip_kind = LMADA_CLIP_NORM;
    second.clip_norm = 0.25;
    CHECK_CLOSE(direction_difference(task, &first, &second, 0.1, 0), 0.75, 1e-5, "cut to a quarter");

    /* The better a format keeps a gradient, the less its direction is off. */
    struct method methods[FORMAT_METHODS];
    lmada_config_t base = defaults();
    formats_new(&base, methods);
    double differences[FORMAT_COUNT];
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        differences[i] = direction_difference(task, &base, &methods[i].config, 0.1, 0);
    enum { BF16 = 1, F16, INT8, TENTH, HUNDREDTH };
    CHECK(differences[0] == 0, "full: %g", differences[0]);
    CHECK(differences[F16] > 0 && differences[F16] < differences[BF16], "f16: %g", differences[F16]);
    CHECK(differences[BF16] < differences[INT8] && differences[INT8] < 0.2, "bf16, int8: %g, %g", differences[BF16],
          differences[INT8]);
    CHECK(differences[INT8] < differences[TENTH], "sparse, 0.1: %g", differences[TENTH]);
    CHECK(differences[HUNDREDTH] < INFINITY, "sparse, 0.01: %g", differences[HUNDREDTH]);
}

int main(int argc, char **argv) {
    if (argc != 3) fail("usage: formats DIGITS.csv CANCER.csv");
    struct tasks tasks;
    tasks_read(&tasks, argv[1], argv[2], true);
    check_rows();
    check_memory();
    check_differences(tasks.list + DIGITS_MINIBATCH);
    tasks_free(&tasks);
    return check_result("formats");
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _POSIX_C_SOURCE 200809L

#include "data.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

static struct dataset dataset_new(size_t rows, size_t features) {
    struct dataset data = {rows, features, NULL, NULL};
    data.inputs = allocate(rows * features, sizeof *data.inputs);
    data.labels = allocate(rows, sizeof *data.labels);
    return data;
}

static void dataset_grow(struct dataset *data, size_t rows) {
    data->inputs = realloc(data->inputs, rows * data->features * sizeof *data->inputs);
    data->labels = realloc(data->labels, rows * sizeof *data->labels);
    if (!data->inputs || !data->labels) fail("out of memory: %zu rows", rows);
}

/* One number and the separator after it; NULL where there is none or it is not finite. */
static char *parse_number(char *text, char separator, double *value) {
    char *end;
    *value = strtod(text, &end);
    if (end == text || !isfinite(*value)) return NULL;
    if (separator == '\n') return *end == '\0' || *end == '\n' || *end == '\r' ? end : NULL;
    return *end == separator ? end + 1 : NULL;
}

struct dataset dataset_read(const char *path, size_t header_lines, size_t features, int classes, float scale) {
    FILE *file = fopen(path, "r");
    if (!file) fail("%s: %s", path, strerror(errno));

    size_t reserved = 256;
    struct dataset data = dataset_new(reserved, features);
    data.rows = 0;

    char *line = NULL;
    size_t line_size = 0, line_number = 0;
    while (getline(&line, &line_size, file) != -1) {
        if (++line_number <= header_lines) continue;
        if (data.rows == reserved) dataset_grow(&data, reserved *= 2);

        char *rest = line;
        double value = 0;
        for (size_t i = 0; i < features && rest; i++) {
            rest = parse_number(rest, ',', &value);
            data.inputs[data.rows * features + i] = scale * (float)value;
        }
        if (!rest || !parse_number(rest, '\n', &value) || value < 0 || value >= classes || value != floor(value))
            fail("%s:%zu: not %zu numbers and a class from 0 to %d", path, line_number, features, classes - 1);
        data.labels[data.rows++] = (int)value;
    }
    if (ferror(file) || data.rows < 10) fail("%s: cannot be read, or has too few rows", path);
    free(line);
    fclose(file);
    return data;
}

static struct dataset dataset_pick(const struct dataset *data, const size_t *rows, size_t count) {
    struct dataset picked = dataset_new(count, data->features);
    for (size_t i = 0; i < count; i++) {
        memcpy(picked.inputs + i * data->features, data->inputs + rows[i] * data->features,
               data->features * sizeof *data->inputs);
        picked.labels[i] = data->labels[rows[i]];
    }
    return picked;
}

struct split dataset_split(const struct dataset *data, uint64_t seed) {
    size_t *order = allocate(data->rows, sizeof *order);
    size_t tests = data->rows / 5;
    struct random random = random_stream(seed, 0);
    random_shuffle(&random, order, data->rows);
    struct split split = {
        .train = dataset_pick(data, order + tests, data->rows - tests),
        .test = dataset_pick(data, order, tests),
    };
    free(order);
    return split;
}

void dataset_free(struct dataset *data) {
    free(data->inputs);
    free(data->labels);
    *data = (struct dataset){0};
}

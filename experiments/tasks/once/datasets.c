/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "datasets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "task.h"

const char *task_data_folder = ".";

static const char *path_of(const char *name) {
    static char path[4096];
    int len = snprintf(path, sizeof path, "%s/%s", task_data_folder, name);
    if (len < 0 || (size_t)len >= sizeof path) fail("a path that is too long: %s", task_data_folder);
    return path;
}

const struct dataset *breast_cancer(void) {
    static struct dataset data;
    if (!data.inputs) data = dataset_read(path_of("breast_cancer.csv"), 1, 30, 2, 1);
    return &data;
}

const struct dataset *digits(void) {
    static struct dataset data;
    if (!data.inputs) data = dataset_read(path_of("digits.csv"), 0, 64, 10, 1.0F / 16);
    return &data;
}

const struct text *shakespeare(void) {
    static struct text text;
    if (!text.codes) text = text_read(path_of("shakespeare.txt"), 64);
    return &text;
}

size_t *rows_shuffled(uint64_t seed, size_t count) {
    size_t *rows = allocate(count, sizeof *rows);
    struct random random = random_stream(seed, STREAM_SPLIT);
    random_shuffle(&random, rows, count);
    return rows;
}

struct batches batches_new(uint64_t seed, size_t count, size_t batch) {
    if (count % batch != 0) fail("%zu rows in minibatches of %zu", count, batch);
    return (struct batches){
        .random = random_stream(seed, STREAM_BATCHES),
        .order = allocate(count, sizeof(size_t)),
        .count = count,
        .batch = batch,
        .next = count, /* shuffles first */
    };
}

void batches_free(struct batches *batches) {
    free(batches->order);
}

const size_t *batches_next(struct batches *batches) {
    if (batches->next == batches->count) {
        random_shuffle(&batches->random, batches->order, batches->count);
        batches->next = 0;
    }
    batches->next += batches->batch;
    return batches->order + batches->next - batches->batch;
}

/* Box and Muller (1958). */
double random_normal(struct random *random) {
    double radius = sqrt(-2 * log(1 - random_uniform(random, 0, 1)));
    return radius * cos(6.283185307179586 * random_uniform(random, 0, 1));
}

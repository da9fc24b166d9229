/*
 * Labelled samples: reading them, splitting them into a training and a test set.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_DATA_H
#define EXAMPLES_DATA_H

#include <stddef.h>
#include <stdint.h>

struct dataset {
    size_t rows, features;
    float *inputs; /* rows x features */
    int *labels;   /* classes, counted from 0 */
};

struct split {
    struct dataset train, test;
};

/*
 * Reads lines of `features` numbers and a class below `classes`, after `header_lines` lines that are skipped. Inputs
 * are multiplied by `scale`. Fails, naming the line, on anything else.
 */
struct dataset dataset_read(const char *path, size_t header_lines, size_t features, int classes, float scale);

/* Cuts off a random fifth of the rows as the test set; which ones depends on the seed only. */
struct split dataset_split(const struct dataset *data, uint64_t seed);

void dataset_free(struct dataset *data);

#endif

/*
 * The data sets of the repository, each read once a process, and which rows of them train.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_DATASETS_H
#define EXPERIMENTS_DATASETS_H

#include "data.h"
#include "support.h"
#include "text.h"

/* 569 rows of 30 features, as they are: they differ in scale by 10^5. Two classes. */
const struct dataset *breast_cancer(void);
/* 1,797 rows of 64 pixels from 0 to 1. Ten classes. */
const struct dataset *digits(void);
/* 249,547 characters. */
const struct text *shakespeare(void);

/* Independent streams of random numbers of one seed. */
enum { STREAM_SPLIT, STREAM_START, STREAM_BATCHES, STREAM_DATA, STREAM_MEASURED };

/* Rows of a data set in random order; the tasks train on the first of them and hold out the others. */
size_t *rows_shuffled(uint64_t seed, size_t count);

/* The rows in minibatches: each row once an epoch, in an order that is new each epoch. */
struct batches {
    struct random random;
    size_t *order;
    size_t count, batch, next;
};
/* `batch` must divide `count`. */
struct batches batches_new(uint64_t seed, size_t count, size_t batch);
void batches_free(struct batches *batches);
/* `batch` numbers below `count`, valid until the next call. */
const size_t *batches_next(struct batches *batches);

/* Standard normal. */
double random_normal(struct random *random);

#endif

/*
 * A network (net.h) that learns the digits: rows that train, rows that are held out, minibatches.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_DIGITS_H
#define EXPERIMENTS_DIGITS_H

#include "net.h"

#define digits_open NAME(digits_open)
#define digits_close NAME(digits_close)
#define digits_start NAME(digits_start)
#define digits_gradient NAME(digits_gradient)
#define digits_objective NAME(digits_objective)
#define digits_held_out NAME(digits_held_out)

enum { DIGITS_PIXELS = 64, DIGITS_CLASSES = 10, DIGITS_TRAIN = 1472 };

struct digits_model {
    const struct net *net; /* its inputs are the pixels */
    double l2;             /* on the weights */
    /* After net_forward: the sum of the losses of `count` rows. Their derivatives by the outputs go to errors[layers]. */
    double (*loss)(const struct net_run *run, const int *labels, size_t count);
};

/*
 * Trains on the first `train` rows in minibatches of `batch`, or on all of them in each gradient if the two are equal.
 * No model trains on the rows from DIGITS_TRAIN on: they are held out.
 */
void *digits_open(const struct digits_model *model, uint64_t seed, size_t train, size_t batch);

/* The other functions of a task (task.h). */
void digits_close(void *problem);
void digits_start(void *problem, void *params);
double digits_gradient(void *problem, const void *params, void *grads);
double digits_objective(void *problem, const void *params);
double digits_held_out(void *problem, const void *params);

#endif

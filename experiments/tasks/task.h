/*
 * A task: an objective with its gradient that optimizers are compared on.
 *
 * The functions of a task are written once, for `real` numbers, and compiled twice (real.h): in float, and in double
 * for the comparison with finite differences and for L-BFGS.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_TASK_H
#define EXPERIMENTS_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The functions of a task in one precision. `params` and `grads` point to `dim` numbers of it. */
struct task_functions {
    /*
     * Makes or reads the data. The seed decides all that is random: the data if they are made, the split into training
     * and held-out rows, and the order of the minibatches. Two problems of one seed give the same gradients in the same
     * order. Never NULL: the program fails.
     */
    void *(*open)(uint64_t seed);
    void (*close)(void *problem);
    /* The starting parameters of this seed. */
    void (*start)(void *problem, void *params);
    /* The regularised loss of the next minibatch (or of all rows), and its gradient. */
    double (*gradient)(void *problem, const void *params, void *grads);
    /* The regularised objective over all training rows, summed in double. Draws no minibatch. */
    double (*objective)(void *problem, const void *params);
    /* The loss without the regulariser on rows that are never trained on. NULL: the task has none. */
    double (*held_out)(void *problem, const void *params);
};

struct task {
    const char *name;        /* in file names: small letters, digits, '-' */
    const char *title;       /* in tables and pictures: at most 28 characters */
    const char *description; /* Markdown, one to three sentences: model, data, regularisation, what is reported */
    size_t dim;              /* parameters */
    size_t tensors;          /* the parameters' tensors, in order; their lengths add up to dim */
    const size_t *lens;
    size_t batch;            /* rows a gradient; 0: all rows, so that every gradient is of one function */
    size_t steps;            /* gradients of a run */
    bool trains_in_f64;      /* with every optimizer; else all but L-BFGS train in f32 */
    bool excess;             /* the least objective is known to 1e-12: reported is the distance to it */
    /* If `excess`: the least objective. Its parameters go to `params` (dim numbers) unless that is NULL. */
    double (*optimum)(uint64_t seed, double *params);
    const struct task_functions *f32, *f64;
};

/* The folder with breast_cancer.csv, digits.csv and shakespeare.txt. Set it before a task is opened. */
extern const char *task_data_folder;

extern const struct task *const tasks[];
extern const size_t task_count;

/* Takes minutes a run, so it is not one of them. */
extern const struct task task_characters_large;

#endif

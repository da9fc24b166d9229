/*
 * One interface for all optimizers that step by step, lmada's and the baselines, in both precisions.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_METHOD_H
#define EXPERIMENTS_METHOD_H

#include <lmada.h>
#include <stdbool.h>
#include <stddef.h>

/* `params` and `grads` point to `dim` floats, or to doubles if the optimizer was created for them. */
struct optimizer {
    /* Moves the parameters. False: refused, because gradient or update is not finite; nothing changed. */
    bool (*step)(struct optimizer *self, void *params, const void *grads);
    void (*set_lr)(struct optimizer *self, double lr);
    void (*destroy)(struct optimizer *self);
};

/* Options of the baselines; each uses the ones it has. */
struct baseline {
    double beta1, beta2;
    double weight_decay; /* decoupled (Loshchilov, Hutter 2019): Adam becomes AdamW */
    double eps;
    double initial;      /* Adagrad: initial value of the accumulator */
};

/* A recipe: makes optimizers of one kind and configuration. The learning rate is set before each step. */
struct method {
    /* Never NULL: fails where it cannot. NULL function: not an optimizer of single steps (L-BFGS). */
    struct optimizer *(*create)(const struct method *method, size_t dim, bool f64);
    lmada_config_t config;    /* lmada only */
    struct baseline baseline; /* the others only */
};

/* lmada with these options, on one thread; `lr` and `dtype` among them are not used. */
struct method method_lmada(const lmada_config_t *config);

struct method method_adam(double beta1, double beta2, double weight_decay);
struct method method_adagrad(double eps, double initial);
/* SGD with heavy-ball momentum; beta 0 is plain SGD. */
struct method method_momentum(double beta);

#endif

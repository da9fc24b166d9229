/*
 * One face for all optimizers, lmada's and the baselines, so that the runner treats them alike.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_OPTIMIZER_H
#define EXAMPLES_OPTIMIZER_H

#include <lmada.h>
#include <stdbool.h>
#include <stddef.h>

struct optimizer {
    /* Moves the parameters. False: it refused to, since gradient or update is not finite, and changed nothing. */
    bool (*step)(struct optimizer *self, float *const *params, const float *const *grads);
    void (*destroy)(struct optimizer *self);
};

/* A recipe: makes optimizers of one kind and configuration, at any learning rate. */
struct method {
    const char *name;
    /* The optimizer keeps the pointer `lens`. Never NULL: fails where it cannot. */
    struct optimizer *(*create)(const struct method *method, const size_t *lens, size_t count, double lr);
    lmada_config_t config; /* of lmada only */
};

/* lmada with these options; the learning rate among them is not used. */
struct method method_lmada(const char *name, const lmada_config_t *config);

extern const struct method method_adam, method_adagrad, method_momentum;

#endif

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
    void (*set_lr)(struct optimizer *self, double lr);
    void (*destroy)(struct optimizer *self);
};

/* Of the baselines, as far as they have it. */
struct baseline {
    double beta1, beta2;
    double weight_decay;   /* decoupled (Loshchilov, Hutter 2019): Adam becomes AdamW */
    double grad_clip_norm; /* gradients longer than this are scaled down to it; 0: none are */
};

/* A recipe: makes optimizers of one kind and configuration, at any learning rate. */
struct method {
    const char *name;
    /* The optimizer keeps the pointer `lens`. Never NULL: fails where it cannot. */
    struct optimizer *(*create)(const struct method *method, const size_t *lens, size_t count, double lr);
    lmada_config_t config;    /* of lmada only */
    struct baseline baseline; /* of the others only */
};

/* lmada with these options; the learning rate among them is not used. */
struct method method_lmada(const char *name, const lmada_config_t *config);

/* With the settings that are customary. */
extern const struct method method_adam, method_adagrad, method_momentum;

#endif

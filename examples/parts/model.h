/*
 * What the examples train: a model is a list of parameter tensors and a loss with its gradient.
 *
 * Every tensor is an array of its own. Nothing ever copies them into one vector: lmada_step_tensors takes the list.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_MODEL_H
#define EXAMPLES_MODEL_H

#include "data.h"
#include "support.h"

#define MAX_TENSORS 4

struct model {
    const char *name;
    size_t features;
    int classes;
    size_t tensors;
    size_t lens[MAX_TENSORS];

    /* Fills the parameters with their starting values. */
    void (*init)(float *const *params, struct random *random);

    /*
     * Mean loss over the rows `rows[0]` to `rows[count - 1]` of `data`, or over its first `count` rows where `rows` is
     * NULL. Its gradient goes to `grads` unless that is NULL.
     */
    double (*loss)(const float *const *params, const struct dataset *data, const size_t *rows, size_t count,
                   float *const *grads);

    /* The class that the model finds most likely. */
    int (*predict)(const float *const *params, const float *input);
};

/* 64 inputs, 32 tanh units, softmax over 10 classes, cross-entropy: 2,410 parameters in four tensors. */
extern const struct model mlp;

/*
 * What `mlp.loss` computes, for programs that do not wait for the whole gradient: `ready` is called for each tensor,
 * the last first, as soon as its gradient is complete, while those before it are still to come. The rows may be a part
 * of a minibatch of `batch` rows, or none: loss and gradient are their share of its mean.
 */
double mlp_gradient(const float *const *params, const struct dataset *data, const size_t *rows, size_t count,
                    size_t batch, float *const *grads, void (*ready)(void *context, size_t tensor), void *context);

/* Share of the rows whose class is predicted. */
double model_accuracy(const struct model *model, const float *const *params, const struct dataset *data);

/* Zeroed arrays as long as the model's tensors say, into `tensors`. */
void model_allocate(const struct model *model, float *tensors[MAX_TENSORS]);
void model_release(const struct model *model, float *tensors[MAX_TENSORS]);

#endif

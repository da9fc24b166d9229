/*
 * The optimizers that lmada is compared with, as their papers have them, in both precisions.
 *
 * They differ in their buffers and in what they do to each parameter (elementwise.inc); the rest is shared.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <stdlib.h>

#include "method.h"
#include "support.h"

struct elementwise {
    struct optimizer base;
    size_t dim;
    void *first, *second; /* `dim` numbers of the parameters' precision each */
    struct baseline options;
    double lr;
    unsigned long steps; /* this one included */
    void (*update)(const struct elementwise *self, void *params, const void *grads);
};

#define REAL float
#define SQRT sqrtf
#define NAME(name) name##_f32
#include "elementwise.inc"
#undef REAL
#undef SQRT
#undef NAME

#define REAL double
#define SQRT sqrt
#define NAME(name) name##_f64
#include "elementwise.inc"
#undef REAL
#undef SQRT
#undef NAME

/* A gradient that is not finite goes through: the run diverges, and its loss shows it. */
static bool step(struct optimizer *self, void *params, const void *grads) {
    struct elementwise *own = (struct elementwise *)self;
    own->steps++;
    own->update(own, params, grads);
    return true;
}

static void set_lr(struct optimizer *self, double lr) {
    ((struct elementwise *)self)->lr = lr;
}

static void destroy(struct optimizer *self) {
    struct elementwise *own = (struct elementwise *)self;
    free(own->first);
    free(own->second);
    free(own);
}

static struct elementwise *elementwise_new(const struct method *method, size_t dim, bool f64) {
    size_t size = f64 ? sizeof(double) : sizeof(float);
    struct elementwise *own = allocate(1, sizeof *own);
    *own = (struct elementwise){.base = {step, set_lr, destroy}, .dim = dim, .options = method->baseline};
    own->first = allocate(dim, size);
    own->second = allocate(dim, size);
    return own;
}

static struct optimizer *create_adam(const struct method *method, size_t dim, bool f64) {
    struct elementwise *own = elementwise_new(method, dim, f64);
    own->update = f64 ? adam_f64 : adam_f32;
    return &own->base;
}

static struct optimizer *create_adagrad(const struct method *method, size_t dim, bool f64) {
    struct elementwise *own = elementwise_new(method, dim, f64);
    own->update = f64 ? adagrad_f64 : adagrad_f32;
    for (size_t i = 0; i < dim; i++)
        if (f64)
            ((double *)own->first)[i] = method->baseline.initial;
        else
            ((float *)own->first)[i] = (float)method->baseline.initial;
    return &own->base;
}

static struct optimizer *create_momentum(const struct method *method, size_t dim, bool f64) {
    struct elementwise *own = elementwise_new(method, dim, f64);
    own->update = f64 ? momentum_f64 : momentum_f32;
    return &own->base;
}

struct method method_adam(double beta1, double beta2, double weight_decay) {
    return (struct method){
        .create = create_adam,
        .baseline = {.beta1 = beta1, .beta2 = beta2, .weight_decay = weight_decay, .eps = 1e-8}};
}

struct method method_adagrad(double eps, double initial) {
    return (struct method){.create = create_adagrad, .baseline = {.eps = eps, .initial = initial}};
}

struct method method_momentum(double beta) {
    return (struct method){.create = create_momentum, .baseline = {.beta1 = beta}};
}

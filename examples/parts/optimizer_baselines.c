/*
 * The optimizers that lmada is compared with, as their papers have them.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <stdlib.h>

#include "optimizer.h"
#include "support.h"

#define MAX_BUFFERS 2

/* Elementwise optimizers differ in their buffers and in what they do to one tensor; the rest is the same. */
struct elementwise {
    struct optimizer base;
    const size_t *lens;
    size_t count;
    float *buffers[MAX_BUFFERS];
    struct baseline options;
    double lr;
    float scale; /* of this step's gradient: what clipping leaves of it */
    unsigned long steps;
    void (*update)(const struct elementwise *self, float *params, const float *grads, float *const *buffers,
                   size_t len);
};

/* A gradient that is not finite has no length that it could be scaled to: it goes through, and the run diverges. */
static float clip_scale(const struct elementwise *self, const float *const *grads) {
    if (self->options.grad_clip_norm == 0) return 1;
    double square = 0;
    for (size_t t = 0; t < self->count; t++)
        for (size_t i = 0; i < self->lens[t]; i++) square += (double)grads[t][i] * (double)grads[t][i];
    double norm = sqrt(square);
    return norm > self->options.grad_clip_norm ? (float)(self->options.grad_clip_norm / norm) : 1;
}

static bool step(struct optimizer *self, float *const *params, const float *const *grads) {
    struct elementwise *own = (struct elementwise *)self;
    float *buffers[MAX_BUFFERS] = {own->buffers[0], own->buffers[1]};
    own->steps++;
    own->scale = clip_scale(own, grads);
    for (size_t t = 0; t < own->count; t++) {
        own->update(own, params[t], grads[t], buffers, own->lens[t]);
        for (size_t b = 0; b < MAX_BUFFERS; b++) buffers[b] += own->lens[t];
    }
    return true;
}

static void set_lr(struct optimizer *self, double lr) {
    ((struct elementwise *)self)->lr = lr;
}

static void destroy(struct optimizer *self) {
    struct elementwise *own = (struct elementwise *)self;
    for (size_t b = 0; b < MAX_BUFFERS; b++) free(own->buffers[b]);
    free(own);
}

static struct elementwise *elementwise_new(const struct method *method, const size_t *lens, size_t count, double lr) {
    size_t dim = 0;
    for (size_t i = 0; i < count; i++) dim += lens[i];
    struct elementwise *own = allocate(1, sizeof *own);
    *own = (struct elementwise){
        .base = {step, set_lr, destroy}, .lens = lens, .count = count, .options = method->baseline, .lr = lr};
    for (size_t b = 0; b < MAX_BUFFERS; b++) own->buffers[b] = allocate(dim, sizeof(float));
    return own;
}

/* Kingma and Ba: Adam, a method for stochastic optimization. ICLR 2015, algorithm 1. */
static void adam(const struct elementwise *self, float *restrict params, const float *restrict grads,
                 float *const *buffers, size_t len) {
    const struct baseline *options = &self->options;
    const float beta1 = (float)options->beta1, beta2 = (float)options->beta2, eps = 1e-8F;
    const float correction1 = (float)(1 / (1 - pow(options->beta1, (double)self->steps)));
    const float correction2 = (float)(1 / (1 - pow(options->beta2, (double)self->steps)));
    const float lr = (float)self->lr, kept = (float)(1 - self->lr * options->weight_decay), scale = self->scale;
    float *restrict first = buffers[0], *restrict second = buffers[1];
    for (size_t i = 0; i < len; i++) {
        const float grad = scale * grads[i];
        first[i] = beta1 * first[i] + (1 - beta1) * grad;
        second[i] = beta2 * second[i] + (1 - beta2) * grad * grad;
        params[i] = kept * params[i] - lr * (first[i] * correction1) / (sqrtf(second[i] * correction2) + eps);
    }
}

/* Duchi, Hazan, Singer: Adaptive subgradient methods. JMLR 12, 2011, the diagonal form. */
static void adagrad(const struct elementwise *self, float *restrict params, const float *restrict grads,
                    float *const *buffers, size_t len) {
    const float lr = (float)self->lr, scale = self->scale, eps = 1e-10F;
    float *restrict sum = buffers[0];
    for (size_t i = 0; i < len; i++) {
        const float grad = scale * grads[i];
        sum[i] += grad * grad;
        params[i] -= lr * grad / (sqrtf(sum[i]) + eps);
    }
}

/* Polyak: Some methods of speeding up the convergence of iteration methods. USSR Comp. Math. 4, 1964: the heavy ball.
 */
static void momentum(const struct elementwise *self, float *restrict params, const float *restrict grads,
                     float *const *buffers, size_t len) {
    const float lr = (float)self->lr, scale = self->scale, beta = (float)self->options.beta1;
    float *restrict velocity = buffers[0];
    for (size_t i = 0; i < len; i++) {
        velocity[i] = beta * velocity[i] + scale * grads[i];
        params[i] -= lr * velocity[i];
    }
}

static struct optimizer *create_adam(const struct method *method, const size_t *lens, size_t count, double lr) {
    struct elementwise *own = elementwise_new(method, lens, count, lr);
    own->update = adam;
    return &own->base;
}

static struct optimizer *create_adagrad(const struct method *method, const size_t *lens, size_t count, double lr) {
    struct elementwise *own = elementwise_new(method, lens, count, lr);
    own->update = adagrad;
    return &own->base;
}

static struct optimizer *create_momentum(const struct method *method, const size_t *lens, size_t count, double lr) {
    struct elementwise *own = elementwise_new(method, lens, count, lr);
    own->update = momentum;
    return &own->base;
}

const struct method method_adam = {
    .name = "Adam", .create = create_adam, .baseline = {.beta1 = 0.9, .beta2 = 0.999}};
const struct method method_adagrad = {.name = "diagonal Adagrad", .create = create_adagrad};
const struct method method_momentum = {
    .name = "SGD with momentum", .create = create_momentum, .baseline = {.beta1 = 0.9}};

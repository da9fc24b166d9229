/*
 * The optimizers that lmada is compared with, as their papers have them, with the settings that are customary.
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
    float lr;
    unsigned long steps;
    void (*update)(const struct elementwise *self, float *params, const float *grads, float *const *buffers,
                   size_t len);
};

static bool step(struct optimizer *self, float *const *params, const float *const *grads) {
    struct elementwise *own = (struct elementwise *)self;
    float *buffers[MAX_BUFFERS] = {own->buffers[0], own->buffers[1]};
    own->steps++;
    for (size_t t = 0; t < own->count; t++) {
        own->update(own, params[t], grads[t], buffers, own->lens[t]);
        for (size_t b = 0; b < MAX_BUFFERS; b++) buffers[b] += own->lens[t];
    }
    return true;
}

static void destroy(struct optimizer *self) {
    struct elementwise *own = (struct elementwise *)self;
    for (size_t b = 0; b < MAX_BUFFERS; b++) free(own->buffers[b]);
    free(own);
}

static struct elementwise *elementwise_new(const size_t *lens, size_t count, double lr) {
    size_t dim = 0;
    for (size_t i = 0; i < count; i++) dim += lens[i];
    struct elementwise *own = allocate(1, sizeof *own);
    *own = (struct elementwise){.base = {step, destroy}, .lens = lens, .count = count, .lr = (float)lr};
    for (size_t b = 0; b < MAX_BUFFERS; b++) own->buffers[b] = allocate(dim, sizeof(float));
    return own;
}

/* Kingma and Ba: Adam, a method for stochastic optimization. ICLR 2015, algorithm 1. */
static void adam(const struct elementwise *self, float *restrict params, const float *restrict grads,
                 float *const *buffers, size_t len) {
    const float beta1 = 0.9F, beta2 = 0.999F, eps = 1e-8F;
    const float correction1 = (float)(1 / (1 - pow(0.9, (double)self->steps)));
    const float correction2 = (float)(1 / (1 - pow(0.999, (double)self->steps)));
    float *restrict first = buffers[0], *restrict second = buffers[1];
    const float lr = self->lr;
    for (size_t i = 0; i < len; i++) {
        first[i] = beta1 * first[i] + (1 - beta1) * grads[i];
        second[i] = beta2 * second[i] + (1 - beta2) * grads[i] * grads[i];
        params[i] -= lr * (first[i] * correction1) / (sqrtf(second[i] * correction2) + eps);
    }
}

/* Duchi, Hazan, Singer: Adaptive subgradient methods. JMLR 12, 2011, the diagonal form. */
static void adagrad(const struct elementwise *self, float *restrict params, const float *restrict grads,
                    float *const *buffers, size_t len) {
    const float eps = 1e-10F;
    float *restrict sum = buffers[0];
    const float lr = self->lr;
    for (size_t i = 0; i < len; i++) {
        sum[i] += grads[i] * grads[i];
        params[i] -= lr * grads[i] / (sqrtf(sum[i]) + eps);
    }
}

/* Polyak: Some methods of speeding up the convergence of iteration methods. USSR Comp. Math. 4, 1964: the heavy ball.
 */
static void momentum(const struct elementwise *self, float *restrict params, const float *restrict grads,
                     float *const *buffers, size_t len) {
    const float beta = 0.9F;
    float *restrict velocity = buffers[0];
    const float lr = self->lr;
    for (size_t i = 0; i < len; i++) {
        velocity[i] = beta * velocity[i] + grads[i];
        params[i] -= lr * velocity[i];
    }
}

static struct optimizer *create_adam(const struct method *method, const size_t *lens, size_t count, double lr) {
    (void)method;
    struct elementwise *own = elementwise_new(lens, count, lr);
    own->update = adam;
    return &own->base;
}

static struct optimizer *create_adagrad(const struct method *method, const size_t *lens, size_t count, double lr) {
    (void)method;
    struct elementwise *own = elementwise_new(lens, count, lr);
    own->update = adagrad;
    return &own->base;
}

static struct optimizer *create_momentum(const struct method *method, const size_t *lens, size_t count, double lr) {
    (void)method;
    struct elementwise *own = elementwise_new(lens, count, lr);
    own->update = momentum;
    return &own->base;
}

const struct method method_adam = {.name = "Adam", .create = create_adam};
const struct method method_adagrad = {.name = "diagonal Adagrad", .create = create_adagrad};
const struct method method_momentum = {.name = "SGD with momentum", .create = create_momentum};

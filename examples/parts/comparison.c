/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check(lmada_status_t status) {
    if (status != LMADA_OK) fail("%s: %s", lmada_status_string(status), lmada_last_error());
}

/* A method that steps by the first of two handles, and writes down how far the second's direction is from it. */
struct comparison {
    struct method method; /* the first member: `create` is given a pointer to it */
    const lmada_config_t *configs[2];
    double *differences; /* a step each */
    size_t *steps;
};

struct pair {
    struct optimizer base; /* likewise */
    const struct comparison *comparison;
    lmada_t *handles[2];
    float *grads, *directions[2]; /* of all tensors, one after the other */
    double lr;
    const size_t *lens;
    size_t count, dim;
};

static double distance(const struct pair *pair) {
    double square = 0, first = 0;
    for (size_t i = 0; i < pair->dim; i++) {
        double of_first = (double)pair->directions[0][i], difference = (double)pair->directions[1][i] - of_first;
        square += difference * difference;
        first += of_first * of_first;
    }
    return sqrt(square / first);
}

static bool step(struct optimizer *self, float *const *params, const float *const *grads) {
    struct pair *pair = (struct pair *)self;
    float *end = pair->grads;
    for (size_t i = 0; i < pair->count; end += pair->lens[i++]) memcpy(end, grads[i], pair->lens[i] * sizeof *end);
    for (size_t i = 0; i < 2; i++) {
        lmada_status_t status = lmada_direction(pair->handles[i], pair->directions[i], pair->grads, pair->dim);
        if (status == LMADA_ERROR_NON_FINITE) return false;
        check(status);
    }
    pair->comparison->differences[(*pair->comparison->steps)++] = distance(pair);
    const float *direction = pair->directions[0];
    for (size_t i = 0; i < pair->count; direction += pair->lens[i++])
        for (size_t j = 0; j < pair->lens[i]; j++) params[i][j] -= (float)(pair->lr * (double)direction[j]);
    return true;
}

static void set_lr(struct optimizer *self, double lr) {
    ((struct pair *)self)->lr = lr;
}

static void destroy(struct optimizer *self) {
    struct pair *pair = (struct pair *)self;
    for (size_t i = 0; i < 2; i++) {
        lmada_free(pair->handles[i]);
        free(pair->directions[i]);
    }
    free(pair->grads);
    free(pair);
}

static struct optimizer *create(const struct method *method, const size_t *lens, size_t count, double lr) {
    struct pair *pair = allocate(1, sizeof *pair);
    *pair = (struct pair){.base = {step, set_lr, destroy}, .comparison = (const struct comparison *)method, .lr = lr,
                          .lens = lens, .count = count};
    for (size_t i = 0; i < count; i++) pair->dim += lens[i];
    pair->grads = allocate(pair->dim, sizeof *pair->grads);
    for (size_t i = 0; i < 2; i++) {
        pair->directions[i] = allocate(pair->dim, sizeof *pair->directions[i]);
        check(lmada_create(pair->comparison->configs[i], pair->dim, &pair->handles[i]));
    }
    return &pair->base;
}

double direction_difference(const struct task *task, const lmada_config_t *first, const lmada_config_t *second,
                            double lr, uint64_t seed) {
    size_t steps = 0;
    struct comparison comparison = {
        .method = {.name = "comparison", .create = create},
        .configs = {first, second},
        .differences = allocate(task->steps, sizeof(double)),
        .steps = &steps,
    };
    struct outcome outcome;
    train(task, &comparison.method, lr, seed, &outcome);
    double middle = median(comparison.differences, steps);
    free(comparison.differences);
    return middle;
}

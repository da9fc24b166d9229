/*
 * lmada behind the examples' optimizer interface: all that a program has to do to use it.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <lmada.h>
#include <stdlib.h>

#include "optimizer.h"
#include "support.h"

struct with_lmada {
    struct optimizer base;
    lmada_t *handle;
    const size_t *lens;
    size_t count;
};

static bool step(struct optimizer *self, float *const *params, const float *const *grads) {
    struct with_lmada *own = (struct with_lmada *)self;
    lmada_status_t status = lmada_step_tensors(own->handle, params, grads, own->lens, own->count);
    if (status == LMADA_ERROR_NON_FINITE) return false;
    if (status != LMADA_OK) fail("%s: %s", lmada_status_string(status), lmada_last_error());
    return true;
}

static void set_lr(struct optimizer *self, double lr) {
    lmada_status_t status = lmada_set_lr(((struct with_lmada *)self)->handle, lr);
    if (status != LMADA_OK) fail("%s: %s", lmada_status_string(status), lmada_last_error());
}

static void destroy(struct optimizer *self) {
    lmada_free(((struct with_lmada *)self)->handle);
    free(self);
}

static struct optimizer *create(const struct method *method, const size_t *lens, size_t count, double lr) {
    size_t dim = 0;
    for (size_t i = 0; i < count; i++) dim += lens[i];

    lmada_config_t config = method->config;
    config.lr = lr;

    struct with_lmada *own = allocate(1, sizeof *own);
    *own = (struct with_lmada){{step, set_lr, destroy}, NULL, lens, count};
    lmada_status_t status = lmada_create(&config, dim, &own->handle);
    if (status != LMADA_OK) fail("%s: %s", lmada_status_string(status), lmada_last_error());
    return &own->base;
}

struct method method_lmada(const char *name, const lmada_config_t *config) {
    return (struct method){.name = name, .create = create, .config = *config};
}

/*
 * lmada behind the interface of the experiments.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <lmada.h>
#include <stdlib.h>

#include "method.h"
#include "support.h"

struct with_lmada {
    struct optimizer base;
    lmada_t *handle;
    size_t dim;
    bool f64;
};

static void check(lmada_status_t status) {
    if (status != LMADA_OK) fail("%s: %s", lmada_status_string(status), lmada_last_error());
}

static bool step(struct optimizer *self, void *params, const void *grads) {
    struct with_lmada *own = (struct with_lmada *)self;
    lmada_status_t status = own->f64 ? lmada_step_f64(own->handle, params, grads, own->dim)
                                     : lmada_step(own->handle, params, grads, own->dim);
    if (status == LMADA_ERROR_NON_FINITE) return false;
    check(status);
    return true;
}

static void set_lr(struct optimizer *self, double lr) {
    check(lmada_set_lr(((struct with_lmada *)self)->handle, lr));
}

static void destroy(struct optimizer *self) {
    lmada_free(((struct with_lmada *)self)->handle);
    free(self);
}

static struct optimizer *create(const struct method *method, size_t dim, bool f64) {
    lmada_config_t config = method->config;
    config.dtype = f64 ? LMADA_F64 : LMADA_F32;
    config.threads = 1;
    struct with_lmada *own = allocate(1, sizeof *own);
    *own = (struct with_lmada){{step, set_lr, destroy}, NULL, dim, f64};
    check(lmada_create(&config, dim, &own->handle));
    return &own->base;
}

struct method method_lmada(const lmada_config_t *config) {
    return (struct method){.create = create, .config = *config};
}

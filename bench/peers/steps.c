/*
 * Steps of lmada, one after the other, as a C program takes them: called from Python for many at a time, so that what is
 * measured is lmada and not the way to it.
 */
#include <stddef.h>

#include "lmada.h"

/* Takes `steps` steps through the `count` gradients in turn, from number `next` on. */
lmada_status_t take_steps(lmada_t *handle, float *params, const float *const *grads, size_t count, size_t next,
                          size_t steps, size_t dim);

lmada_status_t take_steps(lmada_t *handle, float *params, const float *const *grads, size_t count, size_t next,
                          size_t steps, size_t dim)
{
    for (size_t step = 0; step < steps; step++) {
        lmada_status_t status = lmada_step(handle, params, grads[(next + step) % count], dim);
        if (status != LMADA_OK) return status;
    }
    return LMADA_OK;
}

/*
 * Takes many steps of lmada in one call from Python, so that the measured time does not include calls from Python.
 */
#include <stddef.h>

#include "lmada.h"

/* Takes `steps` steps on the `count` gradients in turn, from number `next` on. */
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

/* Calls all functions other than steps, for tests of rules that hold for every function. */
#ifndef AROUND_H
#define AROUND_H

#include "model.h"

/* Number of steps in `call_around`. */
enum { STEPS_AROUND = REAL_DTYPE == LMADA_F32 ? 4 : 2 };

/* Gradients in bfloat16 with elements near 1, and the copy of the parameters. */
static inline void call_bf16(const model *m)
{
    uint16_t *halves = check_alloc(2 * m->dim * sizeof *halves), *copy = halves + m->dim;
    for (size_t i = 0; i < m->dim; i++) halves[i] = (uint16_t)(0x3F80 + i % 64);
    if (REAL_DTYPE == LMADA_F32) {
        float *params = (float *)(void *)m->params;
        CHECK_OK(lmada_step_bf16(m->opt, params, copy, halves, m->dim));
        CHECK_OK(lmada_begin(m->opt));
        CHECK_OK(lmada_feed_bf16(m->opt, 0, halves, m->dim));
        CHECK_OK(lmada_solve(m->opt));
        CHECK_OK(lmada_apply_bf16(m->opt, 0, params, copy, halves, m->dim));
        CHECK_OK(lmada_end(m->opt));
    } else {
        CHECK_STATUS(lmada_step_bf16(m->opt, NULL, NULL, halves, m->dim), LMADA_ERROR_INVALID_ARGUMENT);
        CHECK_STATUS(lmada_feed_bf16(m->opt, 0, halves, m->dim), LMADA_ERROR_INVALID_ARGUMENT);
        CHECK_STATUS(lmada_apply_bf16(m->opt, 0, NULL, NULL, halves, m->dim), LMADA_ERROR_INVALID_ARGUMENT);
    }
    free(halves);
}

/* Takes STEPS_AROUND steps and restores options, groups and learning rate. `out` is an array for a vector. Reads the
 * average of the parameters if the handle keeps it. */
static inline void call_around(const model *m, const real *grads, real *out)
{
    const size_t cut = m->dim / 3;
    const lmada_group_t groups[] = {{0, cut, 0.5, 0.5}, {cut, cut, 0, 1}};
    real *params[2];
    const real *gradients[2] = {NULL, NULL};
    size_t lens[2];
    lmada_config_t config;
    params[0] = m->params;
    params[1] = m->params + cut;
    gradients[1] = grads + cut;
    lens[0] = cut;
    lens[1] = m->dim - cut;
    CHECK_OK(lmada_get_config(m->opt, &config, sizeof config));
    CHECK_OK(lmada_set_grad_scale(m->opt, 0.5));
    CHECK_OK(lmada_set_config(m->opt, &config));
    CHECK_OK(lmada_set_groups(m->opt, groups, sizeof *groups, 2));
    CHECK_OK(real_observe(m->opt, grads, m->dim));
    CHECK_OK(real_precondition(m->opt, out, grads, m->dim));
    CHECK_OK(real_step_tensors(m->opt, params, gradients, lens, 2));
    CHECK_STATUS(real_averaged_params(m->opt, out, m->dim),
                 config.average_beta > 0 ? LMADA_OK : LMADA_ERROR_WRONG_PHASE);
    call_bf16(m);
    CHECK_OK(lmada_set_groups(m->opt, NULL, sizeof *groups, 0));
    CHECK(lmada_schedule(LMADA_SCHEDULE_COSINE, 1, 5, 10, 100) == 0.5);
}

#endif

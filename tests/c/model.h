/* A model for tests: an optimizer and its parameters. Its gradients are computed from the number of the step. */
#ifndef MODEL_H
#define MODEL_H

#include "check.h"
#include "real.h"
#include "saved_form.h"

#include <stdbool.h>

typedef struct {
    lmada_t *opt;
    real *params;
    size_t dim;
} model;

/* Configurations for rules that hold for every configuration. Each option that adds state is in one of them. The last
 * ones have the compressed formats, which only float has. */
enum { FULL_VARIANTS = 8, VARIANTS = REAL_DTYPE == LMADA_F32 ? FULL_VARIANTS + 5 : FULL_VARIANTS };

/* Loops over the configurations. In a reduced run (under valgrind) only over the two with the most state, and the
 * formats. */
#define EACH_VARIANT(number, reduced)                       \
    for (int number = (reduced) ? 1 : 0; number < VARIANTS; \
         number = (reduced) && number == 2 ? (int)FULL_VARIANTS : number + 1)

static inline real *zeros(size_t dim)
{
    real *array = check_alloc(dim * sizeof(real));
    for (size_t i = 0; i < dim; i++) array[i] = 0;
    return array;
}

static inline void fill_gradient(real *grads, size_t dim, uint64_t number)
{
    uint64_t x = number * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (size_t i = 0; i < dim; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        grads[i] = (real)((double)(int64_t)x / 9223372036854775808.0);
    }
}

static inline real *new_gradient(size_t dim, uint64_t number)
{
    real *grads = check_alloc(dim * sizeof(real));
    fill_gradient(grads, dim, number);
    return grads;
}

/* Returns the defaults for this element type, on one thread. */
static inline lmada_config_t base_config(void)
{
    lmada_config_t config;
    CHECK_OK(lmada_config_init(&config, sizeof config));
    config.dtype = REAL_DTYPE;
    config.threads = 1;
    return config;
}

static inline lmada_config_t variant(int number)
{
    lmada_config_t config = base_config();
    config.history_size = 4;
    switch (number) {
    case 1:
        config.momentum_kind = LMADA_MOMENTUM_GRADIENT;
        config.centered = true;
        config.orthogonal_scale = 0.5;
        config.clip_kind = LMADA_CLIP_EMA_NORM;
        break;
    case 2:
        config.momentum_kind = LMADA_MOMENTUM_UPDATE;
        config.clip_kind = LMADA_CLIP_EMA_VECTOR;
        config.weight_decay = 0.1;
        break;
    case 3:
        config.momentum_kind = LMADA_MOMENTUM_WINDOW;
        config.clip_kind = LMADA_CLIP_NORM;
        config.clip_norm = 0.01;
        config.history_decay = 0.95;
        break;
    case 4:
        config.momentum_kind = LMADA_MOMENTUM_GRADIENT;
        config.clip_kind = LMADA_GRAFT_EMA_VECTOR;
        config.eps = 0;
        break;
    case 5:
        config.history_size = 1;
        config.clip_kind = LMADA_GRAFT_EMA_NORM;
        config.eps_on_root = true;
        config.power = 0.25;
        break;
    case 6:
        config.diagonal_beta = 0.9;
        config.momentum_kind = LMADA_MOMENTUM_WINDOW;
        config.clip_kind = LMADA_GRAFT_INPUT;
        break;
    case 7:
        config.diagonal_beta = 0.99;
        config.diagonal_eps = 1e-8;
        config.momentum_kind = LMADA_MOMENTUM_GRADIENT;
        config.orthogonal_scale = 0.5;
        config.clip_kind = LMADA_GRAFT_EMA_NORM;
        break;
    case FULL_VARIANTS:
        config.history_format = LMADA_HISTORY_BF16;
        config.momentum_kind = LMADA_MOMENTUM_WINDOW;
        break;
    case FULL_VARIANTS + 1:
        config.history_format = LMADA_HISTORY_F16;
        config.momentum_kind = LMADA_MOMENTUM_GRADIENT;
        config.clip_kind = LMADA_CLIP_EMA_VECTOR;
        break;
    case FULL_VARIANTS + 2:
        config.history_format = LMADA_HISTORY_INT8;
        config.momentum_kind = LMADA_MOMENTUM_UPDATE;
        config.clip_kind = LMADA_GRAFT_EMA_NORM;
        break;
    case FULL_VARIANTS + 3:
        config.history_format = LMADA_HISTORY_INT8;
        config.diagonal_beta = 0.9;
        config.momentum_kind = LMADA_MOMENTUM_UPDATE;
        config.clip_kind = LMADA_CLIP_NORM;
        break;
    case FULL_VARIANTS + 4:
        config.history_format = LMADA_HISTORY_SPARSE;
        config.density = 0.3;
        config.momentum_kind = LMADA_MOMENTUM_GRADIENT;
        config.weight_decay = 0.1;
        break;
    default: break;
    }
    return config;
}

static inline model new_model(const lmada_config_t *config, size_t dim)
{
    model m = {NULL, zeros(dim), dim};
    CHECK_OK(lmada_create(config, dim, &m.opt));
    return m;
}

/* As new_model, with three blocks: a third of the parameters, none, the rest. */
static inline model new_blocks_model(const lmada_config_t *config, size_t dim)
{
    model m = {NULL, zeros(dim), dim};
    size_t dims[3];
    dims[0] = dim / 3;
    dims[1] = 0;
    dims[2] = dim - dim / 3;
    CHECK_OK(lmada_create_blocks(config, dims, 3, &m.opt));
    return m;
}

/* Moves the parameters away from 0: under valgrind 0 - 0*x may be -0, and tests compare bits. */
static inline void leave_zero(model *m)
{
    for (size_t i = 0; i < m->dim; i++) m->params[i] = (real)(i % 5 + 1);
}

static inline void free_model(model *m)
{
    lmada_free(m->opt);
    free(m->params);
}

/* Takes the steps `first` to `first + count - 1`. */
static inline void step_model(model *m, uint64_t first, uint64_t count)
{
    real *grads = check_alloc(m->dim * sizeof(real));
    for (uint64_t number = first; number < first + count; number++) {
        fill_gradient(grads, m->dim, number);
        CHECK_OK(real_step(m->opt, m->params, grads, m->dim));
    }
    free(grads);
}

static inline unsigned char *saved_state(const lmada_t *opt, size_t *bytes)
{
    unsigned char *state;
    CHECK_OK(lmada_state_size(opt, bytes));
    state = check_alloc(*bytes);
    CHECK_OK(lmada_state_save(opt, state, *bytes));
    return state;
}

/* Whether two optimizers have the same state, bit for bit. They may use different numbers of threads. */
static inline bool same_state(const lmada_t *a, const lmada_t *b)
{
    size_t a_bytes, b_bytes;
    unsigned char *a_state = saved_state(a, &a_bytes), *b_state = saved_state(b, &b_bytes);
    bool same;
    forget_threads(a_state, a_bytes);
    forget_threads(b_state, b_bytes);
    same = a_bytes == b_bytes && memcmp(a_state, b_state, a_bytes) == 0;
    free(a_state);
    free(b_state);
    return same;
}

static inline bool same_reals(const real *a, const real *b, size_t dim)
{
    return dim == 0 || memcmp(a, b, dim * sizeof(real)) == 0;
}

/* Whether two models have the same parameters and state, bit for bit. */
static inline bool same_model(const model *a, const model *b)
{
    return a->dim == b->dim && same_reals(a->params, b->params, a->dim) && same_state(a->opt, b->opt);
}

/* Returns the stats without the counters of refused steps. Refused and cancelled steps do not change these numbers. */
static inline lmada_stats_t described(lmada_stats_t stats)
{
    stats.refused = 0;
    stats.non_finite_index = UINT64_MAX;
    return stats;
}

static inline lmada_stats_t stats_of(const lmada_t *opt)
{
    lmada_stats_t stats;
    CHECK_OK(lmada_stats(opt, &stats, sizeof stats));
    return stats;
}

#endif

/* A model split over several handles, as over processes: shares of one block. */
#ifndef SPLIT_H
#define SPLIT_H

#include "model.h"

enum { MOST = 4 };

typedef struct {
    model models[MOST];
    size_t starts[MOST + 1];
    int count;
} split;

static inline split new_split(const lmada_config_t *config, int count, const size_t *starts)
{
    split s = {{{NULL, NULL, 0}}, {0}, 0};
    s.count = count;
    for (int i = 0; i < count; i++) {
        model *m = &s.models[i];
        m->dim = starts[i + 1] - starts[i];
        m->params = zeros(m->dim);
        CHECK_OK(lmada_create_blocks(config, &m->dim, 1, &m->opt));
        s.starts[i] = starts[i];
    }
    s.starts[count] = starts[count];
    return s;
}

static inline void free_split(split *s)
{
    for (int i = 0; i < s->count; i++) free_model(&s->models[i]);
}

static inline void begin_and_feed(split *s, const real *grads)
{
    for (int i = 0; i < s->count; i++) {
        CHECK_OK(lmada_begin(s->models[i].opt));
        CHECK_OK(real_feed(s->models[i].opt, 0, grads + s->starts[i], s->models[i].dim));
    }
}

/* Largest number of partials of a block. */
static inline size_t most_partials(const lmada_config_t *config)
{
    const bool by_average = config->clip_kind == LMADA_CLIP_EMA_VECTOR || config->clip_kind == LMADA_GRAFT_EMA_VECTOR;
    return (by_average ? 3 : 2) * (size_t)config->history_size + 16;
}

/* The all-reduce. */
static inline void sum_partials(split *s, const lmada_config_t *config)
{
    double *values[MOST];
    size_t count = 0;
    for (int i = 0; i < s->count; i++) {
        size_t own;
        CHECK_OK(lmada_partials(s->models[i].opt, &values[i], &own));
        CHECK(own <= most_partials(config));
        CHECK(i == 0 || own == count);
        count = own;
    }
    for (size_t j = 0; j < count; j++) {
        double total = 0;
        for (int i = 0; i < s->count; i++) total += values[i][j];
        for (int i = 0; i < s->count; i++) values[i][j] = total;
    }
}

static inline void apply_and_end(split *s, const real *grads)
{
    for (int i = 0; i < s->count; i++) {
        model *m = &s->models[i];
        CHECK_OK(real_apply(m->opt, 0, m->params, grads + s->starts[i], m->dim));
        CHECK_OK(lmada_end(m->opt));
    }
}

static inline void step_split(split *s, uint64_t number, const lmada_config_t *config)
{
    real *grads = new_gradient(s->starts[s->count], number);
    lmada_stats_t first, next;
    begin_and_feed(s, grads);
    sum_partials(s, config);
    for (int i = 0; i < s->count; i++) CHECK_OK(lmada_solve(s->models[i].opt));
    first = stats_of(s->models[0].opt);
    for (int i = 1; i < s->count; i++) { /* all processes decide alike */
        next = stats_of(s->models[i].opt);
        next.state_bytes = first.state_bytes;
        next.non_finite_index = first.non_finite_index; /* each process has other elements */
        CHECK(memcmp(&first, &next, sizeof first) == 0);
    }
    apply_and_end(s, grads);
    free(grads);
}

#endif

/*
 * An optimizer with gradients to step on: what is timed.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <stddef.h>

#include "lmada.h"

/* How a step is taken. */
enum way {
    WHOLE,     /* lmada_step */
    DIRECTION, /* lmada_direction */
    TENSORS,   /* lmada_step_tensors on 50 tensors (float only) */
    PHASES,    /* begin, 16 feeds, solve, 16 applies, end */
    BF16,      /* lmada_step_bf16, without a copy of the parameters */
};

struct setting {
    size_t dim;
    unsigned k;
    enum way way;
    size_t blocks;                      /* of equal length; 0 as 1 */
    void (*change)(lmada_config_t *config); /* makes of the defaults what is wanted; may be NULL */
};

struct subject;

/* A handle whose window is full, with gradients that all share a part and have as much of their own. */
struct subject *subject_new(const struct setting *setting);

void subject_step(struct subject *subject, size_t steps);

/* Seconds a step. */
double subject_time(struct subject *subject, size_t steps);

/* Seconds a step that lmada_solve takes, in the phases form of the same step. */
double subject_solve_time(struct subject *subject, size_t steps);

/* Steps that take about 30 ms, or 1. */
size_t subject_sample(struct subject *subject);

/* Bytes that a step cannot but move. */
double subject_bytes(const struct subject *subject);

/* Bytes of the window: k arrays of the model's length. */
size_t subject_window(const struct subject *subject);

/* Bytes that the handle holds. */
size_t subject_state(const struct subject *subject);

void subject_free(struct subject *subject);

#endif

/*
 * The subject of a measurement: an optimizer with its parameters and gradients.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <stddef.h>

#include "lmada.h"

/* Which calls take a step. */
enum way {
    STEP,     /* lmada_step */
    DIRECTION, /* lmada_direction */
    TENSORS,   /* lmada_step_tensors on 50 tensors (float only) */
    PHASES,    /* begin, 16 feeds, solve, 16 applies, end */
    BF16,      /* lmada_step_bf16, without a copy of the parameters */
};

struct setting {
    size_t dim;
    unsigned k;
    enum way way;
    size_t blocks;                      /* number of blocks of equal length; 0 means 1 */
    void (*change)(lmada_config_t *config); /* changes the default options; may be NULL */
};

struct subject;

/* Makes an optimizer with a full window. Half of the square of the gradients' norm is common to all gradients. */
struct subject *subject_new(const struct setting *setting);

void subject_step(struct subject *subject, size_t steps);

/* Seconds of one step. */
double subject_time(struct subject *subject, size_t steps);

/* Seconds that lmada_solve takes in one step, when the step is taken in phases. */
double subject_solve_time(struct subject *subject, size_t steps);

/* The number of steps that take about 30 ms, at least 1. */
size_t subject_sample(struct subject *subject);

/* Bytes that a step has to move between memory and processor. */
double subject_bytes(const struct subject *subject);

/* Bytes of the window: k arrays of the model's length. */
size_t subject_window(const struct subject *subject);

/* Bytes that the handle holds. */
size_t subject_state(const struct subject *subject);

void subject_free(struct subject *subject);

#endif

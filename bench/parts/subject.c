/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "subject.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"
#include "support.h"
#include "traffic.h"

enum { TENSOR_COUNT = 50, PIECES = 16 };

/*
 * All gradients are overlapping ranges of one array of random numbers: gradient i begins at element i*SHIFT. The part
 * of the numbers that has the period SHIFT is common to all gradients; the rest differs. In this way the gradients of a
 * full window need little more memory than one. SHIFT is a multiple of 16 elements, so each begins at a cache line.
 */
enum { SHIFT = 1040 };

struct subject {
    struct setting setting;
    lmada_config_t config;
    lmada_t *handle;
    size_t element;          /* bytes of an element */
    size_t gradients, turn;  /* number of gradients; the current one */
    char *numbers;           /* the gradients */
    uint16_t *bf16_numbers;  /* the gradients truncated to bfloat16; NULL unless the way is BF16 */
    void *params, *direction;
    float *tensors[TENSOR_COUNT];
    const float *tensor_grads[TENSOR_COUNT];
    size_t lens[TENSOR_COUNT];
};

static void check(lmada_status_t status) {
    if (status != LMADA_OK) fail("%s: %s", lmada_status_string(status), lmada_last_error());
}

static bool is_f64(const struct subject *subject) {
    return subject->config.dtype == LMADA_F64;
}

/* Makes the call for the element type. Pointers to elements are void pointers. */
#define CALL(subject, name, ...) check(is_f64(subject) ? name##_f64(__VA_ARGS__) : name(__VA_ARGS__))

static size_t numbers_len(const struct subject *subject) {
    return subject->setting.dim + subject->gradients * SHIFT;
}

/* Fills the numbers so that gradients have a norm of about 1. Half of its square is common to all gradients. */
static void fill(struct subject *subject) {
    struct random random = random_stream(1, 0);
    double common[SHIFT], bound = sqrt(1.5 / (double)subject->setting.dim);
    for (size_t i = 0; i < SHIFT; i++) common[i] = random_uniform(&random, -bound, bound);
    for (size_t i = 0; i < numbers_len(subject); i++) {
        double number = common[i % SHIFT] + random_uniform(&random, -bound, bound);
        if (is_f64(subject))
            ((double *)subject->numbers)[i] = number;
        else
            ((float *)subject->numbers)[i] = (float)number;
    }
}

static void cut_numbers(struct subject *subject) {
    subject->bf16_numbers = pages_take(numbers_len(subject) * sizeof *subject->bf16_numbers);
    for (size_t i = 0; i < numbers_len(subject); i++) {
        uint32_t bits;
        memcpy(&bits, subject->numbers + i * sizeof bits, sizeof bits);
        subject->bf16_numbers[i] = (uint16_t)(bits >> 16);
    }
}

/* Splits the parameters into tensors of different lengths, as in a model: 1 to 13 parts each. */
static void cut(struct subject *subject) {
    size_t parts = 0, end = 0, sum = 0;
    for (size_t i = 0; i < TENSOR_COUNT; i++) parts += 1 + i * 7 % 13;
    for (size_t i = 0; i < TENSOR_COUNT; i++) {
        size_t start = end;
        sum += 1 + i * 7 % 13;
        end = subject->setting.dim * sum / parts;
        subject->lens[i] = end - start;
        subject->tensors[i] = (float *)subject->params + start;
    }
}

/*
 * The number of steps after which a step in the sparse format takes its final time. Entries that the format leaves out
 * of a gradient wait for a later step, on average for 1/density steps. Until then there are fewer entries to select.
 */
static size_t warm_up_steps(const struct subject *subject) {
    return (size_t)(2 / subject->config.density);
}

struct subject *subject_new(const struct setting *setting) {
    struct subject *subject = allocate(1, sizeof *subject);
    subject->setting = *setting;
    check(lmada_config_init(&subject->config, sizeof subject->config));
    subject->config.history_size = setting->k;
    if (setting->change) setting->change(&subject->config);
    subject->element = is_f64(subject) ? sizeof(double) : sizeof(float);
    subject->gradients = setting->k + 7; /* more than the window holds, so that its columns differ */

    size_t blocks = setting->blocks ? setting->blocks : 1, *dims = allocate(blocks, sizeof *dims);
    if (setting->dim % blocks) fail("%zu parameters do not make %zu equal blocks", setting->dim, blocks);
    for (size_t i = 0; i < blocks; i++) dims[i] = setting->dim / blocks;
    check(lmada_create_blocks(&subject->config, dims, blocks, &subject->handle));
    free(dims);

    subject->numbers = pages_take(numbers_len(subject) * subject->element);
    subject->params = pages_take(setting->dim * subject->element);
    if (setting->way == DIRECTION) subject->direction = pages_take(setting->dim * subject->element);
    if (setting->way == TENSORS) cut(subject);
    fill(subject);
    if (setting->way == BF16) cut_numbers(subject);
    subject_step(subject, setting->k + 3);
    if (subject->config.history_format == LMADA_HISTORY_SPARSE) subject_step(subject, warm_up_steps(subject));
    return subject;
}

static const void *next_gradient(struct subject *subject) {
    subject->turn = (subject->turn + 1) % subject->gradients;
    return subject->numbers + subject->turn * SHIFT * subject->element;
}

/* Takes a step in phases. If `timed`, returns the seconds in lmada_solve; reading the clock takes time itself. */
static double phases(struct subject *subject, size_t pieces, bool timed) {
    lmada_t *handle = subject->handle;
    size_t dim = subject->setting.dim;
    const char *grads = next_gradient(subject);
    char *params = subject->params;
    check(lmada_begin(handle));
    for (size_t i = 0; i < pieces; i++) {
        size_t start = dim * i / pieces, len = dim * (i + 1) / pieces - start;
        const void *piece = grads + start * subject->element;
        CALL(subject, lmada_feed, handle, start, piece, len);
    }
    double before = timed ? seconds_now() : 0;
    check(lmada_solve(handle));
    double solved = timed ? seconds_now() - before : 0;
    for (size_t i = 0; i < pieces; i++) {
        size_t start = dim * i / pieces, len = dim * (i + 1) / pieces - start;
        const void *piece = grads + start * subject->element;
        void *target = params + start * subject->element;
        CALL(subject, lmada_apply, handle, start, target, piece, len);
    }
    check(lmada_end(handle));
    return solved;
}

static void step_tensors(struct subject *subject) {
    const float *grads = next_gradient(subject);
    for (size_t i = 0; i < TENSOR_COUNT; i++)
        subject->tensor_grads[i] = grads + (subject->tensors[i] - (float *)subject->params);
    check(lmada_step_tensors(subject->handle, subject->tensors, subject->tensor_grads, subject->lens, TENSOR_COUNT));
}

static void step(struct subject *subject) {
    size_t dim = subject->setting.dim;
    switch (subject->setting.way) {
        case STEP: CALL(subject, lmada_step, subject->handle, subject->params, next_gradient(subject), dim); break;
        case DIRECTION:
            CALL(subject, lmada_direction, subject->handle, subject->direction, next_gradient(subject), dim);
            break;
        case TENSORS: step_tensors(subject); break;
        case PHASES: phases(subject, PIECES, false); break;
        case BF16:
            subject->turn = (subject->turn + 1) % subject->gradients;
            check(lmada_step_bf16(subject->handle, subject->params, NULL,
                                  subject->bf16_numbers + subject->turn * SHIFT, dim));
            break;
    }
}

void subject_step(struct subject *subject, size_t steps) {
    for (size_t i = 0; i < steps; i++) step(subject);
}

double subject_time(struct subject *subject, size_t steps) {
    double start = seconds_now();
    subject_step(subject, steps);
    return (seconds_now() - start) / (double)steps;
}

double subject_solve_time(struct subject *subject, size_t steps) {
    double sum = 0;
    for (size_t i = 0; i < steps; i++) sum += phases(subject, 1, true);
    return sum / (double)steps;
}

size_t subject_sample(struct subject *subject) {
    size_t steps = 1; /* doubled until reading the clock and waking a thread take a small part of the time */
    double seconds;
    while ((seconds = subject_time(subject, steps)) * (double)steps < 0.003) steps *= 2;
    return seconds > 0.03 ? 1 : (size_t)(0.03 / seconds);
}

double subject_bytes(const struct subject *subject) {
    double bytes = traffic(&subject->config, subject->setting.way == DIRECTION);
    if (subject->setting.way == BF16) bytes -= 2 * (sizeof(float) - sizeof(uint16_t)); /* the gradient, read twice */
    return bytes * (double)subject->setting.dim;
}

size_t subject_window(const struct subject *subject) {
    return subject->setting.k * subject->element * subject->setting.dim;
}

size_t subject_state(const struct subject *subject) {
    lmada_stats_t stats;
    check(lmada_stats(subject->handle, &stats, sizeof stats));
    return stats.state_bytes;
}

void subject_free(struct subject *subject) {
    lmada_free(subject->handle);
    pages_give(subject->numbers, numbers_len(subject) * subject->element);
    if (subject->bf16_numbers) pages_give(subject->bf16_numbers, numbers_len(subject) * sizeof *subject->bf16_numbers);
    pages_give(subject->params, subject->setting.dim * subject->element);
    if (subject->direction) pages_give(subject->direction, subject->setting.dim * subject->element);
    free(subject);
}

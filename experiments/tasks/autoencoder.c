/*
 * A deep autoencoder of digits: 64 pixels, 32, 16, 8, 16, 32 tanh units, 64 pixels; full batch and minibatch.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "digits.h"
#include "task.h"

enum { PIXELS = DIGITS_PIXELS, LAYERS = 6, FULL = 128, BATCH = 64 };

static const struct net net = {LAYERS, {PIXELS, 32, 16, 8, 16, 32, PIXELS}};

/* The mean squared error of a pixel. */
static double loss(const struct net_run *run, const int *labels, size_t count) {
    double sum = 0;
    (void)labels;
    for (size_t i = 0; i < count * PIXELS; i++) {
        real error = run->values[LAYERS][i] - run->values[0][i];
        sum += (double)error * (double)error;
        run->errors[LAYERS][i] = error * (real)(2.0 / PIXELS);
    }
    return sum / PIXELS;
}

static const struct digits_model model = {&net, 1e-6, loss};

static void *open_full(uint64_t seed) {
    return digits_open(&model, seed, FULL, FULL);
}

static void *open_minibatch(uint64_t seed) {
    return digits_open(&model, seed, DIGITS_TRAIN, BATCH);
}

const struct task_functions NAME(autoencoder) = {open_full,       digits_close,     digits_start,
                                                 digits_gradient, digits_objective, digits_held_out};
const struct task_functions NAME(autoencoder_minibatch) = {open_minibatch,  digits_close,     digits_start,
                                                           digits_gradient, digits_objective, digits_held_out};

#ifdef REAL_F64

extern const struct task_functions autoencoder_f32, autoencoder_minibatch_f32;

enum { DIM = 65 * 32 + 33 * 16 + 17 * 8 + 9 * 16 + 17 * 32 + 33 * PIXELS, TENSORS = 2 * LAYERS };
static const size_t lens[TENSORS] = {64 * 32, 32, 32 * 16, 16, 16 * 8, 8, 8 * 16, 16, 16 * 32, 32, 32 * 64, 64};

const struct task task_autoencoder = {
    .name = "autoencoder",
    .title = "Autoencoder, full batch",
    .description = "An autoencoder of 64-32-16-8-16-32-64 units (tanh, linear outputs) on 128 digits, all in each "
                   "gradient; mean squared error of a pixel, L2 of 10^-6 on the weights.",
    .dim = DIM,
    .tensors = TENSORS,
    .lens = lens,
    .batch = 0,
    .steps = 1000,
    .f32 = &autoencoder_f32,
    .f64 = &autoencoder_f64,
};

const struct task task_autoencoder_minibatch = {
    .name = "autoencoder-minibatch",
    .title = "Autoencoder, minibatch",
    .description = "The same autoencoder on 1,472 digits with minibatches of 64.",
    .dim = DIM,
    .tensors = TENSORS,
    .lens = lens,
    .batch = BATCH,
    .steps = 1000,
    .f32 = &autoencoder_minibatch_f32,
    .f64 = &autoencoder_minibatch_f64,
};

#endif

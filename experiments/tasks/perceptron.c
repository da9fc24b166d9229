/*
 * Digits by a perceptron: 64 pixels, 32 tanh units, softmax over 10 classes, cross-entropy.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "digits.h"
#include "functions.h"
#include "task.h"

enum { HIDDEN = 32, LAYERS = 2, BATCH = 64 };
enum { DIM = (DIGITS_PIXELS + 1) * HIDDEN + (HIDDEN + 1) * DIGITS_CLASSES };

static const struct net net = {LAYERS, {DIGITS_PIXELS, HIDDEN, DIGITS_CLASSES}};

/* Cross-entropy of the softmax; the logits become its derivative by them. The largest is subtracted: no overflow. */
static double cross_entropy(real *logits, int label) {
    real largest = logits[0], right = logits[label];
    double sum = 0;
    for (size_t c = 1; c < DIGITS_CLASSES; c++) largest = logits[c] > largest ? logits[c] : largest;
    for (size_t c = 0; c < DIGITS_CLASSES; c++) logits[c] = real_exp(logits[c] - largest);
    for (size_t c = 0; c < DIGITS_CLASSES; c++) sum += (double)logits[c];
    for (size_t c = 0; c < DIGITS_CLASSES; c++) logits[c] *= (real)(1 / sum);
    logits[label] -= 1;
    return log(sum) + (double)largest - (double)right;
}

static double loss(const struct net_run *run, const int *labels, size_t count) {
    double sum = 0;
    memcpy(run->errors[LAYERS], run->values[LAYERS], count * DIGITS_CLASSES * sizeof(real));
    for (size_t n = 0; n < count; n++) sum += cross_entropy(run->errors[LAYERS] + n * DIGITS_CLASSES, labels[n]);
    return sum;
}

static void *open(uint64_t seed) {
    static const struct digits_model model = {&net, 1e-4, loss};
    return digits_open(&model, seed, DIGITS_TRAIN, BATCH);
}

const struct task_functions NAME(perceptron) = {open,            digits_close,     digits_start,
                                                digits_gradient, digits_objective, digits_held_out};

#ifdef REAL_F64

extern const struct task_functions perceptron_f32;

static const size_t lens[] = {DIGITS_PIXELS * HIDDEN, HIDDEN, HIDDEN * DIGITS_CLASSES, DIGITS_CLASSES};

const struct task task_perceptron = {
    .name = "perceptron",
    .title = "Digits perceptron",
    .description = "Digits of 8 x 8 pixels by a perceptron of 64, 32 (tanh) and 10 (softmax) units; 1,472 rows, "
                   "minibatches of 64, L2 of 10^-4 on the weights.",
    .dim = DIM,
    .tensors = 4,
    .lens = lens,
    .batch = BATCH,
    .steps = 1000,
    .f32 = &perceptron_f32,
    .f64 = &perceptron_f64,
};

#endif

/*
 * The perceptron: 64 inputs, 32 tanh units, 10 classes.
 *
 * Weights lie input by input ([from][to]), so that the inner loops run over neighbouring outputs and a compiler turns
 * them into vector instructions.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "model.h"

enum { INPUTS = 64, HIDDEN = 32, CLASSES = 10 };
enum { WEIGHTS_1, BIASES_1, WEIGHTS_2, BIASES_2 };

struct activations {
    float hidden[HIDDEN];
    float logits[CLASSES];
};

/* Glorot and Bengio (2010): uniform, with the variance that keeps signals at their size both ways. Biases start at 0.
 */
static void glorot(float *weights, size_t from, size_t to, struct random *random) {
    double bound = sqrt(6.0 / (double)(from + to));
    for (size_t i = 0; i < from * to; i++) weights[i] = (float)random_uniform(random, -bound, bound);
}

static void init(float *const *params, struct random *random) {
    glorot(params[WEIGHTS_1], INPUTS, HIDDEN, random);
    memset(params[BIASES_1], 0, HIDDEN * sizeof(float));
    glorot(params[WEIGHTS_2], HIDDEN, CLASSES, random);
    memset(params[BIASES_2], 0, CLASSES * sizeof(float));
}

static void forward(const float *const *params, const float *input, struct activations *at) {
    memcpy(at->hidden, params[BIASES_1], sizeof at->hidden);
    for (size_t i = 0; i < INPUTS; i++) {
        const float *weights = params[WEIGHTS_1] + i * HIDDEN;
        for (size_t j = 0; j < HIDDEN; j++) at->hidden[j] += input[i] * weights[j];
    }
    for (size_t j = 0; j < HIDDEN; j++) at->hidden[j] = tanhf(at->hidden[j]);

    memcpy(at->logits, params[BIASES_2], sizeof at->logits);
    for (size_t j = 0; j < HIDDEN; j++) {
        const float *weights = params[WEIGHTS_2] + j * CLASSES;
        for (size_t c = 0; c < CLASSES; c++) at->logits[c] += at->hidden[j] * weights[c];
    }
}

/* Cross-entropy of the softmax; `errors` becomes its derivative by the logits. The maximum goes out first: no overflow.
 */
static double cross_entropy(const float *logits, int label, float *errors) {
    float largest = logits[0], sum = 0;
    for (size_t c = 1; c < CLASSES; c++) largest = fmaxf(largest, logits[c]);
    for (size_t c = 0; c < CLASSES; c++) sum += errors[c] = expf(logits[c] - largest);
    for (size_t c = 0; c < CLASSES; c++) errors[c] /= sum;
    errors[label] -= 1;
    return log(sum) + (double)largest - (double)logits[label];
}

/* Adds the gradient of one sample. */
static void backward(const float *const *params, const float *input, const struct activations *at, const float *errors,
                     float *const *grads) {
    float hidden_errors[HIDDEN];
    for (size_t j = 0; j < HIDDEN; j++) {
        const float *weights = params[WEIGHTS_2] + j * CLASSES;
        float *weight_grads = grads[WEIGHTS_2] + j * CLASSES;
        float back = 0;
        for (size_t c = 0; c < CLASSES; c++) {
            back += weights[c] * errors[c];
            weight_grads[c] += at->hidden[j] * errors[c];
        }
        hidden_errors[j] = back * (1 - at->hidden[j] * at->hidden[j]);
    }
    for (size_t i = 0; i < INPUTS; i++) {
        float *weight_grads = grads[WEIGHTS_1] + i * HIDDEN;
        for (size_t j = 0; j < HIDDEN; j++) weight_grads[j] += input[i] * hidden_errors[j];
    }
    for (size_t j = 0; j < HIDDEN; j++) grads[BIASES_1][j] += hidden_errors[j];
    for (size_t c = 0; c < CLASSES; c++) grads[BIASES_2][c] += errors[c];
}

static double loss(const float *const *params, const struct dataset *data, const size_t *rows, size_t count,
                   float *const *grads) {
    if (grads)
        for (size_t t = 0; t < mlp.tensors; t++) memset(grads[t], 0, mlp.lens[t] * sizeof(float));

    double sum = 0;
    for (size_t n = 0; n < count; n++) {
        size_t row = rows ? rows[n] : n;
        const float *input = data->inputs + row * INPUTS;
        struct activations at;
        float errors[CLASSES];
        forward(params, input, &at);
        sum += cross_entropy(at.logits, data->labels[row], errors);
        if (!grads) continue;
        for (size_t c = 0; c < CLASSES; c++) errors[c] /= (float)count;
        backward(params, input, &at, errors, grads);
    }
    return sum / (double)count;
}

static int predict(const float *const *params, const float *input) {
    struct activations at;
    int best = 0;
    forward(params, input, &at);
    for (int c = 1; c < CLASSES; c++)
        if (at.logits[c] > at.logits[best]) best = c;
    return best;
}

const struct model mlp = {
    .name = "64-32-10 perceptron",
    .features = INPUTS,
    .classes = CLASSES,
    .tensors = 4,
    .lens = {INPUTS * HIDDEN, HIDDEN, HIDDEN *CLASSES, CLASSES},
    .init = init,
    .loss = loss,
    .predict = predict,
};

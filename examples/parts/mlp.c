/*
 * The perceptron: 64 inputs, 32 tanh units, 10 classes.
 *
 * Weights lie input by input ([from][to]), so that the inner loops run over neighbouring outputs and a compiler turns
 * them into vector instructions. The way back goes layer by layer, not row by row: a layer's gradient is complete
 * before that of the one before it is begun.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
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

/* What a row leaves behind for the way back. */
struct trace {
    const float *input;
    float hidden[HIDDEN], errors[CLASSES], hidden_errors[HIDDEN];
};

/* The gradient of the second layer, and the errors that it hands on to the first. */
static void backward_2(const float *const *params, struct trace *traces, size_t count, float *const *grads) {
    for (size_t n = 0; n < count; n++) {
        struct trace *at = traces + n;
        for (size_t j = 0; j < HIDDEN; j++) {
            const float *weights = params[WEIGHTS_2] + j * CLASSES;
            float *weight_grads = grads[WEIGHTS_2] + j * CLASSES;
            float back = 0;
            for (size_t c = 0; c < CLASSES; c++) {
                back += weights[c] * at->errors[c];
                weight_grads[c] += at->hidden[j] * at->errors[c];
            }
            at->hidden_errors[j] = back * (1 - at->hidden[j] * at->hidden[j]);
        }
        for (size_t c = 0; c < CLASSES; c++) grads[BIASES_2][c] += at->errors[c];
    }
}

static void backward_1(const struct trace *traces, size_t count, float *const *grads) {
    for (size_t n = 0; n < count; n++) {
        const struct trace *at = traces + n;
        for (size_t i = 0; i < INPUTS; i++) {
            float *weight_grads = grads[WEIGHTS_1] + i * HIDDEN;
            for (size_t j = 0; j < HIDDEN; j++) weight_grads[j] += at->input[i] * at->hidden_errors[j];
        }
        for (size_t j = 0; j < HIDDEN; j++) grads[BIASES_1][j] += at->hidden_errors[j];
    }
}

static const float *input_of(const struct dataset *data, size_t row) {
    return data->inputs + row * INPUTS;
}

double mlp_gradient(const float *const *params, const struct dataset *data, const size_t *rows, size_t count,
                    size_t batch, float *const *grads, void (*ready)(void *context, size_t tensor), void *context) {
    struct trace *traces = allocate(count, sizeof *traces);
    double sum = 0;
    for (size_t n = 0; n < count; n++) {
        size_t row = rows ? rows[n] : n;
        struct activations at;
        traces[n].input = input_of(data, row);
        forward(params, traces[n].input, &at);
        memcpy(traces[n].hidden, at.hidden, sizeof at.hidden);
        sum += cross_entropy(at.logits, data->labels[row], traces[n].errors);
        for (size_t c = 0; c < CLASSES; c++) traces[n].errors[c] /= (float)batch;
    }

    for (size_t t = 0; t < mlp.tensors; t++) memset(grads[t], 0, mlp.lens[t] * sizeof(float));
    for (size_t t = mlp.tensors; t-- > 0;) {
        if (t == BIASES_2) backward_2(params, traces, count, grads);
        if (t == BIASES_1) backward_1(traces, count, grads);
        if (ready) ready(context, t);
    }
    free(traces);
    return sum / (double)batch;
}

static double loss(const float *const *params, const struct dataset *data, const size_t *rows, size_t count,
                   float *const *grads) {
    if (grads) return mlp_gradient(params, data, rows, count, count, grads, NULL, NULL);
    double sum = 0;
    for (size_t n = 0; n < count; n++) {
        size_t row = rows ? rows[n] : n;
        struct activations at;
        float errors[CLASSES];
        forward(params, input_of(data, row), &at);
        sum += cross_entropy(at.logits, data->labels[row], errors);
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

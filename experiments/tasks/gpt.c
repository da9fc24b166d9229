/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "gpt.h"

#include <math.h>
#include <string.h>

#include "gpt_layers.h"

/* What a layer computes of a window on the way forward, and needs on the way back. */
struct layer {
    struct norm norm_1, norm_2;
    struct attention attention;
    real normed_1[ROWS * GPT_WIDTH], normed_2[ROWS * GPT_WIDTH];
    real qkv[ROWS * 3 * GPT_WIDTH], mixed[ROWS * GPT_WIDTH];
    real hidden[ROWS * GPT_HIDDEN], gates[ROWS * GPT_HIDDEN], active[ROWS * GPT_HIDDEN];
};

struct activations {
    struct layer layers[GPT_LAYERS];
    struct norm last_norm;
    real last[ROWS * GPT_WIDTH];
    real logits[ROWS * GPT_CHARACTERS];
};

static void fill(real *values, size_t count, double bound, struct random *random) {
    for (size_t i = 0; i < count; i++) values[i] = (real)random_uniform(random, -bound, bound);
}

static void fill_norm(real *weights) {
    for (size_t i = 0; i < GPT_WIDTH; i++) weights[i] = 1;
    memset(weights + GPT_WIDTH, 0, GPT_WIDTH * sizeof *weights);
}

static void fill_linear(real *weights, size_t from, size_t to, double factor, struct random *random) {
    fill(weights, from * to, factor / sqrt((double)from), random);
    memset(weights + from * to, 0, to * sizeof *weights);
}

/* Logits begin near 0. What is added to the stream begins the smaller, the more is added (Radford et al. 2019). */
void gpt_init(real *params, struct random *random) {
    const double residual = 1 / sqrt(2.0 * GPT_LAYERS);
    fill(params + GPT_EMBEDDING, GPT_CHARACTERS * GPT_WIDTH, 0.05, random);
    fill(params + GPT_PLACES, GPT_CONTEXT * GPT_WIDTH, 0.05, random);
    for (size_t l = 0; l < GPT_LAYERS; l++) {
        real *at = params + GPT_FIRST_LAYER + l * GPT_LAYER_SIZE;
        fill_norm(at + GPT_NORM_1);
        fill_linear(at + GPT_QKV, GPT_WIDTH, 3 * GPT_WIDTH, 1, random);
        fill_linear(at + GPT_MIX, GPT_WIDTH, GPT_WIDTH, residual, random);
        fill_norm(at + GPT_NORM_2);
        fill_linear(at + GPT_UP, GPT_WIDTH, GPT_HIDDEN, 1, random);
        fill_linear(at + GPT_DOWN, GPT_HIDDEN, GPT_WIDTH, residual, random);
    }
    fill_norm(params + GPT_LAST_NORM);
}

static void layer_forward(real *stream, struct layer *layer, const real *at) {
    norm_forward(layer->normed_1, &layer->norm_1, stream, at + GPT_NORM_1);
    memset(layer->qkv, 0, sizeof layer->qkv);
    linear_add(layer->qkv, layer->normed_1, at + GPT_QKV, ROWS, ROWS, GPT_WIDTH, 3 * GPT_WIDTH);
    attention_forward(layer->mixed, &layer->attention, layer->qkv);
    linear_add(stream, layer->mixed, at + GPT_MIX, ROWS, ROWS, GPT_WIDTH, GPT_WIDTH);

    norm_forward(layer->normed_2, &layer->norm_2, stream, at + GPT_NORM_2);
    memset(layer->hidden, 0, sizeof layer->hidden);
    linear_add(layer->hidden, layer->normed_2, at + GPT_UP, ROWS, ROWS, GPT_WIDTH, GPT_HIDDEN);
    gelu_forward(layer->active, layer->gates, layer->hidden, ROWS * GPT_HIDDEN);
    linear_add(stream, layer->active, at + GPT_DOWN, ROWS, ROWS, GPT_HIDDEN, GPT_WIDTH);
}

/* `errors`: the derivative by the stream behind the layer becomes that by the stream before it. */
static void layer_backward(real *errors, real *grads, const struct layer *layer, const real *at) {
    real normed[ROWS * GPT_WIDTH], wide[ROWS * GPT_HIDDEN], qkv[ROWS * 3 * GPT_WIDTH];
    linear_backward(wide, grads + GPT_DOWN, errors, layer->active, at + GPT_DOWN, ROWS, ROWS, GPT_HIDDEN, GPT_WIDTH);
    gelu_backward(wide, layer->gates, layer->hidden, ROWS * GPT_HIDDEN);
    linear_backward(normed, grads + GPT_UP, wide, layer->normed_2, at + GPT_UP, ROWS, ROWS, GPT_WIDTH, GPT_HIDDEN);
    norm_backward(errors, grads + GPT_NORM_2, normed, &layer->norm_2, at + GPT_NORM_2);

    linear_backward(normed, grads + GPT_MIX, errors, layer->mixed, at + GPT_MIX, ROWS, ROWS, GPT_WIDTH, GPT_WIDTH);
    attention_backward(qkv, normed, &layer->attention, layer->qkv);
    linear_backward(normed, grads + GPT_QKV, qkv, layer->normed_1, at + GPT_QKV, ROWS, ROWS, GPT_WIDTH, 3 * GPT_WIDTH);
    norm_backward(errors, grads + GPT_NORM_1, normed, &layer->norm_1, at + GPT_NORM_1);
}

static void forward(const real *params, const unsigned char *window, struct activations *now) {
    real stream[ROWS * GPT_WIDTH], transposed[GPT_WIDTH * GPT_CHARACTERS];
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < GPT_WIDTH; i++)
            stream[r * GPT_WIDTH + i] =
                params[GPT_EMBEDDING + window[r] * GPT_WIDTH + i] + params[GPT_PLACES + r * GPT_WIDTH + i];
    for (size_t l = 0; l < GPT_LAYERS; l++)
        layer_forward(stream, now->layers + l, params + GPT_FIRST_LAYER + l * GPT_LAYER_SIZE);
    norm_forward(now->last, &now->last_norm, stream, params + GPT_LAST_NORM);
    transpose(transposed, params + GPT_EMBEDDING, GPT_CHARACTERS, GPT_WIDTH);
    memset(now->logits, 0, sizeof now->logits);
    multiply_add(now->logits, (struct strided){now->last, GPT_WIDTH, 1}, transposed, ROWS, GPT_WIDTH, GPT_CHARACTERS);
}

/* `now->logits` are the derivative by the logits. */
static void backward(const real *params, const unsigned char *window, const struct activations *now, real *grads) {
    real errors[ROWS * GPT_WIDTH] = {0}, last[ROWS * GPT_WIDTH] = {0};
    multiply_add(last, (struct strided){now->logits, GPT_CHARACTERS, 1}, params + GPT_EMBEDDING, ROWS, GPT_CHARACTERS,
                 GPT_WIDTH);
    multiply_add(grads + GPT_EMBEDDING, (struct strided){now->logits, 1, GPT_CHARACTERS}, now->last, GPT_CHARACTERS,
                 ROWS, GPT_WIDTH);
    norm_backward(errors, grads + GPT_LAST_NORM, last, &now->last_norm, params + GPT_LAST_NORM);
    for (size_t l = GPT_LAYERS; l-- > 0;) {
        size_t offset = GPT_FIRST_LAYER + l * GPT_LAYER_SIZE;
        layer_backward(errors, grads + offset, now->layers + l, params + offset);
    }
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < GPT_WIDTH; i++) {
            grads[GPT_EMBEDDING + window[r] * GPT_WIDTH + i] += errors[r * GPT_WIDTH + i];
            grads[GPT_PLACES + r * GPT_WIDTH + i] += errors[r * GPT_WIDTH + i];
        }
}

double gpt_loss(const real *params, const unsigned char *const *windows, size_t count, real *grads) {
    struct activations now;
    double sum = 0, share = 1 / (double)(count * ROWS);
    if (grads) memset(grads, 0, GPT_PARAMETERS * sizeof *grads);
    for (size_t w = 0; w < count; w++) {
        forward(params, windows[w], &now);
        sum += cross_entropy(now.logits, windows[w] + 1, share);
        if (grads) backward(params, windows[w], &now, grads);
    }
    return sum * share;
}

void gpt_logits(const real *params, const unsigned char *window, real *logits) {
    struct activations now;
    forward(params, window, &now);
    memcpy(logits, now.logits, sizeof now.logits);
}

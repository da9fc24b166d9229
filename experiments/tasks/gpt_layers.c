/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "gpt_layers.h"

#include <math.h>
#include <string.h>

#include "functions.h"

void norm_forward(real *out, struct norm *norm, const real *in, const real *weights) {
    const real *gains = weights, *biases = weights + GPT_WIDTH;
    for (size_t r = 0; r < ROWS; r++, in += GPT_WIDTH, out += GPT_WIDTH) {
        real mean = 0, variance = 0, *standard = norm->standard + r * GPT_WIDTH;
        for (size_t i = 0; i < GPT_WIDTH; i++) mean += in[i];
        mean /= GPT_WIDTH;
        for (size_t i = 0; i < GPT_WIDTH; i++) variance += (in[i] - mean) * (in[i] - mean);
        norm->scales[r] = 1 / (real)sqrt((double)(variance / GPT_WIDTH + (real)1e-5));
        for (size_t i = 0; i < GPT_WIDTH; i++) {
            standard[i] = norm->scales[r] * (in[i] - mean);
            out[i] = gains[i] * standard[i] + biases[i];
        }
    }
}

void norm_backward(real *in_errors, real *weight_grads, const real *out_errors, const struct norm *norm,
                   const real *weights) {
    for (size_t r = 0; r < ROWS; r++, in_errors += GPT_WIDTH, out_errors += GPT_WIDTH) {
        const real *standard = norm->standard + r * GPT_WIDTH;
        real errors[GPT_WIDTH], mean = 0, along = 0;
        for (size_t i = 0; i < GPT_WIDTH; i++) {
            weight_grads[i] += out_errors[i] * standard[i];
            weight_grads[GPT_WIDTH + i] += out_errors[i];
            errors[i] = out_errors[i] * weights[i];
        }
        for (size_t i = 0; i < GPT_WIDTH; i++) {
            mean += errors[i];
            along += errors[i] * standard[i];
        }
        mean /= GPT_WIDTH;
        along /= GPT_WIDTH;
        for (size_t i = 0; i < GPT_WIDTH; i++)
            in_errors[i] += norm->scales[r] * (errors[i] - mean - along * standard[i]);
    }
}

/* One head's queries, keys or values (`part` 0, 1, 2), as a matrix of their own, and back. */
static void pick(real *out, const real *qkv, size_t part, size_t head) {
    const real *from = qkv + part * GPT_WIDTH + head * GPT_HEAD_WIDTH;
    for (size_t r = 0; r < ROWS; r++)
        memcpy(out + r * GPT_HEAD_WIDTH, from + r * 3 * GPT_WIDTH, GPT_HEAD_WIDTH * sizeof *out);
}

static void put(real *qkv, const real *in, size_t part, size_t head) {
    real *to = qkv + part * GPT_WIDTH + head * GPT_HEAD_WIDTH;
    for (size_t r = 0; r < ROWS; r++)
        memcpy(to + r * 3 * GPT_WIDTH, in + r * GPT_HEAD_WIDTH, GPT_HEAD_WIDTH * sizeof *in);
}

/* The softmax of a row's first `count` scores; the others, of rows that come later, get no share. */
static void softmax(real *scores, size_t count, size_t columns) {
    real largest = scores[0], sum = 0;
    for (size_t i = 1; i < count; i++) largest = scores[i] > largest ? scores[i] : largest;
    for (size_t i = 0; i < count; i++) scores[i] = real_exp(scores[i] - largest);
    for (size_t i = 0; i < count; i++) sum += scores[i];
    for (size_t i = 0; i < count; i++) scores[i] /= sum;
    for (size_t i = count; i < columns; i++) scores[i] = 0;
}

static real score_scale(void) {
    return (real)(1 / sqrt((double)GPT_HEAD_WIDTH));
}

void attention_forward(real *out, struct attention *attention, const real *qkv) {
    for (size_t head = 0; head < GPT_HEADS; head++) {
        real queries[ROWS * GPT_HEAD_WIDTH], keys[ROWS * GPT_HEAD_WIDTH], values[ROWS * GPT_HEAD_WIDTH];
        real keys_transposed[GPT_HEAD_WIDTH * ROWS], mixed[ROWS * GPT_HEAD_WIDTH] = {0};
        real *shares = attention->shares[head];
        pick(queries, qkv, 0, head);
        pick(keys, qkv, 1, head);
        pick(values, qkv, 2, head);
        for (size_t i = 0; i < ROWS * GPT_HEAD_WIDTH; i++) queries[i] *= score_scale();
        transpose(keys_transposed, keys, ROWS, GPT_HEAD_WIDTH);
        memset(shares, 0, sizeof attention->shares[head]);
        multiply_add(shares, (struct strided){queries, GPT_HEAD_WIDTH, 1}, keys_transposed, ROWS, GPT_HEAD_WIDTH, ROWS);
        for (size_t r = 0; r < ROWS; r++) softmax(shares + r * ROWS, r + 1, ROWS);
        multiply_add(mixed, (struct strided){shares, ROWS, 1}, values, ROWS, ROWS, GPT_HEAD_WIDTH);
        for (size_t r = 0; r < ROWS; r++)
            memcpy(out + r * GPT_WIDTH + head * GPT_HEAD_WIDTH, mixed + r * GPT_HEAD_WIDTH,
                   GPT_HEAD_WIDTH * sizeof *mixed);
    }
}

/* From the derivative by the shares to that by the scores, in place. */
static void softmax_backward(real *errors, const real *shares) {
    for (size_t r = 0; r < ROWS; r++, errors += ROWS, shares += ROWS) {
        real mean = 0;
        for (size_t i = 0; i < ROWS; i++) mean += shares[i] * errors[i];
        for (size_t i = 0; i < ROWS; i++) errors[i] = score_scale() * shares[i] * (errors[i] - mean);
    }
}

void attention_backward(real *qkv_errors, const real *out_errors, const struct attention *attention, const real *qkv) {
    for (size_t head = 0; head < GPT_HEADS; head++) {
        real queries[ROWS * GPT_HEAD_WIDTH], keys[ROWS * GPT_HEAD_WIDTH], values[ROWS * GPT_HEAD_WIDTH];
        real values_transposed[GPT_HEAD_WIDTH * ROWS], mixed_errors[ROWS * GPT_HEAD_WIDTH];
        real errors[3][ROWS * GPT_HEAD_WIDTH] = {{0}}, scores[ROWS * ROWS] = {0};
        const real *shares = attention->shares[head];
        pick(queries, qkv, 0, head);
        pick(keys, qkv, 1, head);
        pick(values, qkv, 2, head);
        for (size_t r = 0; r < ROWS; r++)
            memcpy(mixed_errors + r * GPT_HEAD_WIDTH, out_errors + r * GPT_WIDTH + head * GPT_HEAD_WIDTH,
                   GPT_HEAD_WIDTH * sizeof *mixed_errors);

        multiply_add(errors[2], (struct strided){shares, 1, ROWS}, mixed_errors, ROWS, ROWS, GPT_HEAD_WIDTH);
        transpose(values_transposed, values, ROWS, GPT_HEAD_WIDTH);
        multiply_add(scores, (struct strided){mixed_errors, GPT_HEAD_WIDTH, 1}, values_transposed, ROWS,
                     GPT_HEAD_WIDTH, ROWS);
        softmax_backward(scores, shares);
        multiply_add(errors[0], (struct strided){scores, ROWS, 1}, keys, ROWS, ROWS, GPT_HEAD_WIDTH);
        multiply_add(errors[1], (struct strided){scores, 1, ROWS}, queries, ROWS, ROWS, GPT_HEAD_WIDTH);
        for (size_t part = 0; part < 3; part++) put(qkv_errors, errors[part], part, head);
    }
}

#define GELU_SLOPE ((real)1.702)

void gelu_forward(real *restrict out, real *restrict gates, const real *restrict in, size_t count) {
    for (size_t i = 0; i < count; i++) {
        gates[i] = real_sigmoid(GELU_SLOPE * in[i]);
        out[i] = in[i] * gates[i];
    }
}

void gelu_backward(real *restrict errors, const real *restrict gates, const real *restrict in, size_t count) {
    for (size_t i = 0; i < count; i++) errors[i] *= gates[i] * (1 + GELU_SLOPE * in[i] * (1 - gates[i]));
}

double cross_entropy(real *logits, const unsigned char *targets, double share) {
    double sum = 0;
    for (size_t r = 0; r < ROWS; r++, logits += GPT_CHARACTERS) {
        double right = (double)logits[targets[r]], total = 0;
        real largest = logits[0];
        for (size_t c = 1; c < GPT_CHARACTERS; c++) largest = logits[c] > largest ? logits[c] : largest;
        for (size_t c = 0; c < GPT_CHARACTERS; c++) logits[c] = real_exp(logits[c] - largest);
        for (size_t c = 0; c < GPT_CHARACTERS; c++) total += (double)logits[c];
        for (size_t c = 0; c < GPT_CHARACTERS; c++) logits[c] *= (real)(share / total);
        logits[targets[r]] -= (real)share;
        sum += log(total) + (double)largest - right;
    }
    return sum;
}

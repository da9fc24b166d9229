/*
 * What the GPT is made of, forward and backward, over the rows of one window.
 *
 * Backward functions are given the derivative of the loss by their output, and add to the gradient of their weights.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_GPT_LAYERS_H
#define EXAMPLES_GPT_LAYERS_H

#include "gpt.h"

enum { ROWS = GPT_CONTEXT };

/* c += a b, with a of `rows` x `inner` (element (r, k) at r * a_row + k * a_column) and b, c row by row. */
struct strided {
    const real *at;
    size_t row, column;
};
void multiply_add(real *c, struct strided a, const real *b, size_t rows, size_t inner, size_t columns);

/* `out` (columns x rows) becomes the transpose of `in` (rows x columns). */
void transpose(real *out, const real *in, size_t rows, size_t columns);

/* out += in weights + biases; weights are `from` x `to`, the biases lie behind them. */
void linear_add(real *out, const real *in, const real *weights, size_t from, size_t to);
void linear_backward(real *in_errors, real *weight_grads, const real *out_errors, const real *in, const real *weights,
                     size_t from, size_t to);

/* Layer norm (Ba, Kiros, Hinton 2016): GPT_WIDTH gains, then as many biases. */
struct norm {
    real standard[ROWS * GPT_WIDTH]; /* rows of mean 0 and variance 1 */
    real scales[ROWS];               /* what they were multiplied with */
};
void norm_forward(real *out, struct norm *norm, const real *in, const real *weights);
/* Adds to in_errors. */
void norm_backward(real *in_errors, real *weight_grads, const real *out_errors, const struct norm *norm,
                   const real *weights);

/* Causal attention: a row of qkv holds queries, keys and values of all heads. */
struct attention {
    real shares[GPT_HEADS][ROWS * ROWS]; /* how much of each earlier row goes into a row */
};
void attention_forward(real *out, struct attention *attention, const real *qkv);
void attention_backward(real *qkv_errors, const real *out_errors, const struct attention *attention, const real *qkv);

/* x sigmoid(1.702 x), the GELU's sigmoid form (Hendrycks, Gimpel 2016); `gates` are the sigmoids. */
void gelu_forward(real *out, real *gates, const real *in, size_t count);
/* `errors`: those of the output become those of the input. */
void gelu_backward(real *errors, const real *gates, const real *in, size_t count);

/*
 * Sum over the rows of the cross-entropy of the softmax. The logits become its derivative by them, times `share`.
 */
double cross_entropy(real *logits, const unsigned char *targets, double share);

#endif

/*
 * What the GPT is made of, forward and backward, over the rows of one window.
 *
 * Backward functions are given the derivative of the loss by their output, and add to the gradient of their weights.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_GPT_LAYERS_H
#define EXPERIMENTS_GPT_LAYERS_H

#include "gpt.h"
#include "matrix.h"

#define norm_forward GPT_NAME(norm_forward)
#define norm_backward GPT_NAME(norm_backward)
#define attention_forward GPT_NAME(attention_forward)
#define attention_backward GPT_NAME(attention_backward)
#define gelu_forward GPT_NAME(gelu_forward)
#define gelu_backward GPT_NAME(gelu_backward)
#define cross_entropy GPT_NAME(cross_entropy)

enum { ROWS = GPT_CONTEXT };

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

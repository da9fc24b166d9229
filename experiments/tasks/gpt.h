/*
 * A small character-level GPT: two blocks of causal attention and a perceptron, each behind a layer norm and beside a
 * residual stream (Radford et al. 2019). The matrix that looks characters up also makes the logits.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_GPT_H
#define EXPERIMENTS_GPT_H

#include <stddef.h>

#include "real.h"
#include "support.h"

/* Two sizes: characters_large.c compiles the model once more, with GPT_LARGE. */
#ifdef GPT_LARGE
#define GPT_NAME(x) NAME(x##_large)
enum { GPT_CONTEXT = 64, GPT_WIDTH = 128 };
#else
#define GPT_NAME(x) NAME(x)
enum { GPT_CONTEXT = 32, GPT_WIDTH = 32 };
#endif

#define gpt_init GPT_NAME(gpt_init)
#define gpt_loss GPT_NAME(gpt_loss)
#define gpt_logits GPT_NAME(gpt_logits)

/* GPT_CONTEXT: characters that are looked at. */
enum {
    GPT_CHARACTERS = 64, /* a text may have fewer: the rest is learned never to come */
    GPT_HEADS = 4,
    GPT_HEAD_WIDTH = GPT_WIDTH / GPT_HEADS,
    GPT_HIDDEN = 4 * GPT_WIDTH,
    GPT_LAYERS = 2,
};

/* Where the tensors lie in the parameters: biases and the like right behind their weights. */
enum {
    /* in each layer */
    GPT_NORM_1 = 0,
    GPT_QKV = GPT_NORM_1 + 2 * GPT_WIDTH,
    GPT_MIX = GPT_QKV + (GPT_WIDTH + 1) * 3 * GPT_WIDTH,
    GPT_NORM_2 = GPT_MIX + (GPT_WIDTH + 1) * GPT_WIDTH,
    GPT_UP = GPT_NORM_2 + 2 * GPT_WIDTH,
    GPT_DOWN = GPT_UP + (GPT_WIDTH + 1) * GPT_HIDDEN,
    GPT_LAYER_SIZE = GPT_DOWN + (GPT_HIDDEN + 1) * GPT_WIDTH,
    /* in the model */
    GPT_EMBEDDING = 0,
    GPT_PLACES = GPT_EMBEDDING + GPT_CHARACTERS * GPT_WIDTH,
    GPT_FIRST_LAYER = GPT_PLACES + GPT_CONTEXT * GPT_WIDTH,
    GPT_LAST_NORM = GPT_FIRST_LAYER + GPT_LAYERS * GPT_LAYER_SIZE,
    GPT_PARAMETERS = GPT_LAST_NORM + 2 * GPT_WIDTH,
};

/* Fills the parameters with their starting values. */
void gpt_init(real *params, struct random *random);

/*
 * A window is GPT_CONTEXT + 1 characters, as numbers below GPT_CHARACTERS; each but the first is to be told from those
 * before it. The mean cross-entropy over all characters of `count` windows, in nats; its gradient goes to `grads`
 * unless that is NULL.
 */
double gpt_loss(const real *params, const unsigned char *const *windows, size_t count, real *grads);

/* GPT_CONTEXT rows of GPT_CHARACTERS logits: of the character after each of the window's first GPT_CONTEXT. */
void gpt_logits(const real *params, const unsigned char *window, real *logits);

#endif

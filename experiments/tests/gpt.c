/*
 * The GPT: its losses where they are known, that no character sees a later one, and logits of any size. Its gradient is
 * checked with those of the other tasks.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "gpt.h"

#include <stdbool.h>
#include <string.h>

#include "check.h"

enum { WINDOWS = 2, LENGTH = GPT_CONTEXT + 1 };

static unsigned char characters[WINDOWS][LENGTH];
static const unsigned char *const windows[WINDOWS] = {characters[0], characters[1]};
static float params[GPT_PARAMETERS], grads[GPT_PARAMETERS];

/* Away from the start, so that norms' gains and biases, and the attention, are none of them trivial. */
static void fill_all(uint64_t seed) {
    struct random random = random_stream(seed, 0);
    for (size_t w = 0; w < WINDOWS; w++)
        for (size_t i = 0; i < LENGTH; i++)
            characters[w][i] = (unsigned char)random_uniform(&random, 0, GPT_CHARACTERS);
    gpt_init(params, &random);
    for (size_t i = 0; i < GPT_PARAMETERS; i++) params[i] += (float)random_uniform(&random, -0.3, 0.3);
}

/* The mean over windows: two of them average to both. */
static void check_windows(void) {
    static float first[GPT_PARAMETERS], second[GPT_PARAMETERS];
    fill_all(4);
    double both = gpt_loss(params, windows, WINDOWS, grads);
    double one = gpt_loss(params, windows, 1, first), other = gpt_loss(params, windows + 1, 1, second);
    CHECK_CLOSE((one + other) / 2, both, 1e-12, "the loss of two windows");
    for (size_t i = 0; i < GPT_PARAMETERS; i++)
        CHECK_CLOSE((first[i] + second[i]) / 2, grads[i], 1e-6, "the gradient of two windows");
}

/* At the start all characters are about as likely; with weights of 0 exactly. */
static void check_start(void) {
    struct random random = random_stream(5, 0);
    fill_all(5);
    gpt_init(params, &random);
    CHECK_CLOSE(gpt_loss(params, windows, WINDOWS, NULL), log(GPT_CHARACTERS), 0.1, "the loss at the start");
    memset(params, 0, sizeof params);
    CHECK_CLOSE(gpt_loss(params, windows, WINDOWS, NULL), log(GPT_CHARACTERS), 1e-6, "the loss of zero weights");
}

static void check_causality(void) {
    enum { CHANGED = 20 };
    static float before[GPT_CONTEXT][GPT_CHARACTERS], after[GPT_CONTEXT][GPT_CHARACTERS];
    fill_all(6);
    gpt_logits(params, windows[0], before[0]);
    characters[0][CHANGED] = (unsigned char)((characters[0][CHANGED] + 1) % GPT_CHARACTERS);
    gpt_logits(params, windows[0], after[0]);
    for (size_t r = 0; r < GPT_CONTEXT; r++) {
        bool same = memcmp(before[r], after[r], sizeof *before) == 0;
        CHECK(same == (r < CHANGED), "logits behind character %zu %s when character %d changed", r,
              same ? "stayed the same" : "changed", CHANGED);
    }
}

/* exp() of such logits would overflow. */
static void check_stability(void) {
    fill_all(7);
    for (size_t i = 0; i < GPT_PARAMETERS; i++) params[i] *= 1e3F;
    double loss = gpt_loss(params, windows, WINDOWS, grads);
    CHECK(isfinite(loss) && loss > 100, "a loss of %g", loss);
    size_t finite = 0;
    for (size_t i = 0; i < GPT_PARAMETERS; i++) finite += isfinite(grads[i]) != 0;
    CHECK(finite == GPT_PARAMETERS, "%zu of %d gradients are finite", finite, GPT_PARAMETERS);
}

int main(void) {
    check_windows();
    check_start();
    check_causality();
    check_stability();
    return check_result("gpt");
}

/*
 * The small GPT (gpt.h) on Shakespeare's plays, character by character.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <stdlib.h>

#include "datasets.h"
#include "gpt.h"
#include "task.h"

#ifdef GPT_LARGE
enum { BATCH = 8, MEASURED = 64, STEPS = 2000 };
#else
enum { BATCH = 4, MEASURED = 64, STEPS = 800 };
#endif
enum { WINDOW = GPT_CONTEXT + 1 };

struct problem {
    uint64_t seed;
    const struct text *text;
    struct random random;
    const unsigned char *batch[BATCH], *train[MEASURED], *held_out[MEASURED];
};

static void *open(uint64_t seed) {
    struct problem *problem = allocate(1, sizeof *problem);
    problem->seed = seed;
    problem->text = shakespeare();
    problem->random = random_stream(seed, STREAM_BATCHES);
    text_spread(&problem->text->train, WINDOW, problem->train, MEASURED);
    text_spread(&problem->text->held_out, WINDOW, problem->held_out, MEASURED);
    return problem;
}

static void close(void *problem) {
    free(problem);
}

static void start(void *problem, void *params) {
    struct random random = random_stream(((struct problem *)problem)->seed, STREAM_START);
    gpt_init(params, &random);
}

static double gradient(void *opened, const void *params, void *grads) {
    struct problem *problem = opened;
    const struct part *train = &problem->text->train;
    for (size_t i = 0; i < BATCH; i++)
        problem->batch[i] =
            train->codes + (size_t)random_uniform(&problem->random, 0, (double)(train->len - WINDOW + 1));
    return gpt_loss(params, problem->batch, BATCH, grads);
}

static double objective(void *problem, const void *params) {
    return gpt_loss(params, ((struct problem *)problem)->train, MEASURED, NULL);
}

static double held_out(void *problem, const void *params) {
    return gpt_loss(params, ((struct problem *)problem)->held_out, MEASURED, NULL);
}

const struct task_functions GPT_NAME(characters) = {open, close, start, gradient, objective, held_out};

#ifdef REAL_F64

#define LAYER_LENS                                                                                           \
    2 * GPT_WIDTH, GPT_WIDTH * 3 * GPT_WIDTH, 3 * GPT_WIDTH, GPT_WIDTH *GPT_WIDTH, GPT_WIDTH, 2 * GPT_WIDTH, \
        GPT_WIDTH *GPT_HIDDEN, GPT_HIDDEN, GPT_HIDDEN *GPT_WIDTH, GPT_WIDTH

static const size_t lens[] = {
    GPT_CHARACTERS * GPT_WIDTH, GPT_CONTEXT *GPT_WIDTH, LAYER_LENS, LAYER_LENS, 2 * GPT_WIDTH,
};

#ifdef GPT_LARGE

extern const struct task_functions characters_large_f32;

const struct task task_characters_large = {
    .name = "characters-large",
    .title = "Character GPT, larger",
    .description = "The same with 413,000 parameters (width 128, context 64), 8 windows of 64 characters a gradient.",
    .f32 = &characters_large_f32,
    .f64 = &characters_large_f64,
#else

extern const struct task_functions characters_f32;

const struct task task_characters = {
    .name = "characters",
    .title = "Character GPT",
    .description = "A GPT of 28,000 parameters (two blocks, width 32, four heads, context 32) on a quarter of a "
                   "million characters of Shakespeare's plays, 4 windows of 32 characters a gradient, no weight decay. "
                   "Reported: the cross-entropy in nats a character on 64 windows of the text that is trained on; "
                   "held out: on 64 windows of its last tenth.",
    .f32 = &characters_f32,
    .f64 = &characters_f64,
#endif
    .dim = GPT_PARAMETERS,
    .tensors = sizeof lens / sizeof *lens,
    .lens = lens,
    .batch = BATCH,
    .steps = STEPS,
};

#endif

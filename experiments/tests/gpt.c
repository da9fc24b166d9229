/*
 * The GPT: its gradient against finite differences, its losses where they are known, and that no character sees a later
 * one.
 *
 * The model is compiled here once more, in double, where finite differences are sharp; the one in float is compared
 * with that.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#define GPT_REAL double
#define gpt_init init_double
#define gpt_loss loss_double
#define gpt_logits logits_double
#define multiply_add multiply_add_double
#define transpose transpose_double
#define linear_add linear_add_double
#define linear_backward linear_backward_double
#define norm_forward norm_forward_double
#define norm_backward norm_backward_double
#define attention_forward attention_forward_double
#define attention_backward attention_backward_double
#define gelu_forward gelu_forward_double
#define gelu_backward gelu_backward_double
#define cross_entropy cross_entropy_double
#include "../parts/gpt.c"
#include "../parts/gpt_layers.c"
#undef gpt_init
#undef gpt_loss
#undef gpt_logits
#undef exp
#undef sqrt
#undef fabs
#undef log

#include "check.h"
#include "optimizer.h"

/* Those of the programs, in float. */
void gpt_init(float *params, struct random *random);
double gpt_loss(const float *params, const unsigned char *const *windows, size_t count, float *grads);
void gpt_logits(const float *params, const unsigned char *window, float *logits);

enum { WINDOWS = 2, LENGTH = GPT_CONTEXT + 1 };

static unsigned char characters[WINDOWS][LENGTH];
static const unsigned char *const windows[WINDOWS] = {characters[0], characters[1]};
static double params[GPT_PARAMETERS], grads[GPT_PARAMETERS];
static float params_float[GPT_PARAMETERS], grads_float[GPT_PARAMETERS];

/* Away from the start, so that norms' gains and biases, and the attention, are none of them trivial. */
static void fill_all(uint64_t seed) {
    struct random random = random_stream(seed, 0);
    for (size_t w = 0; w < WINDOWS; w++)
        for (size_t i = 0; i < LENGTH; i++)
            characters[w][i] = (unsigned char)random_uniform(&random, 0, GPT_CHARACTERS);
    init_double(params, &random);
    for (size_t i = 0; i < GPT_PARAMETERS; i++) {
        params[i] += random_uniform(&random, -0.3, 0.3);
        params_float[i] = (float)params[i];
        params[i] = (double)params_float[i];
    }
}

static double loss_along(const double *direction, size_t from, size_t to, double step) {
    static double moved[GPT_PARAMETERS];
    memcpy(moved, params, sizeof moved);
    for (size_t i = from; i < to; i++) moved[i] += step * direction[i];
    return loss_double(moved, windows, WINDOWS, NULL);
}

/* Along a random direction in the parameters `from` to `to - 1`: an error in any of them shows. */
static void check_slope(size_t from, size_t to, struct random *random) {
    static double direction[GPT_PARAMETERS];
    const double h = 2e-4;
    double slope = 0;
    for (size_t i = from; i < to; i++) {
        direction[i] = random_uniform(random, -1, 1);
        slope += direction[i] * grads[i];
    }
    double near = loss_along(direction, from, to, h) - loss_along(direction, from, to, -h);
    double far = loss_along(direction, from, to, 2 * h) - loss_along(direction, from, to, -2 * h);
    double expected = (8 * near - far) / (12 * h);
    CHECK(fabs(slope - expected) <= 1e-7, "parameters %zu to %zu: a slope of %.9g, not %.9g", from, to - 1, slope,
          expected);
    CHECK(fabs(expected) > 1e-5, "parameters %zu to %zu: a slope so small (%g) that the tolerance means nothing", from,
          to - 1, expected);
}

static void check_gradient(void) {
    static const size_t in_layer[] = {
        GPT_NORM_1, GPT_NORM_1 + GPT_WIDTH, GPT_QKV,    GPT_QKV + GPT_WIDTH * 3 * GPT_WIDTH, GPT_MIX,
        GPT_MIX + GPT_WIDTH * GPT_WIDTH,    GPT_NORM_2, GPT_NORM_2 + GPT_WIDTH,              GPT_UP,
        GPT_UP + GPT_WIDTH * GPT_HIDDEN,    GPT_DOWN,   GPT_DOWN + GPT_HIDDEN * GPT_WIDTH,   GPT_LAYER_SIZE,
    };
    fill_all(1);
    double loss = loss_double(params, windows, WINDOWS, grads);
    CHECK(loss > 1 && loss < 20, "a loss of %g", loss);
    struct random random = random_stream(2, 0);
    for (size_t repeat = 0; repeat < 2; repeat++) {
        check_slope(GPT_EMBEDDING, GPT_PLACES, &random);
        check_slope(GPT_PLACES, GPT_FIRST_LAYER, &random);
        for (size_t l = 0; l < GPT_LAYERS; l++)
            for (size_t t = 0; t + 1 < sizeof in_layer / sizeof *in_layer; t++) {
                size_t start = GPT_FIRST_LAYER + l * GPT_LAYER_SIZE;
                check_slope(start + in_layer[t], start + in_layer[t + 1], &random);
            }
        check_slope(GPT_LAST_NORM, GPT_LAST_NORM + GPT_WIDTH, &random);
        check_slope(GPT_LAST_NORM + GPT_WIDTH, GPT_PARAMETERS, &random);
    }
}

/* The float model is the same one: its gradient is off by its rounding errors alone. */
static void check_float(void) {
    fill_all(3);
    double expected = loss_double(params, windows, WINDOWS, grads), largest = 0, furthest = 0;
    double loss = gpt_loss(params_float, windows, WINDOWS, grads_float);
    CHECK_CLOSE(loss, expected, 1e-5, "the loss in float");
    for (size_t i = 0; i < GPT_PARAMETERS; i++) {
        largest = fmax(largest, fabs(grads[i]));
        furthest = fmax(furthest, fabs((double)grads_float[i] - grads[i]));
    }
    CHECK(furthest <= 1e-5 * largest, "the gradient in float is off by %g, where it is up to %g", furthest, largest);
}

/* The mean over windows: two of them average to both. */
static void check_windows(void) {
    static float first[GPT_PARAMETERS], second[GPT_PARAMETERS];
    fill_all(4);
    double both = gpt_loss(params_float, windows, WINDOWS, grads_float);
    double one = gpt_loss(params_float, windows, 1, first), other = gpt_loss(params_float, windows + 1, 1, second);
    CHECK_CLOSE((one + other) / 2, both, 1e-12, "the loss of two windows");
    for (size_t i = 0; i < GPT_PARAMETERS; i++)
        CHECK_CLOSE((first[i] + second[i]) / 2, grads_float[i], 1e-6, "the gradient of two windows");
}

/* At the start all characters are about as likely; with weights of 0 exactly. */
static void check_start(void) {
    struct random random = random_stream(5, 0);
    fill_all(5);
    gpt_init(params_float, &random);
    CHECK_CLOSE(gpt_loss(params_float, windows, WINDOWS, NULL), log(GPT_CHARACTERS), 0.1, "the loss at the start");
    memset(params_float, 0, sizeof params_float);
    CHECK_CLOSE(gpt_loss(params_float, windows, WINDOWS, NULL), log(GPT_CHARACTERS), 1e-6, "the loss of zero weights");
}

static void check_causality(void) {
    enum { CHANGED = 20 };
    static float before[GPT_CONTEXT][GPT_CHARACTERS], after[GPT_CONTEXT][GPT_CHARACTERS];
    fill_all(6);
    gpt_logits(params_float, windows[0], before[0]);
    characters[0][CHANGED] = (unsigned char)((characters[0][CHANGED] + 1) % GPT_CHARACTERS);
    gpt_logits(params_float, windows[0], after[0]);
    for (size_t r = 0; r < GPT_CONTEXT; r++) {
        bool same = memcmp(before[r], after[r], sizeof *before) == 0;
        CHECK(same == (r < CHANGED), "logits behind character %zu %s when character %d changed", r,
              same ? "stayed the same" : "changed", CHANGED);
    }
}

/* exp() of such logits would overflow. */
static void check_stability(void) {
    fill_all(7);
    for (size_t i = 0; i < GPT_PARAMETERS; i++) params_float[i] *= 1e3F;
    double loss = gpt_loss(params_float, windows, WINDOWS, grads_float);
    CHECK(isfinite(loss) && loss > 100, "a loss of %g", loss);
    size_t finite = 0;
    for (size_t i = 0; i < GPT_PARAMETERS; i++) finite += isfinite(grads_float[i]) != 0;
    CHECK(finite == GPT_PARAMETERS, "%zu of %d gradients are finite", finite, GPT_PARAMETERS);
}

/* What is learned by heart is known in the end, and the same run ends on the same bits. */
static void check_learning(void) {
    const size_t len = GPT_PARAMETERS;
    double losses[2];
    for (size_t run = 0; run < 2; run++) {
        float *moving = params_float;
        const float *given = grads_float;
        struct random random = random_stream(8, 0);
        fill_all(8);
        gpt_init(params_float, &random);
        struct optimizer *optimizer = method_adam.create(&method_adam, &len, 1, 1e-2);
        for (size_t step = 0; step < 100; step++) {
            gpt_loss(params_float, windows, WINDOWS, grads_float);
            CHECK(optimizer->step(optimizer, &moving, &given), "refused step %zu", step);
        }
        losses[run] = gpt_loss(params_float, windows, WINDOWS, NULL);
        optimizer->destroy(optimizer);
    }
    CHECK(losses[0] < 0.1, "two windows, read a hundred times: a loss of %g", losses[0]);
    CHECK(losses[0] == losses[1], "the same run ended on %.17g and %.17g", losses[0], losses[1]);
}

int main(void) {
    check_gradient();
    check_float();
    check_windows();
    check_start();
    check_causality();
    check_stability();
    check_learning();
    return check_result("gpt");
}

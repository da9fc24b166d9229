/*
 * The perceptron's gradient against finite differences, and its loss where exponentials overflow.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <string.h>

#include "check.h"
#include "model.h"

enum { ROWS = 12 };

static struct dataset random_data(const struct model *model, struct random *random) {
    struct dataset data = {ROWS, model->features, allocate(ROWS * model->features, sizeof(float)),
                           allocate(ROWS, sizeof(int))};
    for (size_t i = 0; i < ROWS * model->features; i++) data.inputs[i] = (float)random_uniform(random, -1, 1);
    for (size_t i = 0; i < ROWS; i++) data.labels[i] = (int)random_uniform(random, 0, model->classes);
    return data;
}

static double loss_at(const struct model *model, float **params, const struct dataset *data, float *param,
                      float value) {
    float kept = *param;
    *param = value;
    double loss = model->loss((const float *const *)params, data, NULL, data->rows, NULL);
    *param = kept;
    return loss;
}

/* Four points, so that the step can be wide: the perceptron computes in float, and narrow steps would drown in that. */
static double numeric(const struct model *model, float **params, const struct dataset *data, float *param) {
    const float h = 1.0F / 32, x = *param;
    double near = loss_at(model, params, data, param, x + h) - loss_at(model, params, data, param, x - h);
    double far = loss_at(model, params, data, param, x + 2 * h) - loss_at(model, params, data, param, x - 2 * h);
    return (8 * near - far) / (12 * (double)h);
}

static void check_gradient(const struct model *model) {
    struct random random = random_stream(7, 0);
    struct dataset data = random_data(model, &random);
    float *params[MAX_TENSORS], *grads[MAX_TENSORS];
    model_allocate(model, params);
    model_allocate(model, grads);
    for (size_t t = 0; t < model->tensors; t++)
        for (size_t i = 0; i < model->lens[t]; i++) params[t][i] = (float)random_uniform(&random, -0.5, 0.5);

    double loss = model->loss((const float *const *)params, &data, NULL, data.rows, grads);
    CHECK(loss > 0.1 && loss < 10, "%s: a loss of %g", model->name, loss);
    double largest = 0;
    for (size_t t = 0; t < model->tensors; t++)
        for (size_t i = 0; i < model->lens[t]; i++) {
            double expected = numeric(model, params, &data, params[t] + i);
            largest = fmax(largest, fabs(expected));
            CHECK(fabs((double)grads[t][i] - expected) <= 2e-5, "%s: tensor %zu, element %zu: %.7g, not %.7g",
                  model->name, t, i, (double)grads[t][i], expected);
        }
    CHECK(largest > 0.02, "%s: gradients so small (%g) that the tolerance means nothing", model->name, largest);

    model_release(model, params);
    model_release(model, grads);
    dataset_free(&data);
}

/* A minibatch is the mean over its rows: two halves average to the whole. */
static void check_rows(const struct model *model) {
    struct random random = random_stream(8, 0);
    struct dataset data = random_data(model, &random);
    float *params[MAX_TENSORS], *whole[MAX_TENSORS], *first[MAX_TENSORS], *second[MAX_TENSORS];
    model_allocate(model, params);
    model_allocate(model, whole);
    model_allocate(model, first);
    model_allocate(model, second);
    model->init(params, &random);
    const float *const *at = (const float *const *)params;

    const size_t rows[ROWS] = {11, 3, 5, 0, 1, 8, 7, 2, 10, 9, 4, 6};
    double all = model->loss(at, &data, NULL, ROWS, whole);
    double half = model->loss(at, &data, rows, ROWS / 2, first);
    double other_half = model->loss(at, &data, rows + ROWS / 2, ROWS / 2, second);
    CHECK_CLOSE((half + other_half) / 2, all, 1e-6, model->name);
    for (size_t t = 0; t < model->tensors; t++)
        for (size_t i = 0; i < model->lens[t]; i++)
            CHECK_CLOSE((first[t][i] + second[t][i]) / 2, whole[t][i], 1e-6, model->name);

    model_release(model, params);
    model_release(model, whole);
    model_release(model, first);
    model_release(model, second);
    dataset_free(&data);
}

/* Who is told of tensors: which one has to be next, and what all of them have to be in the end. */
struct told {
    size_t left;
    float **grads, **expected;
};

static void ready(void *context, size_t tensor) {
    struct told *told = context;
    told->left--;
    CHECK(tensor == told->left, "told of tensor %zu, not %zu", tensor, told->left);
    for (size_t i = 0; i < mlp.lens[tensor]; i++)
        CHECK(told->grads[tensor][i] == told->expected[tensor][i], "tensor %zu, element %zu: told of it too early",
              tensor, i);
}

/* Tensors are complete when the program is told of them, the last first; parts of a minibatch add up to it. */
static void check_parts(void) {
    struct random random = random_stream(11, 0);
    struct dataset data = random_data(&mlp, &random);
    float *params[MAX_TENSORS], *whole[MAX_TENSORS], *part[MAX_TENSORS], *sum[MAX_TENSORS];
    model_allocate(&mlp, params);
    model_allocate(&mlp, whole);
    model_allocate(&mlp, part);
    model_allocate(&mlp, sum);
    mlp.init(params, &random);
    const float *const *at = (const float *const *)params;

    double loss = mlp.loss(at, &data, NULL, ROWS, whole), losses = 0;
    struct told told = {mlp.tensors, part, whole};
    CHECK(mlp_gradient(at, &data, NULL, ROWS, ROWS, part, ready, &told) == loss, "another loss");
    CHECK(told.left == 0, "not told of %zu tensors", told.left);

    const size_t rows[ROWS] = {11, 3, 5, 0, 1, 8, 7, 2, 10, 9, 4, 6}, cuts[] = {0, 7, 7, ROWS};
    for (size_t i = 0; i + 1 < sizeof cuts / sizeof *cuts; i++) {
        losses += mlp_gradient(at, &data, rows + cuts[i], cuts[i + 1] - cuts[i], ROWS, part, NULL, NULL);
        for (size_t t = 0; t < mlp.tensors; t++)
            for (size_t j = 0; j < mlp.lens[t]; j++) sum[t][j] += part[t][j];
    }
    CHECK_CLOSE(losses, loss, 1e-6, "the sum of the losses of parts");
    for (size_t t = 0; t < mlp.tensors; t++)
        for (size_t j = 0; j < mlp.lens[t]; j++) CHECK_CLOSE(sum[t][j], whole[t][j], 1e-6, "a sum of gradients");

    model_release(&mlp, params);
    model_release(&mlp, whole);
    model_release(&mlp, part);
    model_release(&mlp, sum);
    dataset_free(&data);
}

/* Weights of 1e4: exp() of a logit would overflow. Loss and gradient stay finite, and right. */
static void check_stability(const struct model *model) {
    struct random random = random_stream(9, 0);
    struct dataset data = random_data(model, &random);
    float *params[MAX_TENSORS], *grads[MAX_TENSORS];
    model_allocate(model, params);
    model_allocate(model, grads);
    for (size_t t = 0; t < model->tensors; t++)
        for (size_t i = 0; i < model->lens[t]; i++) params[t][i] = (float)random_uniform(&random, -1e4, 1e4);
    double loss = model->loss((const float *const *)params, &data, NULL, data.rows, grads);
    CHECK(isfinite(loss) && loss > 100, "%s: a loss of %g", model->name, loss);
    for (size_t t = 0; t < model->tensors; t++)
        for (size_t i = 0; i < model->lens[t]; i++)
            CHECK(isfinite(grads[t][i]), "%s: tensor %zu, element %zu is not finite", model->name, t, i);
    model_release(model, params);
    model_release(model, grads);
    dataset_free(&data);
}

/* At zero weights every class is as likely as the next: the loss is the logarithm of their number. */
static void check_start(const struct model *model) {
    struct random random = random_stream(10, 0);
    struct dataset data = random_data(model, &random);
    float *params[MAX_TENSORS];
    model_allocate(model, params);
    double loss = model->loss((const float *const *)params, &data, NULL, data.rows, NULL);
    CHECK_CLOSE(loss, log(model->classes), 1e-6, model->name);
    model_release(model, params);
    dataset_free(&data);
}

int main(void) {
    check_gradient(&mlp);
    check_rows(&mlp);
    check_stability(&mlp);
    check_start(&mlp);
    check_parts();
    return check_result("gradients");
}

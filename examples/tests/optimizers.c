/*
 * The optimizers on a few steps over two tensors, against closed forms in double.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "check.h"
#include "optimizer.h"
#include "support.h"

enum { STEPS = 4, DIM = 5 };

static const size_t lens[] = {3, 2};
static const float gradients[STEPS][DIM] = {
    {1, -2, 0.5F, 3, -0.25F}, {0.5F, 2, 0.5F, -1, 8}, {-3, 1, 0.25F, 1, 1}, {2, 2, -4, 0.125F, 100}};
static const double lr = 0.1;

/* How far one parameter moves in step `t` (from 0), given all its gradients until then. */
typedef double (*closed_form)(const double *g, size_t t);

static double adam(const double *g, size_t t) {
    double first = 0, second = 0;
    for (size_t i = 0; i <= t; i++) {
        first += 0.1 * pow(0.9, (double)(t - i)) * g[i];
        second += 0.001 * pow(0.999, (double)(t - i)) * g[i] * g[i];
    }
    double steps = (double)t + 1;
    return first / (1 - pow(0.9, steps)) / (sqrt(second / (1 - pow(0.999, steps))) + 1e-8);
}

static double adagrad(const double *g, size_t t) {
    double sum = 0;
    for (size_t i = 0; i <= t; i++) sum += g[i] * g[i];
    return g[t] / sqrt(sum);
}

static double momentum(const double *g, size_t t) {
    double velocity = 0;
    for (size_t i = 0; i <= t; i++) velocity += pow(0.9, (double)(t - i)) * g[i];
    return velocity;
}

static void check_baseline(const struct method *method, closed_form expected) {
    float values[DIM] = {1, 2, 3, 4, 5};
    double reference[DIM] = {1, 2, 3, 4, 5};
    float *params[] = {values, values + lens[0]};
    struct optimizer *optimizer = method->create(method, lens, 2, lr);
    for (size_t t = 0; t < STEPS; t++) {
        const float *grads[] = {gradients[t], gradients[t] + lens[0]};
        CHECK(optimizer->step(optimizer, params, grads), "%s: refused step %zu", method->name, t);
        for (size_t i = 0; i < DIM; i++) {
            double g[STEPS];
            for (size_t past = 0; past < STEPS; past++) g[past] = (double)gradients[past][i];
            reference[i] -= lr * expected(g, t);
            CHECK_CLOSE(values[i], reference[i], 2e-6 * (1 + fabs(reference[i])), method->name);
        }
    }
    optimizer->destroy(optimizer);
}

/* With k = 1 the window is the newest gradient, and lmada's update is g/sqrt(|g|^2 + eps). */
static void check_lmada(void) {
    lmada_config_t config;
    CHECK(lmada_config_init(&config, sizeof config) == LMADA_OK, "%s", lmada_last_error());
    config.history_size = 1;
    struct method method = method_lmada("lmada", &config);
    struct optimizer *optimizer = method.create(&method, lens, 2, lr);

    float values[DIM] = {1, 2, 3, 4, 5};
    double reference[DIM] = {1, 2, 3, 4, 5};
    float *params[] = {values, values + lens[0]};
    for (size_t t = 0; t < STEPS; t++) {
        const float *grads[] = {gradients[t], gradients[t] + lens[0]};
        double square = 0;
        for (size_t i = 0; i < DIM; i++) square += (double)gradients[t][i] * (double)gradients[t][i];
        CHECK(optimizer->step(optimizer, params, grads), "lmada: refused step %zu", t);
        for (size_t i = 0; i < DIM; i++) {
            reference[i] -= lr * (double)gradients[t][i] / sqrt(square + config.eps);
            CHECK_CLOSE(values[i], reference[i], 2e-6, "lmada");
        }
    }

    /* A gradient that is not a number is refused, and changes nothing. */
    const float bad_values[DIM] = {0, 0, NAN, 0, 0};
    const float *bad[] = {bad_values, bad_values + lens[0]};
    float before[DIM];
    for (size_t i = 0; i < DIM; i++) before[i] = values[i];
    CHECK(!optimizer->step(optimizer, params, bad), "lmada: took a NaN");
    for (size_t i = 0; i < DIM; i++) CHECK(values[i] == before[i], "lmada: moved parameter %zu on a NaN", i);
    optimizer->destroy(optimizer);
}

int main(void) {
    check_baseline(&method_adam, adam);
    check_baseline(&method_adagrad, adagrad);
    check_baseline(&method_momentum, momentum);
    check_lmada();
    return check_result("optimizers");
}

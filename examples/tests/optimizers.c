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

/* As long as `norm` at most. */
static double clipped_share(const float gradient[DIM], double norm) {
    double square = 0;
    for (size_t i = 0; i < DIM; i++) square += (double)gradient[i] * (double)gradient[i];
    return fmin(1, norm / sqrt(square));
}

/* AdamW with a learning rate that changes, on clipped gradients: step for step in double. */
static void check_adamw(void) {
    struct method method = method_adam;
    method.baseline = (struct baseline){.beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.1, .grad_clip_norm = 4};
    float values[DIM] = {1, 2, 3, 4, 5};
    double reference[DIM] = {1, 2, 3, 4, 5}, first[DIM] = {0}, second[DIM] = {0};
    float *params[] = {values, values + lens[0]};
    struct optimizer *optimizer = method.create(&method, lens, 2, 7);
    for (size_t t = 0; t < STEPS; t++) {
        const float *grads[] = {gradients[t], gradients[t] + lens[0]};
        double lr_now = lr / ((double)t + 1), steps = (double)t + 1, share = clipped_share(gradients[t], 4);
        CHECK(t > 1 || (share < 1) == (t == 1), "step %zu: a gradient that is clipped to %g", t, share);
        optimizer->set_lr(optimizer, lr_now);
        CHECK(optimizer->step(optimizer, params, grads), "AdamW: refused step %zu", t);
        for (size_t i = 0; i < DIM; i++) {
            double g = share * (double)gradients[t][i];
            first[i] = 0.8 * first[i] + 0.2 * g;
            second[i] = 0.95 * second[i] + 0.05 * g * g;
            reference[i] *= 1 - lr_now * 0.1;
            reference[i] -= lr_now * first[i] / (1 - pow(0.8, steps)) /
                            (sqrt(second[i] / (1 - pow(0.95, steps))) + 1e-8);
            CHECK_CLOSE(values[i], reference[i], 4e-6 * (1 + fabs(reference[i])), "AdamW");
        }
    }
    optimizer->destroy(optimizer);
}

/* A first step is as long as the learning rate says. */
static void check_set_lr(const struct method *method) {
    float once[DIM] = {0}, twice[DIM] = {0};
    float *moved[] = {once, once + lens[0]}, *moved_twice[] = {twice, twice + lens[0]};
    const float *grads[] = {gradients[0], gradients[0] + lens[0]};
    struct optimizer *optimizer = method->create(method, lens, 2, lr), *other = method->create(method, lens, 2, lr);
    other->set_lr(other, 2 * lr);
    CHECK(optimizer->step(optimizer, moved, grads) && other->step(other, moved_twice, grads), "refused a step");
    for (size_t i = 0; i < DIM; i++) CHECK_CLOSE(twice[i], 2 * once[i], 1e-6, method->name);
    CHECK(fabs((double)once[0]) > 1e-3, "%s: did not move", method->name);
    optimizer->destroy(optimizer);
    other->destroy(other);
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
    check_adamw();
    check_lmada();
    lmada_config_t config;
    CHECK(lmada_config_init(&config, sizeof config) == LMADA_OK, "%s", lmada_last_error());
    const struct method methods[] = {method_adam, method_adagrad, method_momentum, method_lmada("lmada", &config)};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) check_set_lr(methods + i);
    return check_result("optimizers");
}

/*
 * The optimizers on a few steps, in both precisions, against references of a few lines in double.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "check.h"
#include "methods/method.h"
#include "settings.h"

enum { STEPS = 5, DIM = 4 };

static const double gradients[STEPS][DIM] = {
    {1, -2, 0.5, 3}, {0.5, 2, 0.5, -1}, {-3, 1, 0.25, 1}, {2, 2, -4, 0.125}, {0, 1e-3, 100, -7}};

/* A learning rate that changes from step to step. */
static double lr_of(size_t step) {
    return 0.1 / (1 + (double)step);
}

/* One parameter of a reference: its gradient and the number of the step, counted from 1, move it. */
struct reference {
    double w, first, second;
};
typedef void (*reference_step)(struct reference *at, double g, double lr, int step);

static void adam(struct reference *at, double g, double lr, int step) {
    at->first = 0.8 * at->first + 0.2 * g;
    at->second = 0.95 * at->second + 0.05 * g * g;
    at->w -= lr * (at->first / (1 - pow(0.8, step))) / (sqrt(at->second / (1 - pow(0.95, step))) + 1e-8);
}

static void adamw(struct reference *at, double g, double lr, int step) {
    at->w -= lr * 0.01 * at->w;
    adam(at, g, lr, step);
}

static void adagrad(struct reference *at, double g, double lr, int step) {
    if (step == 1) at->first = 0.1;
    at->first += g * g;
    at->w -= lr * g / (sqrt(at->first) + 1e-5);
}

static void momentum(struct reference *at, double g, double lr, int step) {
    (void)step;
    at->first = 0.95 * at->first + g;
    at->w -= lr * at->first;
}

static void check_method(const char *name, const struct method *method, reference_step expected, bool f64) {
    double wide[DIM] = {1, -2, 3, 4};
    float narrow[DIM] = {1, -2, 3, 4}, narrow_grads[DIM];
    struct reference references[DIM] = {{1, 0, 0}, {-2, 0, 0}, {3, 0, 0}, {4, 0, 0}};
    double tolerance = f64 ? 1e-13 : 3e-6;
    struct optimizer *optimizer = method->create(method, DIM, f64);
    for (size_t t = 0; t < STEPS; t++) {
        for (size_t i = 0; i < DIM; i++) narrow_grads[i] = (float)gradients[t][i];
        optimizer->set_lr(optimizer, lr_of(t));
        CHECK(f64 ? optimizer->step(optimizer, wide, gradients[t]) : optimizer->step(optimizer, narrow, narrow_grads),
              "%s: step %zu refused", name, t);
        for (size_t i = 0; i < DIM; i++) {
            expected(references + i, f64 ? gradients[t][i] : (double)narrow_grads[i], lr_of(t), (int)t + 1);
            CHECK_CLOSE(f64 ? wide[i] : (double)narrow[i], references[i].w, tolerance * (1 + fabs(references[i].w)),
                        name);
        }
    }
    optimizer->destroy(optimizer);
}

/* With k = 1 and no momentum lmada's update is g/sqrt(|g|^2 + eps). */
static void check_lmada(bool f64) {
    lmada_config_t config;
    CHECK(lmada_config_init(&config, sizeof config) == LMADA_OK, "%s", lmada_last_error());
    config.history_size = 1;
    struct method method = method_lmada(&config);
    struct optimizer *optimizer = method.create(&method, DIM, f64);
    double wide[DIM] = {0}, reference[DIM] = {0}, bad[DIM] = {0, NAN, 0, 0};
    float narrow[DIM] = {0}, narrow_grads[DIM], narrow_bad[DIM] = {0, NAN, 0, 0};
    for (size_t t = 0; t < STEPS; t++) {
        double square = 0;
        for (size_t i = 0; i < DIM; i++) {
            narrow_grads[i] = (float)gradients[t][i];
            square += gradients[t][i] * gradients[t][i];
        }
        optimizer->set_lr(optimizer, lr_of(t));
        CHECK(f64 ? optimizer->step(optimizer, wide, gradients[t]) : optimizer->step(optimizer, narrow, narrow_grads),
              "lmada: step %zu refused", t);
        for (size_t i = 0; i < DIM; i++) {
            reference[i] -= lr_of(t) * gradients[t][i] / sqrt(square + config.eps);
            CHECK_CLOSE(f64 ? wide[i] : (double)narrow[i], reference[i], f64 ? 1e-12 : 2e-6, "lmada");
        }
    }
    float before[DIM];
    for (size_t i = 0; i < DIM; i++) before[i] = narrow[i];
    CHECK(!(f64 ? optimizer->step(optimizer, wide, bad) : optimizer->step(optimizer, narrow, narrow_bad)),
          "lmada: took a NaN");
    for (size_t i = 0; i < DIM; i++) CHECK(narrow[i] == before[i], "lmada: moved parameter %zu on a NaN", i);
    optimizer->destroy(optimizer);
}

/* Every family but the variants has as many settings, every name is there once, and each setting makes an optimizer. */
static void check_settings(void) {
    struct settings settings = settings_new(true);
    size_t counts[FAMILY_COUNT] = {0};
    for (size_t s = 0; s < settings.count; s++) {
        const struct setting *setting = settings.list + s;
        counts[setting->family]++;
        CHECK(setting_find(&settings, setting->name) == s, "two settings are called %s", setting->name);
        if (!setting_has_lr(setting)) continue;
        float params[DIM] = {1, 1, 1, 1}, grads[DIM] = {1, 2, 3, 4};
        struct optimizer *optimizer = setting->method.create(&setting->method, DIM, false);
        optimizer->set_lr(optimizer, 0.01);
        CHECK(optimizer->step(optimizer, params, grads) && params[3] < 1, "%s does not descend", setting->name);
        optimizer->destroy(optimizer);
    }
    for (enum family f = 0; f < FAMILY_VARIANTS; f++)
        CHECK(counts[f] == 4, "%s has %zu settings", family_names[f], counts[f]);
    lmada_config_t config;
    CHECK(lmada_config_recommended(&config, sizeof config) == LMADA_OK, "%s", lmada_last_error());
    CHECK(setting_of_config(&settings, &config) != NULL, "lmada_config_recommended is no setting of the table");
}

int main(void) {
    for (int f64 = 0; f64 < 2; f64++) {
        struct method method = method_adam(0.8, 0.95, 0);
        check_method("Adam", &method, adam, f64);
        method = method_adam(0.8, 0.95, 0.01);
        check_method("AdamW", &method, adamw, f64);
        method = method_adagrad(1e-5, 0.1);
        check_method("Adagrad", &method, adagrad, f64);
        method = method_momentum(0.95);
        check_method("SGD", &method, momentum, f64);
        check_lmada(f64);
    }
    check_settings();
    return check_result("optimizers");
}

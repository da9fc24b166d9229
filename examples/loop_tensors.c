/*
 * Trains a model that is a list of tensors, each with its own gradient: first with an Adam that loops over the list,
 * then with lmada. Five lines change for lmada. lmada does not copy the tensors.
 *
 *     loop_tensors DIGITS.csv
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <lmada.h> /* line 1 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

enum { BATCH = 64, STEPS = 500 };

/* The model as the loop sees it: the addresses and the lengths of the tensors. */
struct tensors {
    size_t count, total;
    const size_t *lens;
    float *params[MAX_TENSORS], *grads[MAX_TENSORS];
};

static struct tensors new_tensors(struct random *random) {
    struct tensors tensors = {.count = mlp.tensors, .lens = mlp.lens};
    for (size_t t = 0; t < mlp.tensors; t++) tensors.total += mlp.lens[t];
    model_allocate(&mlp, tensors.params);
    model_allocate(&mlp, tensors.grads);
    mlp.init(tensors.params, random);
    return tensors;
}

static void free_tensors(struct tensors *tensors) {
    model_release(&mlp, tensors->params);
    model_release(&mlp, tensors->grads);
}

static void backward(struct tensors *tensors, const struct dataset *data, struct random *random) {
    size_t rows[BATCH];
    for (int b = 0; b < BATCH; b++) rows[b] = (size_t)random_uniform(random, 0, (double)data->rows);
    mlp.loss((const float *const *)tensors->params, data, rows, BATCH, tensors->grads);
}

static double mean_loss(struct tensors *tensors, const struct dataset *data) {
    return mlp.loss((const float *const *)tensors->params, data, NULL, data->rows, NULL);
}

static double rate(int step) { return lmada_schedule(LMADA_SCHEDULE_COSINE, 0.01, (uint64_t)step, 0, STEPS); }

/* The loop with Adam. */
static double with_adam(const struct dataset *data) {
    struct random random = random_stream(1, 1);
    struct tensors tensors = new_tensors(&random);
    float *m[MAX_TENSORS], *v[MAX_TENSORS];
    model_allocate(&mlp, m);
    model_allocate(&mlp, v);
    for (int step = 1; step <= STEPS; step++) {
        backward(&tensors, data, &random);
        for (size_t t = 0; t < tensors.count; t++) {
            for (size_t i = 0; i < tensors.lens[t]; i++) {
                float g = tensors.grads[t][i];
                m[t][i] += 0.1f * (g - m[t][i]);
                v[t][i] += 0.001f * (g * g - v[t][i]);
                double m_hat = m[t][i] / (1 - pow(0.9, step)), v_hat = v[t][i] / (1 - pow(0.999, step));
                tensors.params[t][i] -= (float)(rate(step) * m_hat / (sqrt(v_hat) + 1e-8));
            }
        }
    }
    model_release(&mlp, m);
    model_release(&mlp, v);
    double loss = mean_loss(&tensors, data);
    free_tensors(&tensors);
    return loss;
}

/* The loop with lmada: lines 2 to 5. Pass NULL as the gradient of a tensor without a gradient. */
static double with_lmada(const struct dataset *data) {
    struct random random = random_stream(1, 1);
    struct tensors tensors = new_tensors(&random);
    lmada_config_t config;
    lmada_t *opt;
    lmada_config_recommended(&config, sizeof config);                                           /* line 2 */
    if (lmada_create(&config, tensors.total, &opt) != LMADA_OK) fail("%s", lmada_last_error()); /* line 3 */
    for (int step = 1; step <= STEPS; step++) {
        backward(&tensors, data, &random);
        const float *const *grads = (const float *const *)tensors.grads;
        if (lmada_set_lr(opt, rate(step)) != LMADA_OK ||
            lmada_step_tensors(opt, tensors.params, grads, tensors.lens, tensors.count) != LMADA_OK)
            fail("%s", lmada_last_error()); /* line 4 */
    }
    lmada_free(opt); /* line 5 */
    double loss = mean_loss(&tensors, data);
    free_tensors(&tensors);
    return loss;
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: loop_tensors DIGITS.csv");
    struct dataset data = dataset_read(argv[1], 0, mlp.features, mlp.classes, 1.0f / 16);
    double adam = with_adam(&data), lmada = with_lmada(&data);
    printf("a list of tensors: Adam reaches a loss of %.2g, lmada %.2g\n", adam, lmada);
    dataset_free(&data);
    return lmada < adam ? 0 : 1;
}

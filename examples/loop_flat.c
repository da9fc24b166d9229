/*
 * Trains a model of a library that keeps all parameters in one buffer and all gradients in another: first with the
 * library's own Adam, then with lmada. Five lines change for lmada.
 *
 *     loop_flat DIGITS.csv
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <lmada.h> /* line 1 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum { BATCH = 64, STEPS = 500 };

/* The library: layers are views into the two buffers. */
struct library {
    size_t num_parameters;
    float *params_memory, *grads_memory, *m_memory, *v_memory; /* the last two are Adam's */
    float *params[MAX_TENSORS], *grads[MAX_TENSORS];
};

static struct library library_build(struct random *random) {
    struct library library = {0};
    for (size_t t = 0; t < mlp.tensors; t++) library.num_parameters += mlp.lens[t];
    library.params_memory = allocate(library.num_parameters, sizeof(float));
    library.grads_memory = allocate(library.num_parameters, sizeof(float));
    size_t offset = 0;
    for (size_t t = 0; t < mlp.tensors; offset += mlp.lens[t++]) {
        library.params[t] = library.params_memory + offset;
        library.grads[t] = library.grads_memory + offset;
    }
    mlp.init(library.params, random);
    return library;
}

static void library_free(struct library *library) {
    free(library->params_memory);
    free(library->grads_memory);
    free(library->m_memory);
    free(library->v_memory);
}

static double library_loss(struct library *library, const struct dataset *data, const size_t *rows, size_t count) {
    return mlp.loss((const float *const *)library->params, data, rows, count, rows ? library->grads : NULL);
}

static void library_backward(struct library *library, const struct dataset *data, struct random *random) {
    size_t rows[BATCH];
    for (int b = 0; b < BATCH; b++) rows[b] = (size_t)random_uniform(random, 0, (double)data->rows);
    library_loss(library, data, rows, BATCH);
}

static void library_update(struct library *library, double learning_rate, int t) {
    if (!library->m_memory) {
        library->m_memory = allocate(library->num_parameters, sizeof(float));
        library->v_memory = allocate(library->num_parameters, sizeof(float));
    }
    for (size_t i = 0; i < library->num_parameters; i++) {
        float *m = library->m_memory + i, *v = library->v_memory + i, g = library->grads_memory[i];
        *m += 0.1f * (g - *m);
        *v += 0.001f * (g * g - *v);
        double m_hat = *m / (1 - pow(0.9, t)), v_hat = *v / (1 - pow(0.999, t));
        library->params_memory[i] -= (float)(learning_rate * m_hat / (sqrt(v_hat) + 1e-8));
    }
}

static double rate(int step) { return lmada_schedule(LMADA_SCHEDULE_COSINE, 0.01, (uint64_t)step, 0, STEPS); }

/* The loop with the library's Adam. */
static double with_adam(const struct dataset *data) {
    struct random random = random_stream(1, 1);
    struct library library = library_build(&random);
    for (int step = 1; step <= STEPS; step++) {
        library_backward(&library, data, &random);
        library_update(&library, rate(step), step);
    }
    double loss = library_loss(&library, data, NULL, data->rows);
    library_free(&library);
    return loss;
}

/* The loop with lmada: lines 2 to 5. */
static double with_lmada(const struct dataset *data) {
    struct random random = random_stream(1, 1);
    struct library library = library_build(&random);
    lmada_config_t config;
    lmada_t *opt;
    lmada_config_recommended(&config, sizeof config);                                                    /* line 2 */
    if (lmada_create(&config, library.num_parameters, &opt) != LMADA_OK) fail("%s", lmada_last_error()); /* line 3 */
    for (int step = 1; step <= STEPS; step++) {
        library_backward(&library, data, &random);
        if (lmada_set_lr(opt, rate(step)) != LMADA_OK ||
            lmada_step(opt, library.params_memory, library.grads_memory, library.num_parameters) != LMADA_OK)
            fail("%s", lmada_last_error()); /* line 4 */
    }
    lmada_free(opt); /* line 5 */
    double loss = library_loss(&library, data, NULL, data->rows);
    library_free(&library);
    return loss;
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: loop_flat DIGITS.csv");
    struct dataset data = dataset_read(argv[1], 0, mlp.features, mlp.classes, 1.0f / 16);
    double adam = with_adam(&data), lmada = with_lmada(&data);
    printf("flat buffers: Adam reaches a loss of %.2g, lmada %.2g\n", adam, lmada);
    dataset_free(&data);
    return lmada < adam ? 0 : 1;
}

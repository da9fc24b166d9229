/*
 * Trains a hand-written network in a struct: first with a hand-written Adam, then with lmada. Five lines change for
 * lmada.
 *
 *     loop_net DIGITS.csv
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <lmada.h> /* line 1 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data.h"
#include "support.h"

enum { PIXELS = 64, HIDDEN = 32, CLASSES = 10, BATCH = 64, STEPS = 500 };

/* All members are floats, so a net is also an array of PARAMETERS floats. */
struct net {
    float w1[HIDDEN][PIXELS], b1[HIDDEN], w2[CLASSES][HIDDEN], b2[CLASSES];
};
enum { PARAMETERS = sizeof(struct net) / sizeof(float) };

static struct net new_net(struct random *random) {
    struct net net = {0};
    for (int j = 0; j < HIDDEN; j++)
        for (int i = 0; i < PIXELS; i++) net.w1[j][i] = (float)random_uniform(random, -0.25, 0.25);
    for (int c = 0; c < CLASSES; c++)
        for (int j = 0; j < HIDDEN; j++) net.w2[c][j] = (float)random_uniform(random, -0.35, 0.35);
    return net;
}

/* Adds the gradient of `share` times a sample's loss to `grads`. Returns the loss. */
static double backward(const struct net *net, const float *x, int label, float share, struct net *grads) {
    float h[HIDDEN], p[CLASSES], total = 0;
    for (int j = 0; j < HIDDEN; j++) {
        h[j] = net->b1[j];
        for (int i = 0; i < PIXELS; i++) h[j] += net->w1[j][i] * x[i];
        h[j] = tanhf(h[j]);
    }
    for (int c = 0; c < CLASSES; c++) {
        p[c] = net->b2[c];
        for (int j = 0; j < HIDDEN; j++) p[c] += net->w2[c][j] * h[j];
        total += p[c] = expf(p[c]);
    }
    float dh[HIDDEN] = {0};
    for (int c = 0; c < CLASSES; c++) {
        float d = share * (p[c] / total - (c == label));
        grads->b2[c] += d;
        for (int j = 0; j < HIDDEN; j++) {
            grads->w2[c][j] += d * h[j];
            dh[j] += d * net->w2[c][j];
        }
    }
    for (int j = 0; j < HIDDEN; j++) {
        float d = dh[j] * (1 - h[j] * h[j]);
        grads->b1[j] += d;
        for (int i = 0; i < PIXELS; i++) grads->w1[j][i] += d * x[i];
    }
    return -log(p[label] / total);
}

static void gradient(const struct net *net, const struct dataset *data, struct random *random, struct net *grads) {
    memset(grads, 0, sizeof *grads);
    for (int b = 0; b < BATCH; b++) {
        size_t row = (size_t)random_uniform(random, 0, (double)data->rows);
        backward(net, data->inputs + row * PIXELS, data->labels[row], 1.0f / BATCH, grads);
    }
}

static double mean_loss(const struct net *net, const struct dataset *data) {
    static struct net unused;
    double sum = 0;
    for (size_t row = 0; row < data->rows; row++)
        sum += backward(net, data->inputs + row * PIXELS, data->labels[row], 0, &unused);
    return sum / (double)data->rows;
}

static double rate(int step) { return lmada_schedule(LMADA_SCHEDULE_COSINE, 0.01, (uint64_t)step, 0, STEPS); }

/* The loop with Adam. */
static double with_adam(const struct dataset *data) {
    struct random random = random_stream(1, 1);
    struct net net = new_net(&random), grads;
    float *w = (float *)&net, *g = (float *)&grads;
    static float m[PARAMETERS], v[PARAMETERS];
    for (int step = 1; step <= STEPS; step++) {
        gradient(&net, data, &random, &grads);
        for (int i = 0; i < PARAMETERS; i++) {
            m[i] += 0.1f * (g[i] - m[i]);
            v[i] += 0.001f * (g[i] * g[i] - v[i]);
            double m_hat = m[i] / (1 - pow(0.9, step)), v_hat = v[i] / (1 - pow(0.999, step));
            w[i] -= (float)(rate(step) * m_hat / (sqrt(v_hat) + 1e-8));
        }
    }
    return mean_loss(&net, data);
}

/* The loop with lmada: lines 2 to 5, without the buffers and the inner loop of Adam. */
static double with_lmada(const struct dataset *data) {
    struct random random = random_stream(1, 1);
    struct net net = new_net(&random), grads;
    float *w = (float *)&net, *g = (float *)&grads;
    lmada_config_t config;
    lmada_t *opt;
    lmada_config_recommended(&config, sizeof config);                                        /* line 2 */
    if (lmada_create(&config, PARAMETERS, &opt) != LMADA_OK) fail("%s", lmada_last_error()); /* line 3 */
    for (int step = 1; step <= STEPS; step++) {
        gradient(&net, data, &random, &grads);
        if (lmada_set_lr(opt, rate(step)) != LMADA_OK || lmada_step(opt, w, g, PARAMETERS) != LMADA_OK)
            fail("%s", lmada_last_error()); /* line 4 */
    }
    lmada_free(opt); /* line 5 */
    return mean_loss(&net, data);
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: loop_net DIGITS.csv");
    struct dataset data = dataset_read(argv[1], 0, PIXELS, CLASSES, 1.0f / 16);
    double adam = with_adam(&data), lmada = with_lmada(&data);
    printf("a net in a struct: Adam reaches a loss of %.2g, lmada %.2g\n", adam, lmada);
    dataset_free(&data);
    return lmada < adam ? 0 : 1;
}

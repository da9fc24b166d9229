/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"

struct net_run net_run_new(const struct net *net, size_t rows) {
    struct net_run run = {.net = net, .rows = rows};
    for (size_t l = 0; l <= net->layers; l++) {
        run.values[l] = allocate(rows * net->widths[l], sizeof(real));
        run.errors[l] = allocate(rows * net->widths[l], sizeof(real));
    }
    return run;
}

void net_run_free(struct net_run *run) {
    for (size_t l = 0; l <= run->net->layers; l++) {
        free(run->values[l]);
        free(run->errors[l]);
    }
}

void fill_weights(real *weights, size_t from, size_t to, struct random *random) {
    double bound = sqrt(6.0 / (double)(from + to));
    for (size_t i = 0; i < from * to; i++) weights[i] = (real)(float)random_uniform(random, -bound, bound);
}

static size_t layer_size(const struct net *net, size_t layer) {
    return (net->widths[layer] + 1) * net->widths[layer + 1];
}

void net_start(const struct net *net, real *params, struct random *random) {
    for (size_t l = 0; l < net->layers; params += layer_size(net, l++)) {
        size_t from = net->widths[l], to = net->widths[l + 1];
        fill_weights(params, from, to, random);
        memset(params + from * to, 0, to * sizeof *params);
    }
}

static void tanh_forward(real *values, size_t count) {
    for (size_t i = 0; i < count; i++) values[i] = real_tanh(values[i]);
}

static void tanh_backward(real *restrict errors, const real *restrict values, size_t count) {
    for (size_t i = 0; i < count; i++) errors[i] *= 1 - values[i] * values[i];
}

void net_forward(const struct net_run *run, const real *params, size_t rows) {
    const struct net *net = run->net;
    for (size_t l = 0; l < net->layers; params += layer_size(net, l++)) {
        size_t from = net->widths[l], to = net->widths[l + 1];
        memset(run->values[l + 1], 0, rows * to * sizeof(real));
        linear_add(run->values[l + 1], run->values[l], params, rows, rows, from, to);
        if (l + 1 < net->layers) tanh_forward(run->values[l + 1], rows * to);
    }
}

void net_backward(const struct net_run *run, const real *params, size_t rows, real *grads) {
    const struct net *net = run->net;
    size_t offset = 0;
    for (size_t l = 0; l < net->layers; l++) offset += layer_size(net, l);
    memset(grads, 0, offset * sizeof *grads);
    for (size_t l = net->layers; l-- > 0;) {
        size_t from = net->widths[l], to = net->widths[l + 1];
        offset -= layer_size(net, l);
        if (l + 1 < net->layers) tanh_backward(run->errors[l + 1], run->values[l + 1], rows * to);
        linear_backward(l > 0 ? run->errors[l] : NULL, grads + offset, run->errors[l + 1], run->values[l],
                        params + offset, rows, rows, from, to);
    }
}

double net_penalty(const struct net *net, const real *params, real *grads, double factor) {
    double sum = 0;
    for (size_t l = 0; l < net->layers; l++) {
        sum += weight_penalty(params, grads, net->widths[l] * net->widths[l + 1], factor);
        params += layer_size(net, l);
        if (grads) grads += layer_size(net, l);
    }
    return sum;
}

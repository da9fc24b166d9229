/*
 * A dense network: layers with tanh, the last one linear.
 *
 * The parameters lie layer by layer, the weights (from x to) before the biases: two tensors a layer.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_NET_H
#define EXPERIMENTS_NET_H

#include "matrix.h"
#include "support.h"

#define net_start NAME(net_start)
#define net_run_new NAME(net_run_new)
#define net_run_free NAME(net_run_free)
#define net_forward NAME(net_forward)
#define net_backward NAME(net_backward)
#define net_penalty NAME(net_penalty)
#define fill_weights NAME(fill_weights)

enum { MOST_LAYERS = 6 };

struct net {
    size_t layers, widths[MOST_LAYERS + 1]; /* widths[0]: inputs; widths[layers]: outputs */
};

/* Values and errors of up to `rows` rows. The caller writes values[0], and reads values[layers]. */
struct net_run {
    const struct net *net;
    size_t rows;
    real *values[MOST_LAYERS + 1], *errors[MOST_LAYERS + 1];
};
struct net_run net_run_new(const struct net *net, size_t rows);
void net_run_free(struct net_run *run);

/* Glorot and Bengio (2010): uniform weights with the variance that keeps signals at their size both ways. */
void fill_weights(real *weights, size_t from, size_t to, struct random *random);

/* All weights by fill_weights; biases start at 0. */
void net_start(const struct net *net, real *params, struct random *random);

void net_forward(const struct net_run *run, const real *params, size_t rows);

/* After net_forward, with the derivative by the outputs in errors[layers]. Overwrites `grads`. */
void net_backward(const struct net_run *run, const real *params, size_t rows, real *grads);

/* L2 of all weights, not of the biases: `factor` / 2 times their squares. Adds to `grads` unless that is NULL. */
double net_penalty(const struct net *net, const real *params, real *grads, double factor);

#endif

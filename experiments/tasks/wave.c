/*
 * A function that oscillates, fitted by a small network.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <stdlib.h>

#include "datasets.h"
#include "net.h"
#include "task.h"

enum { POINTS = 128, WIDTH = 32, LAYERS = 3, DIM = 2 * WIDTH + (WIDTH + 1) * WIDTH + WIDTH + 1 };
#define L2 1e-8

static const struct net net = {LAYERS, {1, WIDTH, WIDTH, 1}};

struct problem {
    uint64_t seed;
    struct net_run run;
};

static void *open(uint64_t seed) {
    struct problem *problem = allocate(1, sizeof *problem);
    problem->seed = seed;
    problem->run = net_run_new(&net, POINTS);
    return problem;
}

static void close(void *opened) {
    struct problem *problem = opened;
    net_run_free(&problem->run);
    free(problem);
}

static void start(void *problem, void *params) {
    struct random random = random_stream(((struct problem *)problem)->seed, STREAM_START);
    net_start(&net, params, &random);
}

static double wave(double x) {
    return sin(3 * 3.14159265358979 * x) * (1 + x / 2);
}

/* The mean squared error at POINTS points at equal distances from -1 to 1, or (shift 0.5) halfway between them. */
static double forward(struct problem *problem, const real *params, double shift) {
    struct net_run *run = &problem->run;
    const size_t count = shift > 0 ? POINTS - 1 : POINTS;
    double sum = 0;
    for (size_t n = 0; n < count; n++) run->values[0][n] = (real)(2 * ((double)n + shift) / (POINTS - 1) - 1);
    net_forward(run, params, count);
    for (size_t n = 0; n < count; n++) {
        double error = (double)run->values[LAYERS][n] - wave(2 * ((double)n + shift) / (POINTS - 1) - 1);
        run->errors[LAYERS][n] = (real)(2 * error / (double)count);
        sum += error * error;
    }
    return sum / (double)count;
}

static double gradient(void *opened, const void *params, void *grads) {
    struct problem *problem = opened;
    double loss = forward(problem, params, 0);
    net_backward(&problem->run, params, POINTS, grads);
    return loss + net_penalty(&net, params, grads, L2);
}

static double objective(void *problem, const void *params) {
    return forward(problem, params, 0) + net_penalty(&net, params, NULL, L2);
}

static double held_out(void *problem, const void *params) {
    return forward(problem, params, 0.5);
}

const struct task_functions NAME(wave) = {open, close, start, gradient, objective, held_out};

#ifdef REAL_F64

extern const struct task_functions wave_f32;

static const size_t lens[] = {WIDTH, WIDTH, WIDTH * WIDTH, WIDTH, WIDTH, 1};

const struct task task_wave = {
    .name = "wave",
    .title = "Oscillating function",
    .description = "The function sin(3 pi x) (1 + x / 2) from -1 to 1 by a network of 1-32-32-1 units (tanh); 128 "
                   "points, all in each gradient; mean squared error, L2 of 10^-8 on the weights.",
    .dim = DIM,
    .tensors = 6,
    .lens = lens,
    .batch = 0,
    .steps = 1000,
    .f32 = &wave_f32,
    .f64 = &wave_f64,
};

#endif

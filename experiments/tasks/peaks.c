/*
 * A curve fit in double: a spectrum of overlapping peaks, each a Gaussian of three parameters, on a constant.
 *
 * Centres and widths are in the units of the axis (400 to 700), amplitudes about 1: badly scaled, as fits are.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cholesky.h"
#include "datasets.h"
#include "functions.h"
#include "task.h"

enum { PEAKS = 12, POINTS = 300, CENTRES = 0, WIDTHS = PEAKS, AMPLITUDES = 2 * PEAKS, OFFSET = 3 * PEAKS };
enum { DIM = OFFSET + 1 };
#define NOISE 0.002 /* standard deviation */

struct problem {
    uint64_t seed;
    real truth[DIM], points[POINTS], values[POINTS], between[POINTS], values_between[POINTS];
};

/* The curve at all points less `values`; to `errors`, in which it is summed up. */
static void curve(const real *restrict params, const real *restrict points, const real *restrict values,
                  real *restrict errors) {
    for (size_t n = 0; n < POINTS; n++) errors[n] = params[OFFSET] - values[n];
    for (size_t p = 0; p < PEAKS; p++) {
        const real centre = params[CENTRES + p], width = params[WIDTHS + p], amplitude = params[AMPLITUDES + p];
        for (size_t n = 0; n < POINTS; n++) {
            real t = (points[n] - centre) / width;
            errors[n] += amplitude * real_exp(-t * t / 2);
        }
    }
}

static void *open(uint64_t seed) {
    struct problem *problem = allocate(1, sizeof *problem);
    struct random random = random_stream(seed, STREAM_DATA);
    const real none[POINTS] = {0};
    problem->seed = seed;
    for (size_t p = 0; p < PEAKS; p++) {
        problem->truth[CENTRES + p] = (real)(400 + 25 * ((double)p + 0.5) + random_uniform(&random, -4, 4));
        problem->truth[WIDTHS + p] = (real)random_uniform(&random, 8, 13);
        problem->truth[AMPLITUDES + p] = (real)random_uniform(&random, 0.4, 1.6);
    }
    problem->truth[OFFSET] = (real)0.2;
    for (size_t n = 0; n < POINTS; n++) {
        problem->points[n] = (real)(400 + n);
        problem->between[n] = (real)(400.5 + (double)n);
    }
    curve(problem->truth, problem->points, none, problem->values);
    curve(problem->truth, problem->between, none, problem->values_between);
    for (size_t n = 0; n < POINTS; n++) problem->values[n] += (real)(NOISE * random_normal(&random));
    return problem;
}

static void close(void *problem) {
    free(problem);
}

/* What one reads off a plot: centres to within 4, the others alike. */
static void start(void *opened, void *parameters) {
    const struct problem *problem = opened;
    real *params = parameters;
    struct random random = random_stream(problem->seed, STREAM_START);
    for (size_t p = 0; p < PEAKS; p++) {
        params[CENTRES + p] = problem->truth[CENTRES + p] + (real)random_uniform(&random, -4, 4);
        params[WIDTHS + p] = 10;
        params[AMPLITUDES + p] = 1;
    }
    params[OFFSET] = 0;
}

static double mean_square(const real *errors) {
    double sum = 0;
    for (size_t n = 0; n < POINTS; n++) sum += (double)errors[n] * (double)errors[n];
    return sum / POINTS;
}

static double gradient(void *opened, const void *parameters, void *gradients) {
    const struct problem *problem = opened;
    const real *params = parameters;
    real *grads = gradients, errors[POINTS], heights[POINTS], ts[POINTS];
    curve(params, problem->points, problem->values, errors);
    memset(grads, 0, DIM * sizeof *grads);
    for (size_t n = 0; n < POINTS; n++) grads[OFFSET] += errors[n] * (real)(2.0 / POINTS);
    for (size_t p = 0; p < PEAKS; p++) {
        const real centre = params[CENTRES + p], width = params[WIDTHS + p], amplitude = params[AMPLITUDES + p];
        for (size_t n = 0; n < POINTS; n++) {
            ts[n] = (problem->points[n] - centre) / width;
            heights[n] = errors[n] * real_exp(-ts[n] * ts[n] / 2) * (real)(2.0 / POINTS);
        }
        for (size_t n = 0; n < POINTS; n++) {
            grads[AMPLITUDES + p] += heights[n];
            grads[CENTRES + p] += heights[n] * ts[n];
            grads[WIDTHS + p] += heights[n] * ts[n] * ts[n];
        }
        grads[CENTRES + p] *= amplitude / width;
        grads[WIDTHS + p] *= amplitude / width;
    }
    return mean_square(errors);
}

static double objective(void *opened, const void *params) {
    const struct problem *problem = opened;
    real errors[POINTS];
    curve(params, problem->points, problem->values, errors);
    return mean_square(errors);
}

static double held_out(void *opened, const void *params) {
    const struct problem *problem = opened;
    real errors[POINTS];
    curve(params, problem->between, problem->values_between, errors);
    return mean_square(errors);
}

const struct task_functions NAME(peaks) = {open, close, start, gradient, objective, held_out};

#ifdef REAL_F64

extern const struct task_functions peaks_f32;

/* The residuals' derivatives by the parameters at the point `x`. */
static void slopes(const double *params, double x, double *row) {
    for (size_t p = 0; p < PEAKS; p++) {
        const double width = params[WIDTHS + p], t = (x - params[CENTRES + p]) / width, height = real_exp(-t * t / 2);
        row[AMPLITUDES + p] = height;
        row[CENTRES + p] = params[AMPLITUDES + p] * height * t / width;
        row[WIDTHS + p] = params[AMPLITUDES + p] * height * t * t / width;
    }
    row[OFFSET] = 1;
}

/* The step of Gauss and Newton's method. */
static void fit_step(const struct problem *problem, const double *params, double *step) {
    double errors[POINTS], row[DIM], matrix[DIM * DIM] = {0};
    curve(params, problem->points, problem->values, errors);
    memset(step, 0, DIM * sizeof *step);
    for (size_t n = 0; n < POINTS; n++) {
        slopes(params, problem->points[n], row);
        for (size_t i = 0; i < DIM; i++) {
            step[i] -= row[i] * errors[n];
            for (size_t j = 0; j < DIM; j++) matrix[i * DIM + j] += row[i] * row[j];
        }
    }
    cholesky_solve(matrix, step, DIM);
}

/* From the parameters that the points were made with. Steps are halved until one lowers the objective, or none does. */
static double optimum(uint64_t seed, double *params) {
    struct problem *problem = open(seed);
    double at[DIM], least;
    memcpy(at, problem->truth, sizeof at);
    least = objective(problem, at);
    for (bool lower = true; lower;) {
        double step[DIM], next[DIM];
        fit_step(problem, at, step);
        lower = false;
        for (double size = 1; !lower && size > 1e-6; size /= 2) {
            for (size_t i = 0; i < DIM; i++) next[i] = at[i] + size * step[i];
            lower = objective(problem, next) < least;
        }
        if (lower) memcpy(at, next, sizeof at);
        if (lower) least = objective(problem, at);
    }
    if (params) memcpy(params, at, sizeof at);
    close(problem);
    return least;
}

static const size_t lens[] = {PEAKS, PEAKS, PEAKS, 1};

const struct task task_peaks = {
    .name = "peaks",
    .title = "Curve fit in f64",
    .description = "Twelve Gaussian peaks (centre, width, amplitude, in their own units) and a constant, fitted to 300 "
                   "points with noise of 0.002, all in each gradient; mean squared error. The optimum is the one "
                   "next to the parameters that the points were made with (Gauss and Newton's method). Held "
                   "out: the curve without noise, between the points.",
    .dim = DIM,
    .tensors = 4,
    .lens = lens,
    .batch = 0,
    .steps = 1000,
    .trains_in_f64 = true,
    .excess = true,
    .optimum = optimum,
    .f32 = &peaks_f32,
    .f64 = &peaks_f64,
};

#endif

/*
 * A physics-informed network (Raissi, Perdikaris, Karniadakis 2019) for Poisson's equation on the unit square:
 *
 *     u_xx + u_yy = -5 pi^2 sin(pi x) sin(2 pi y),   u = 0 on the boundary,   so u = sin(pi x) sin(2 pi y).
 *
 * The derivatives by x and y go forward through the network along with the values, as further rows of each layer's
 * matrix: a linear layer maps all rows alike (but for the biases), tanh mixes the rows of a point.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets.h"
#include "functions.h"
#include "net.h"
#include "task.h"

enum { AXES = 2, WIDTH = 32, LAYERS = 3, SIDE = 10, INSIDE = SIDE * SIDE, BOUNDARY = 4 * SIDE };
enum { VALUES = INSIDE + BOUNDARY, ROWS = VALUES + 2 * AXES * INSIDE };
enum { DIM = (AXES + 1) * WIDTH + (WIDTH + 1) * WIDTH + WIDTH + 1 };
#define L2 1e-9
#define PI 3.14159265358979323846

static const size_t widths[LAYERS + 1] = {AXES, WIDTH, WIDTH, 1};
static const struct net net = {LAYERS, {AXES, WIDTH, WIDTH, 1}};

/* The rows of a matrix: values at INSIDE and BOUNDARY points; then, INSIDE only, the derivatives of each axis. */
static size_t first_row(size_t axis) {
    return VALUES + 2 * axis * INSIDE;
}

static size_t second_row(size_t axis) {
    return VALUES + (2 * axis + 1) * INSIDE;
}

struct problem {
    uint64_t seed;
    real points[ROWS * AXES]; /* with the derivatives by x and y: 1 and 0, the second ones 0 */
    real sums[LAYERS][ROWS * WIDTH], values[LAYERS][ROWS * WIDTH], errors[2][ROWS * WIDTH];
};

/* A grid inside, `margin` of its spacing away from the boundary. */
static void place(real *points, double margin) {
    const double spacing = 1 / (SIDE - 1 + 2 * margin);
    for (size_t i = 0; i < INSIDE; i++) {
        points[i * AXES] = (real)(spacing * ((double)(i / SIDE) + margin));
        points[i * AXES + 1] = (real)(spacing * ((double)(i % SIDE) + margin));
    }
}

static void *open(uint64_t seed) {
    struct problem *problem = allocate(1, sizeof *problem);
    problem->seed = seed;
    place(problem->points, 0.5);
    for (size_t i = 0; i < SIDE; i++) {
        real along = (real)(((double)i + 0.5) / SIDE), *at = problem->points + (INSIDE + 4 * i) * AXES;
        const real sides[] = {along, 0, along, 1, 0, along, 1, along};
        memcpy(at, sides, sizeof sides);
    }
    for (size_t axis = 0; axis < AXES; axis++)
        for (size_t i = 0; i < INSIDE; i++) problem->points[(first_row(axis) + i) * AXES + axis] = 1;
    return problem;
}

static void close(void *problem) {
    free(problem);
}

static void start(void *problem, void *params) {
    struct random random = random_stream(((struct problem *)problem)->seed, STREAM_START);
    net_start(&net, params, &random);
}

/* With h = tanh(a): h' = (1 - h^2) a', h'' = -2 h (1 - h^2) a'^2 + (1 - h^2) a''. */
static void tanh_forward(real *restrict out, const real *restrict in) {
    for (size_t i = 0; i < VALUES * WIDTH; i++) out[i] = real_tanh(in[i]);
    for (size_t axis = 0; axis < AXES; axis++) {
        const size_t first = first_row(axis) * WIDTH, second = second_row(axis) * WIDTH;
        for (size_t i = 0; i < INSIDE * WIDTH; i++) {
            real slope = 1 - out[i] * out[i], by = in[first + i];
            out[first + i] = slope * by;
            out[second + i] = slope * (in[second + i] - 2 * out[i] * by * by);
        }
    }
}

/* `errors`: derivatives by the outputs become those by the inputs `in`. */
static void tanh_backward(real *restrict errors, const real *restrict out, const real *restrict in) {
    for (size_t i = 0; i < VALUES * WIDTH; i++) errors[i] *= 1 - out[i] * out[i];
    for (size_t axis = 0; axis < AXES; axis++) {
        const size_t first = first_row(axis) * WIDTH, second = second_row(axis) * WIDTH;
        for (size_t i = 0; i < INSIDE * WIDTH; i++) {
            real h = out[i], slope = 1 - h * h, bend = -2 * h * slope, third = slope * (6 * h * h - 2);
            real by = in[first + i], e1 = errors[first + i], e2 = errors[second + i];
            errors[i] += bend * by * e1 + (third * by * by + bend * in[second + i]) * e2;
            errors[first + i] = slope * e1 + 2 * bend * by * e2;
            errors[second + i] = slope * e2;
        }
    }
}

/* The network's value and its derivatives are in values[LAYERS - 1]: one column of ROWS. */
static void forward(struct problem *problem, const real *params) {
    const real *in = problem->points;
    for (size_t l = 0; l < LAYERS; l++) {
        real *out = l + 1 < LAYERS ? problem->sums[l] : problem->values[l];
        memset(out, 0, ROWS * widths[l + 1] * sizeof *out);
        linear_add(out, in, params, ROWS, VALUES, widths[l], widths[l + 1]);
        if (l + 1 < LAYERS) tanh_forward(problem->values[l], problem->sums[l]);
        in = problem->values[l];
        params += (widths[l] + 1) * widths[l + 1];
    }
}

static double exact(const real *point) {
    return sin(PI * (double)point[0]) * sin(2 * PI * (double)point[1]);
}

/* The mean square of the equation's residual, divided by 5 pi^2, and of u on the boundary. */
static double loss(struct problem *problem, const real *params) {
    double inside = 0, boundary = 0;
    real *errors = problem->errors[0];
    forward(problem, params);
    const real *u = problem->values[LAYERS - 1];
    memset(errors, 0, ROWS * sizeof *errors);
    for (size_t i = 0; i < INSIDE; i++) {
        double laplacian = (double)u[second_row(0) + i] + (double)u[second_row(1) + i];
        double residual = laplacian / (5 * PI * PI) + exact(problem->points + i * AXES);
        inside += residual * residual;
        for (size_t axis = 0; axis < AXES; axis++)
            errors[second_row(axis) + i] = (real)(2 * residual / (5 * PI * PI * INSIDE));
    }
    for (size_t i = INSIDE; i < VALUES; i++) {
        boundary += (double)u[i] * (double)u[i];
        errors[i] = u[i] * (real)(2.0 / BOUNDARY);
    }
    return inside / INSIDE + boundary / BOUNDARY;
}

static double gradient(void *opened, const void *parameters, void *gradients) {
    struct problem *problem = opened;
    const real *params = parameters;
    real *grads = gradients;
    double sum = loss(problem, params);
    size_t offset = DIM;
    memset(grads, 0, DIM * sizeof *grads);
    for (size_t l = LAYERS; l-- > 0;) {
        real *errors = problem->errors[(LAYERS - 1 - l) % 2], *in_errors = problem->errors[(LAYERS - l) % 2];
        offset -= (widths[l] + 1) * widths[l + 1];
        if (l + 1 < LAYERS) tanh_backward(errors, problem->values[l], problem->sums[l]);
        linear_backward(l > 0 ? in_errors : NULL, grads + offset, errors,
                        l > 0 ? problem->values[l - 1] : problem->points, params + offset, ROWS, VALUES,
                        widths[l], widths[l + 1]);
    }
    return sum + net_penalty(&net, params, grads, L2);
}

static double objective(void *problem, const void *params) {
    return loss(problem, params) + net_penalty(&net, params, NULL, L2);
}

/* The mean squared error against the exact solution, at other points. */
static double held_out(void *opened, const void *params) {
    struct problem *elsewhere = open(((struct problem *)opened)->seed);
    double sum = 0;
    place(elsewhere->points, 1);
    forward(elsewhere, params);
    for (size_t i = 0; i < INSIDE; i++) {
        double error = (double)elsewhere->values[LAYERS - 1][i] - exact(elsewhere->points + i * AXES);
        sum += error * error;
    }
    close(elsewhere);
    return sum / INSIDE;
}

const struct task_functions NAME(physics) = {open, close, start, gradient, objective, held_out};

#ifdef REAL_F64

extern const struct task_functions physics_f32;

static const size_t lens[] = {AXES * WIDTH, WIDTH, WIDTH * WIDTH, WIDTH, WIDTH, 1};

const struct task task_physics = {
    .name = "physics",
    .title = "Physics-informed network",
    .description = "Poisson's equation on the unit square by a network of 2-32-32-1 units (tanh): the mean square of "
                   "the equation's residual at 100 points, scaled to a right side of at most 1, and of the value at 40 "
                   "points of the boundary, all in each gradient; L2 of 10^-9. Held out: the mean squared error "
                   "against the exact solution at other points.",
    .dim = DIM,
    .tensors = 6,
    .lens = lens,
    .batch = 0,
    .steps = 1000,
    .f32 = &physics_f32,
    .f64 = &physics_f64,
};

#endif

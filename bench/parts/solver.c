/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "solver.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lmada.h"
#include "support.h"

/* The length of the large gradients. */
static const double large = 1e4;

struct solver {
    size_t dim;
    double *gradient; /* the gradient that follows those in the window */
    lmada_t *inverse_root, *general;
};

static void check(lmada_status_t status) {
    if (status != LMADA_OK) fail("%s: %s", lmada_status_string(status), lmada_last_error());
}

static lmada_t *handle_new(unsigned k, size_t dim, double eps, double power) {
    lmada_config_t config;
    check(lmada_config_init(&config, sizeof config));
    config.dtype = LMADA_F64;
    config.history_size = k;
    config.threads = 1;
    config.eps = eps;
    config.power = power;
    lmada_t *handle;
    check(lmada_create(&config, dim, &handle));
    return handle;
}

/* Makes gradient number i. */
static void fill(struct solver *solver, size_t i, bool spread, struct random *random) {
    double *gradient = solver->gradient, norm2 = 0;
    if (spread && i % 3 != 2) {
        memset(gradient, 0, solver->dim * sizeof *gradient);
        gradient[i] = large;
        return;
    }
    for (size_t j = 0; j < solver->dim; j++) {
        gradient[j] = random_uniform(random, -1, 1);
        norm2 += gradient[j] * gradient[j];
    }
    for (size_t j = 0; j < solver->dim; j++) gradient[j] /= sqrt(norm2);
}

struct solver *solver_new(unsigned k, bool spread) {
    struct solver *solver = allocate(1, sizeof *solver);
    solver->dim = k < 32 ? 64 : 2 * (size_t)k; /* more than k, so that the gradients are linearly independent */
    solver->gradient = allocate(solver->dim, sizeof *solver->gradient);

    /* Fills the window with an ε far above all eigenvalues, since a step with this ε needs the fewest poles. */
    lmada_t *filler = handle_new(k, solver->dim, 1e12, 0.5);
    double *params = allocate(solver->dim, sizeof *params);
    struct random random = random_stream(1, k);
    for (size_t i = 0; i < k; i++) {
        fill(solver, i, spread, &random);
        check(lmada_step_f64(filler, params, solver->gradient, solver->dim));
    }
    fill(solver, k, spread, &random);
    size_t bytes;
    check(lmada_state_size(filler, &bytes));
    void *state = allocate(bytes, 1);
    check(lmada_state_save(filler, state, bytes));

    double eps = spread ? 10 : 1e-6; /* well above the noise floor, which grows with the square of the norms */
    solver->inverse_root = handle_new(k, solver->dim, eps, 0.5);
    solver->general = handle_new(k, solver->dim, eps, 0.4);
    check(lmada_state_load(solver->inverse_root, state, bytes));
    check(lmada_state_load(solver->general, state, bytes));
    free(state);
    free(params);
    lmada_free(filler);
    return solver;
}

double solver_time(struct solver *solver, bool general, size_t solves) {
    lmada_t *handle = general ? solver->general : solver->inverse_root;
    double sum = 0;
    for (size_t i = 0; i < solves; i++) {
        check(lmada_begin(handle));
        check(lmada_feed_f64(handle, 0, solver->gradient, solver->dim));
        double before = seconds_now();
        check(lmada_solve(handle));
        sum += seconds_now() - before;
        check(lmada_cancel(handle));
    }
    return sum / (double)solves;
}

void solver_free(struct solver *solver) {
    lmada_free(solver->inverse_root);
    lmada_free(solver->general);
    free(solver->gradient);
    free(solver);
}

/*
 * L-BFGS within a budget: the optimum of a quadratic, and gradients that are noise.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "methods/minimise.h"

#include "check.h"

enum { DIM = 20 };

struct counted {
    size_t calls;
    int in_f32;
};

/* Curvatures from 1 to 1e4, the optimum at 1, 2, 3 ...; the least value is -5. */
static double quadratic(void *context, const double *params, double *grads) {
    struct counted *counted = context;
    double sum = -5;
    counted->calls++;
    for (size_t i = 0; i < DIM; i++) {
        double curvature = pow(10, 4.0 * (double)i / (DIM - 1)), distance = params[i] - (double)(i + 1);
        sum += 0.5 * curvature * distance * distance;
        grads[i] = counted->in_f32 ? (double)(float)(curvature * distance) : curvature * distance;
    }
    return counted->in_f32 ? (double)(float)sum : sum;
}

static void check_optimum(size_t memory) {
    struct counted counted = {0, 0};
    double params[DIM] = {0}, first[DIM];
    double start = quadratic(&counted, params, first);
    counted.calls = 0;
    struct lbfgs_result result = lbfgs_minimise(quadratic, &counted, params, DIM, memory, 4000);
    CHECK(counted.calls == result.gradients && result.gradients <= 4000, "%zu gradients, %zu said", counted.calls,
          result.gradients);
    CHECK(start > 1e3, "a start at %g", start);
    CHECK_CLOSE(result.objective, -5, 1e-10, "the least value");
    for (size_t i = 0; i < DIM; i++) CHECK_CLOSE(params[i], i + 1, 1e-5, "the optimum");
    CHECK(result.inner_seconds > 0, "no time of its own");
}

/* The budget holds in the midst of a line search too, and the best point of all is returned. */
static void check_budget(void) {
    double last = INFINITY;
    for (size_t budget = 1; budget <= 40; budget++) {
        struct counted counted = {0, 0};
        double params[DIM] = {0}, grads[DIM];
        struct lbfgs_result result = lbfgs_minimise(quadratic, &counted, params, DIM, 5, budget);
        CHECK(counted.calls == budget && result.gradients == budget, "%zu gradients of %zu", counted.calls, budget);
        CHECK(result.objective <= last, "%zu gradients end at %g, one less at %g", budget, result.objective, last);
        CHECK_CLOSE(quadratic(&counted, params, grads), result.objective, 0, "the objective at the parameters");
        last = result.objective;
    }
}

/* Line searches fail where the objective no longer falls by more than a rounding: the call ends all the same. */
static void check_noise(void) {
    struct counted counted = {0, 1};
    double params[DIM] = {0};
    struct lbfgs_result result = lbfgs_minimise(quadratic, &counted, params, DIM, 10, 2000);
    CHECK(result.gradients <= 2000, "%zu gradients", result.gradients);
    CHECK_CLOSE(result.objective, -5, 1e-4, "the least value in f32");
}

int main(void) {
    static const size_t memories[] = {3, 10, 100};
    for (size_t i = 0; i < 3; i++) check_optimum(memories[i]);
    check_budget();
    check_noise();
    return check_result("minimise");
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "minimise.h"

#include <lbfgs.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

struct search {
    objective_gradient evaluate;
    void *context;
    size_t dim, budget, used;
    double seconds; /* in evaluations */
    double *best, best_objective;
};

/* The library has no way to stop between two points of a line search: beyond the budget all points are refused. */
static lbfgsfloatval_t at_point(void *instance, const lbfgsfloatval_t *x, lbfgsfloatval_t *g, const int n,
                                const lbfgsfloatval_t step) {
    struct search *search = instance;
    (void)n, (void)step;
    if (search->used == search->budget) {
        memset(g, 0, search->dim * sizeof *g);
        return INFINITY;
    }
    search->used++;
    double start = seconds_now();
    double objective = search->evaluate(search->context, x, g);
    search->seconds += seconds_now() - start;
    if (isfinite(objective) && objective < search->best_objective) {
        search->best_objective = objective;
        memcpy(search->best, x, search->dim * sizeof *x);
    }
    return objective;
}

static int after_iteration(void *instance, const lbfgsfloatval_t *x, const lbfgsfloatval_t *g,
                           const lbfgsfloatval_t objective, const lbfgsfloatval_t x_norm, const lbfgsfloatval_t g_norm,
                           const lbfgsfloatval_t step, int n, int k, int evaluations) {
    const struct search *search = instance;
    (void)x, (void)g, (void)objective, (void)x_norm, (void)g_norm, (void)step, (void)n, (void)k, (void)evaluations;
    return search->used == search->budget;
}

struct lbfgs_result lbfgs_minimise(objective_gradient evaluate, void *context, double *params, size_t dim,
                                   size_t memory, size_t budget) {
    double start = seconds_now();
    lbfgsfloatval_t *x = lbfgs_malloc((int)dim);
    if (!x) fail("out of memory: %zu numbers", dim);
    struct search search = {.evaluate = evaluate, .context = context, .dim = dim, .budget = budget,
                            .best = allocate(dim, sizeof(double)), .best_objective = INFINITY};
    memcpy(search.best, params, dim * sizeof *params);

    lbfgs_parameter_t options;
    lbfgs_parameter_init(&options);
    options.m = (int)memory;
    options.epsilon = 0; /* the budget ends a run, no tolerance */
    options.max_linesearch = 40;

    double before;
    do {
        before = search.best_objective;
        memcpy(x, search.best, dim * sizeof *x);
        lbfgs((int)dim, x, NULL, at_point, after_iteration, &search, &options);
    } while (search.used < budget && search.best_objective < before);

    memcpy(params, search.best, dim * sizeof *params);
    struct lbfgs_result result = {search.best_objective, search.used, 0};
    result.inner_seconds = seconds_now() - start - search.seconds;
    free(search.best);
    lbfgs_free(x);
    return result;
}

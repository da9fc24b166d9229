/*
 * L-BFGS, by Debian's liblbfgs, with a budget of gradients.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_MINIMISE_H
#define EXPERIMENTS_MINIMISE_H

#include <stddef.h>

/* The objective at `params`, and its gradient. */
typedef double (*objective_gradient)(void *context, const double *params, double *grads);

struct lbfgs_result {
    double objective;    /* at the parameters returned */
    size_t gradients;    /* evaluated: at most the budget */
    double inner_seconds; /* time outside of the evaluations */
};

/*
 * Minimises from `params` with `memory` pairs and at most `budget` gradients, and leaves the best iterate there. A line
 * search that fails starts the method again from the last iterate, with an empty memory; it ends early where such a
 * start makes no progress. The line search is that of Moré and Thuente, the library's default.
 */
struct lbfgs_result lbfgs_minimise(objective_gradient evaluate, void *context, double *params, size_t dim,
                                   size_t memory, size_t budget);

#endif

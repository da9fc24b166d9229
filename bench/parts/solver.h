/*
 * An optimizer with a full window, to time lmada_solve alone.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_SOLVER_H
#define BENCH_SOLVER_H

#include <stdbool.h>
#include <stddef.h>

struct solver;

/*
 * Makes an f64 optimizer with a full window of k gradients, on one thread. The gradients are random with norm 1. With
 * `spread` two in three have norm 10⁴ instead, and each of these is parallel to its own coordinate axis. Filling the
 * window takes k solves: half a minute at k = 1,000, and some minutes with `spread`.
 */
struct solver *solver_new(unsigned k, bool spread);

/* Seconds of one lmada_solve: for the inverse root, or with `general` for another power. */
double solver_time(struct solver *solver, bool general, size_t solves);

void solver_free(struct solver *solver);

#endif

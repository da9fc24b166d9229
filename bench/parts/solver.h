/*
 * An optimizer in front of its k×k work: what is timed is lmada_solve alone.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_SOLVER_H
#define BENCH_SOLVER_H

#include <stdbool.h>
#include <stddef.h>

struct solver;

/*
 * With a full window of k gradients in f64, on one thread. The gradients are random and of norm 1. With `spread` two in
 * three have norm 10⁴ instead, and each of these lies along a coordinate axis of its own. Filling the window takes k
 * solves: at k = 1,000 half a minute, with `spread` some minutes.
 */
struct solver *solver_new(unsigned k, bool spread);

/* Seconds that lmada_solve takes: for the inverse root, or with `general` for another power. */
double solver_time(struct solver *solver, bool general, size_t solves);

void solver_free(struct solver *solver);

#endif

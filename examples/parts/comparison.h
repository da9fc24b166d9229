/*
 * How far two settings of lmada lead apart on the same gradients.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_COMPARISON_H
#define EXAMPLES_COMPARISON_H

#include "runner.h"

/*
 * |u2 - u1| / |u1|, where u1 and u2 are the directions of the two settings on the gradients of a run that the first
 * steers: median over its steps.
 */
double direction_difference(const struct task *task, const lmada_config_t *first, const lmada_config_t *second,
                            double lr, uint64_t seed);

#endif

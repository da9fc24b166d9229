/*
 * The times of gradients, steps and evaluations, measured in this process while the program does nothing else.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_TIMING_H
#define EXPERIMENTS_TIMING_H

#include "study.h"

/* Measures the times that the file of runs lacks. The settings take turns: a slow moment affects all of them. */
void timing_measure(struct study *study);

#endif

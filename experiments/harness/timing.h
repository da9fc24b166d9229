/*
 * The times of gradients, steps and evaluations, measured in this process with nothing of the program beside it.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_TIMING_H
#define EXPERIMENTS_TIMING_H

#include "study.h"

/* Measures what is not measured yet. The settings take turns, so that a slow moment of the machine meets all. */
void timing_measure(struct study *study);

#endif

/*
 * One picture of all tasks: the loss of each family as a multiple of tuned Adam's.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_BARS_H
#define EXPERIMENTS_BARS_H

#include "results.h"

/* Left at equal gradients, right at equal time. Fails where it cannot be written. */
void bars_write(const char *path, const struct results *results);

#endif

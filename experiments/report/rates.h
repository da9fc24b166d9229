/*
 * A picture of what the learning rate does: loss against learning rate, a panel a task.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_RATES_H
#define EXPERIMENTS_RATES_H

#include "results.h"

/* Fails where it cannot be written. */
void rates_write(const char *path, const struct results *results);

#endif

/*
 * One picture of all tasks: what each family reaches, as a multiple of what tuned Adam reaches.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_BARS_H
#define EXPERIMENTS_BARS_H

#include "results.h"

/* Left at equal gradients, right at equal time. Fails where it cannot be written. */
void bars_write(const char *path, const struct results *results);

#endif

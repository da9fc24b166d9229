/*
 * Counts the bytes that a step has to move between memory and processor. docs/performance.md has the list.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdbool.h>

#include "lmada.h"

/*
 * Bytes a parameter: k - 1 old columns and g read twice, w read and written, the new column written, and the bytes that
 * format and options add. With `written`, the step writes w but does not read w, as lmada_direction does.
 */
double traffic(const lmada_config_t *config, bool written);

#endif

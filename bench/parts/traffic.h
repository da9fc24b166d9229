/*
 * The count of what a step cannot but move between memory and processor; docs/performance.md has the list.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdbool.h>

#include "lmada.h"

/*
 * Bytes a parameter: k - 1 old columns and g read twice, w read and written, the new column written, and what format
 * and options add. `written`: w is written but not read, as by lmada_direction.
 */
double traffic(const lmada_config_t *config, bool written);

#endif

/*
 * The history formats of lmada, every one at three sizes of the window: what it costs, and how it trains.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_FORMATS_H
#define EXAMPLES_FORMATS_H

#include "search.h"

enum { FORMAT_COUNT = 6, FORMAT_SIZES = 3, FORMAT_METHODS = FORMAT_COUNT * FORMAT_SIZES };

/* The setting `base` with each format at k = 10, then each at 30, then at 100; of each k the full format first. */
void formats_new(const lmada_config_t *base, struct method methods[FORMAT_METHODS]);

/* Bytes that lmada with this setting holds for `dim` parameters. */
double format_memory(const lmada_config_t *config, size_t dim);

/* Prints a row for each method of formats_new, all searched. True where a learning rate lies at an end of the grid. */
bool formats_print(const struct search *search);

#endif

/*
 * Tables in Markdown whose columns also line up on a terminal.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <stddef.h>

struct column {
    const char *title;
    int width; /* characters; negative: cells are aligned to the left */
};

/* Formats a cell's text. The memory is valid until the sixteenth call after this one. */
const char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For example "3.21 µs": three digits, in µs, ms or s. */
const char *text_of_seconds(double seconds);

/* For example "10⁶" for a power of ten, else the digits. */
const char *text_of_count(size_t count);

void table_head(const struct column *columns, size_t count);

/* Prints one row. `cells` has one cell for each column. */
void table_row(const struct column *columns, size_t count, const char *const *cells);

#endif

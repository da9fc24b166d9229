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
    int width; /* characters; negative where the cells stand to the left, as texts do */
};

/* A cell's text, in memory that is good until the sixteenth call after this one. */
const char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As "3.21 µs", with three digits and the unit that fits. */
const char *text_of_seconds(double seconds);

/* As "10⁶" for powers of ten, else the digits. */
const char *text_of_count(size_t count);

void table_head(const struct column *columns, size_t count);

/* As many cells as there are columns. */
void table_row(const struct column *columns, size_t count, const char *const *cells);

#endif

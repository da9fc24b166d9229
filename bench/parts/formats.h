/*
 * Formats: a step and the memory of each history format, against those of the full one.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_FORMATS_H
#define BENCH_FORMATS_H

/* Measures and prints the table. */
void formats_print(void);

#endif

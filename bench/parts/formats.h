/*
 * The table of formats: time of a step and memory of each history format, compared with the full format.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_FORMATS_H
#define BENCH_FORMATS_H

/* Measures and prints the table. */
void formats_print(void);

#endif

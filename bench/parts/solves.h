/*
 * The table of solves: time of the k×k work alone, for each method.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_SOLVES_H
#define BENCH_SOLVES_H

/* Measures and prints the table. */
void solves_print(void);

#endif

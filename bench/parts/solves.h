/*
 * Solves: the k×k work alone, in each of the ways that it may take.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_SOLVES_H
#define BENCH_SOLVES_H

/* Measures and prints the table. */
void solves_print(void);

#endif

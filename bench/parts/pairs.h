/*
 * The table of pairs: two ways to do the same work, measured in turn.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_PAIRS_H
#define BENCH_PAIRS_H

/* Measures and prints the table. */
void pairs_print(void);

#endif

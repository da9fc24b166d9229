/*
 * The table of steps: time of a step for each size and kind of step, compared with the roof.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_GRID_H
#define BENCH_GRID_H

/* Measures and prints the table. */
void grid_print(void);

#endif

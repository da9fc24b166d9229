/*
 * The number of samples of each measurement. Measurements that are compared take their samples in turn, once a round.
 * The tables have medians over the rounds.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

enum { ROUNDS = 21 };

#endif

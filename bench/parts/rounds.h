/*
 * How often each thing is measured: what is compared is measured in turn, and medians over the rounds are compared.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

enum { ROUNDS = 21 };

#endif

/*
 * The roof: the highest speed at which this machine reads memory.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_ROOF_H
#define BENCH_ROOF_H

#include <stddef.h>

struct roof;

/*
 * Makes a buffer of `bytes` bytes on huge pages, and `threads` threads that each read a part of the buffer repeatedly.
 * Three loops read the buffer: one only sums, two also prefetch, one a short and one a long distance ahead. All use the
 * widest vectors that the processor has: 64 bytes (AVX-512), 32 bytes (AVX2) or 16 bytes.
 */
struct roof *roof_new(size_t bytes, size_t threads);

/* Reads with each loop for about 10 ms and stores the speeds. */
void roof_sample(struct roof *roof);

/* Bytes a second: the largest, over the loops, of the median over the samples. */
double roof_height(struct roof *roof);

void roof_free(struct roof *roof);

#endif

/*
 * The roof: how fast this machine reads memory, whatever is done with it.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_ROOF_H
#define BENCH_ROOF_H

#include <stddef.h>

struct roof;

/*
 * A buffer of `bytes` bytes on huge pages, and `threads` threads that each read a part of it over and over. It is read
 * by three loops: one that only adds up, and two that also prefetch, from near and from afar. All use the widest
 * vectors that the processor has of 64 (AVX-512), 32 (AVX2) and 16 bytes.
 */
struct roof *roof_new(size_t bytes, size_t threads);

/* Reads with each loop for some 10 ms, and remembers how fast that was. */
void roof_sample(struct roof *roof);

/* Bytes a second: for each loop the median of the samples; of these the greatest. */
double roof_height(struct roof *roof);

void roof_free(struct roof *roof);

#endif

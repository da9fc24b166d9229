/*
 * A thread pool whose threads start a job at the same moment.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_POOL_H
#define BENCH_POOL_H

#include <stddef.h>

struct pool;

/* Makes a pool of `threads` threads, including the calling thread; `threads` is at least 1. */
struct pool *pool_new(size_t threads);

/*
 * Calls work(context, index) once for each index below the number of threads, on all threads at once. Returns the
 * seconds from the moment when all threads were ready until the last one finished. Between calls the threads sleep, so
 * that they do not disturb other measurements.
 */
double pool_run(struct pool *pool, void (*work)(void *context, size_t index), void *context);

void pool_free(struct pool *pool);

/* The number of processors that this process may run on. lmada uses as many if its option `threads` is 0. */
size_t available_threads(void);

#endif

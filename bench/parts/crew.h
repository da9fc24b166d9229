/*
 * Threads that stay, and start on a piece of work at the same moment.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include <stddef.h>

struct crew;

/* `threads` threads, the calling one included; at least 1. */
struct crew *crew_new(size_t threads);

/*
 * Calls work(context, index) once for each index below the number of threads, at once. Returns the seconds from the
 * moment when all were ready until the last had done. Between calls the threads sleep, so that they take no time from
 * what is measured then.
 */
double crew_run(struct crew *crew, void (*work)(void *context, size_t index), void *context);

void crew_free(struct crew *crew);

/* Processors that this process may run on: what lmada takes where `threads` is 0. */
size_t available_threads(void);

#endif

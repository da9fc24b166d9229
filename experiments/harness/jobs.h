/*
 * Work in child processes, several at a time. A child returns its results in shared memory.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_JOBS_H
#define EXPERIMENTS_JOBS_H

#include <stddef.h>

struct work {
    void (*run)(void *context, size_t job);      /* in a child */
    void (*finished)(void *context, size_t job); /* in this process, once the job's child has ended */
    void *context;
};

/* Does the jobs 0 to count - 1, started in this order. Fails if one of them fails. */
void jobs_run(const struct work *work, size_t count, size_t at_a_time);

/* Zeroed memory that children share; shared_free needs the same size. Never NULL: fails if memory is out. */
void *shared_new(size_t size);
void shared_free(void *shared, size_t size);

/* Processors that this machine has. */
size_t processors(void);

#endif

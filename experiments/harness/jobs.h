/*
 * Work in child processes, several at a time. What a child finds out it has to put into shared memory.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_JOBS_H
#define EXAMPLES_JOBS_H

#include <stddef.h>

struct work {
    void (*run)(void *context, size_t job);      /* in a child */
    void (*finished)(void *context, size_t job); /* in this process, once the job's child has ended */
    void *context;
};

/* Does the jobs 0 to count - 1, started in this order. Fails where one fails. */
void jobs_run(const struct work *work, size_t count, size_t at_a_time);

/* Zeroed memory that children share; `size` again to give it back. Fails where there is none. */
void *shared_new(size_t size);
void shared_free(void *shared, size_t size);

/* Processors that this machine has. */
size_t processors(void);

#endif

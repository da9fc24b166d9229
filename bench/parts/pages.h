/*
 * Memory on huge pages, if the system has huge pages.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_PAGES_H
#define BENCH_PAGES_H

#include <stddef.h>

/* Returns `bytes` zero bytes that begin at the start of a huge page. Ends the program if there is no memory. */
void *pages_take(size_t bytes);

void pages_give(void *start, size_t bytes);

#endif

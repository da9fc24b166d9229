/*
 * Memory on huge pages, where the system has them.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef BENCH_PAGES_H
#define BENCH_PAGES_H

#include <stddef.h>

/* `bytes` zeros at the start of a huge page. Never NULL: fails where memory is out. */
void *pages_take(size_t bytes);

void pages_give(void *start, size_t bytes);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE

#include "pages.h"

#include <stdint.h>
#include <sys/mman.h>

#include "support.h"

static const size_t huge_page = (size_t)2 << 20;

static size_t whole(size_t bytes) {
    return (bytes + huge_page - 1) / huge_page * huge_page;
}

void *pages_take(size_t bytes) {
    /* A page more than is needed, so that a huge page begins in the first; what is left at both ends goes back. */
    size_t wanted = whole(bytes), taken = wanted + huge_page;
    char *start = mmap(NULL, taken, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) fail("out of memory: %zu bytes", bytes);
    size_t before = whole((uintptr_t)start) - (uintptr_t)start, after = huge_page - before;
    if (before) munmap(start, before);
    if (after) munmap(start + before + wanted, after);
    madvise(start + before, wanted, MADV_HUGEPAGE); /* a wish: small pages work, too */
    return start + before;
}

void pages_give(void *start, size_t bytes) {
    munmap(start, whole(bytes));
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE

#include "pages.h"

#include <stdint.h>
#include <sys/mman.h>

#include "support.h"

static const size_t huge_page = (size_t)2 << 20;

static size_t rounded_up(size_t bytes) {
    return (bytes + huge_page - 1) / huge_page * huge_page;
}

void *pages_take(size_t bytes) {
    /* Maps one huge page more than needed, so that the result can begin at a huge page. Unmaps the unused ends. */
    size_t wanted = rounded_up(bytes), taken = wanted + huge_page;
    char *start = mmap(NULL, taken, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) fail("out of memory: %zu bytes", bytes);
    size_t before = rounded_up((uintptr_t)start) - (uintptr_t)start, after = huge_page - before;
    if (before) munmap(start, before);
    if (after) munmap(start + before + wanted, after);
    madvise(start + before, wanted, MADV_HUGEPAGE); /* may fail: small pages work too */
    return start + before;
}

void pages_give(void *start, size_t bytes) {
    munmap(start, rounded_up(bytes));
}

/* The process's own allocator, watched and made to fail: malloc and its like, mmap and pthread_create, as called by
 * the library too, since a program's symbols come before a library's. */
#ifndef FAILING_ALLOCATOR_H
#define FAILING_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

typedef enum { FAIL_ONCE, FAIL_EVER_AFTER } failure_mode;

/* Watches requests from now on; the `first`-th fails (0: none), and in the second mode all after it. */
void allocator_watch(size_t first, failure_mode mode);

/* Ends watching. Returns the number of requests that failed. */
size_t allocator_unwatch(void);

/* Requests of the last watch. */
size_t allocator_requests(void);

/* What was got while watched and is not given back: blocks, and bytes of mappings. */
size_t allocator_live_blocks(void);
size_t allocator_live_mapped(void);

#endif

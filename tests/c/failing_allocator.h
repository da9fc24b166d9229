/* Watches the allocator of the process and makes requests fail: malloc and its like, mmap and pthread_create. The
 * library calls these functions too, since a program's symbols take precedence over a library's. */
#ifndef FAILING_ALLOCATOR_H
#define FAILING_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

typedef enum { FAIL_ONCE, FAIL_EVER_AFTER } failure_mode;

/* Watches requests from now on. The `first`-th request fails (0: none); in the second mode all later requests too. */
void allocator_watch(size_t first, failure_mode mode);

/* Ends watching. Returns the number of requests that failed. */
size_t allocator_unwatch(void);

/* Returns the number of requests of the last watch. */
size_t allocator_requests(void);

/* Return the memory allocated while watched and not freed: blocks, and bytes of mappings. */
size_t allocator_live_blocks(void);
size_t allocator_live_mapped(void);

#endif

#define _GNU_SOURCE
#include "failing_allocator.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own, under names that a program does not replace. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

enum { MOST_BLOCKS = 1 << 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool watching;
static size_t first_failure, requests, failures, mapped;
static failure_mode failing;
static void *blocks[MOST_BLOCKS];
static size_t block_count;

/* Set while this thread is in glibc's pthread_create: what that allocates, glibc keeps for the next thread. */
static __thread bool exempt;

void allocator_watch(size_t first, failure_mode mode)
{
    pthread_mutex_lock(&lock);
    first_failure = first;
    failing = mode;
    requests = failures = 0;
    watching = true;
    pthread_mutex_unlock(&lock);
}

size_t allocator_unwatch(void)
{
    pthread_mutex_lock(&lock);
    watching = false;
    pthread_mutex_unlock(&lock);
    return failures;
}

size_t allocator_requests(void) { return requests; }
size_t allocator_live_blocks(void) { return block_count; }
size_t allocator_live_mapped(void) { return mapped; }

/* Whether this request has to fail. */
static bool fails(void)
{
    bool fail = false;
    if (exempt) return false;
    pthread_mutex_lock(&lock);
    if (watching) {
        requests++;
        fail = first_failure != 0 && (failing == FAIL_ONCE ? requests == first_failure : requests >= first_failure);
        failures += fail;
    }
    pthread_mutex_unlock(&lock);
    return fail;
}

static void *got(void *block)
{
    if (!block || exempt) return block;
    pthread_mutex_lock(&lock);
    if (watching) {
        if (block_count == MOST_BLOCKS) abort(); /* the table is too small for this test */
        blocks[block_count++] = block;
    }
    pthread_mutex_unlock(&lock);
    return block;
}

static void gone(const void *block)
{
    pthread_mutex_lock(&lock);
    for (size_t i = block_count; i-- > 0;) {
        if (blocks[i] == block) {
            blocks[i] = blocks[--block_count];
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size) { return fails() ? no_memory() : got(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return fails() ? no_memory() : got(__libc_calloc(count, size)); }
void *memalign(size_t alignment, size_t size) { return fails() ? no_memory() : got(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *start = memalign(alignment, size);
    if (!start) return ENOMEM;
    *block = start;
    return 0;
}

void *realloc(void *old, size_t size)
{
    void *block;
    if (fails()) return no_memory();
    block = __libc_realloc(old, size);
    if (block || size == 0) gone(old);
    return got(block);
}

void free(void *block)
{
    if (block) gone(block);
    __libc_free(block);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    void *start;
    if (fails()) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    start = (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
    if (start != MAP_FAILED) {
        pthread_mutex_lock(&lock);
        mapped += length;
        pthread_mutex_unlock(&lock);
    }
    return start;
}

int munmap(void *address, size_t length)
{
    pthread_mutex_lock(&lock);
    mapped -= length;
    pthread_mutex_unlock(&lock);
    return (int)syscall(SYS_munmap, address, length);
}

typedef int (*create_function)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    static create_function create;
    void *symbol;
    int failure;
    if (fails()) return EAGAIN;
    exempt = true;
    if (!create) {
        symbol = dlsym(RTLD_NEXT, "pthread_create");
        if (!symbol) abort();
        *(void **)&create = symbol; /* as POSIX has it: C knows no such conversion */
    }
    failure = create(thread, attributes, start, argument);
    exempt = false;
    return failure;
}

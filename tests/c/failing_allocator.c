#define _GNU_SOURCE
#include "failing_allocator.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The functions behind those replaced here: a sanitizer's, so that the sanitizer sees every allocation, or glibc's. */
#ifdef SANITIZER_RUNTIME
#define BEHIND(function) __interceptor_##function
void *BEHIND(mmap)(void *address, size_t length, int protection, int flags, int file, off_t offset);
int BEHIND(munmap)(void *address, size_t length);
int BEHIND(pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
#define real_mmap BEHIND(mmap)
#define real_munmap BEHIND(munmap)
#define real_pthread_create BEHIND(pthread_create)
#else
#define BEHIND(function) __libc_##function

static void *real_mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
}

static int real_munmap(void *address, size_t length) { return (int)syscall(SYS_munmap, address, length); }

static int real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                               void *argument)
{
    static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!create) {
        void *symbol = dlsym(RTLD_NEXT, "pthread_create");
        if (!symbol) abort();
        *(void **)&create = symbol; /* POSIX allows this conversion; C does not have it */
    }
    return create(thread, attributes, start, argument);
}
#endif

void *BEHIND(malloc)(size_t size);
void *BEHIND(calloc)(size_t count, size_t size);
void *BEHIND(realloc)(void *block, size_t size);
void *BEHIND(memalign)(size_t alignment, size_t size);
void BEHIND(free)(void *block);

enum { MOST_BLOCKS = 1 << 16 };

static bool watching;
static size_t first_failure, requests, failures, mapped;
static failure_mode failing;
static void *blocks[MOST_BLOCKS];
static size_t block_count;

/* Set while a thread runs its own function, and on the watching thread outside pthread_create. glibc keeps the memory
 * that pthread_create allocates for the next thread, and a sanitizer allocates at the start and end of a thread. */
static __thread bool counted;

/* A spin lock: a sanitizer allocates before it can lock a pthread mutex. */
static bool locked;

static void lock(void)
{
    while (__atomic_test_and_set(&locked, __ATOMIC_ACQUIRE)) sched_yield();
}

static void unlock(void) { __atomic_clear(&locked, __ATOMIC_RELEASE); }

void allocator_watch(size_t first, failure_mode mode)
{
    counted = true;
    lock();
    first_failure = first;
    failing = mode;
    requests = failures = 0;
    watching = true;
    unlock();
}

size_t allocator_unwatch(void)
{
    lock();
    watching = false;
    unlock();
    return failures;
}

size_t allocator_requests(void) { return requests; }
size_t allocator_live_blocks(void) { return block_count; }
size_t allocator_live_mapped(void) { return mapped; }

/* Whether this request should fail. */
static bool fails(void)
{
    bool fail = false;
    if (!counted) return false;
    lock();
    if (watching) {
        requests++;
        fail = first_failure != 0 && (failing == FAIL_ONCE ? requests == first_failure : requests >= first_failure);
        failures += fail;
    }
    unlock();
    return fail;
}

static void *got(void *block)
{
    if (!block || !counted) return block;
    lock();
    if (watching) {
        if (block_count == MOST_BLOCKS) abort(); /* the table is too small for this test */
        blocks[block_count++] = block;
    }
    unlock();
    return block;
}

static void gone(const void *block)
{
    lock();
    for (size_t i = block_count; i-- > 0;) {
        if (blocks[i] == block) {
            blocks[i] = blocks[--block_count];
            break;
        }
    }
    unlock();
}

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size) { return fails() ? no_memory() : got(BEHIND(malloc)(size)); }
void *calloc(size_t count, size_t size) { return fails() ? no_memory() : got(BEHIND(calloc)(count, size)); }
void *memalign(size_t alignment, size_t size) { return fails() ? no_memory() : got(BEHIND(memalign)(alignment, size)); }
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
    block = BEHIND(realloc)(old, size);
    if (block || size == 0) gone(old);
    return got(block);
}

void free(void *block)
{
    if (block) gone(block);
    BEHIND(free)(block);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    void *start;
    if (fails()) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    start = real_mmap(address, length, protection, flags, file, offset);
    if (start != MAP_FAILED) {
        lock();
        mapped += length;
        unlock();
    }
    return start;
}

int munmap(void *address, size_t length)
{
    lock();
    mapped -= length;
    unlock();
    return real_munmap(address, length);
}

typedef struct {
    void *(*start)(void *);
    void *argument;
} thread_function;

static void *run_counted(void *function)
{
    const thread_function own = *(thread_function *)function;
    void *result;
    BEHIND(free)(function);
    counted = true;
    result = own.start(own.argument);
    counted = false;
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    const bool before = counted;
    thread_function *function;
    int failure;
    if (fails()) return EAGAIN;
    function = BEHIND(malloc)(sizeof *function);
    if (!function) abort();
    function->start = start;
    function->argument = argument;
    counted = false;
    failure = real_pthread_create(thread, attributes, run_counted, function);
    counted = before;
    if (failure) BEHIND(free)(function);
    return failure;
}

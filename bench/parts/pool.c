/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE

#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

#include "support.h"

struct pool {
    size_t threads;
    pthread_t *workers;
    pthread_mutex_t lock;
    pthread_cond_t called;
    size_t calls, joined; /* under the lock: number of jobs so far; number of workers that have an index */
    bool quit;
    void (*work)(void *context, size_t index);
    void *context;
    size_t ready, done; /* atomic: arrivals of threads, summed over all jobs, so that nothing resets them */
};

/* Counts the arrival of this thread, and spins until all threads have arrived in this job. Takes some hundred
 * nanoseconds if each thread has a processor. */
static void meet(struct pool *pool, size_t *count, size_t call) {
    __atomic_add_fetch(count, 1, __ATOMIC_ACQ_REL);
    for (size_t spins = 0; __atomic_load_n(count, __ATOMIC_ACQUIRE) < call * pool->threads; spins++)
        if (spins > 10000) sched_yield();
}

static void *serve(void *argument) {
    struct pool *pool = argument;
    size_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    size_t index = ++pool->joined;
    for (;;) {
        while (pool->calls == seen && !pool->quit) pthread_cond_wait(&pool->called, &pool->lock);
        if (pool->quit) break;
        seen = pool->calls;
        pthread_mutex_unlock(&pool->lock);
        meet(pool, &pool->ready, seen);
        pool->work(pool->context, index);
        meet(pool, &pool->done, seen);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct pool *pool_new(size_t threads) {
    struct pool *pool = allocate(1, sizeof *pool);
    pool->threads = threads;
    pool->workers = allocate(threads, sizeof *pool->workers);
    if (pthread_mutex_init(&pool->lock, NULL) || pthread_cond_init(&pool->called, NULL)) fail("no mutex");
    for (size_t i = 1; i < threads; i++)
        if (pthread_create(&pool->workers[i], NULL, serve, pool)) fail("cannot start thread %zu", i);
    return pool;
}

double pool_run(struct pool *pool, void (*work)(void *context, size_t index), void *context) {
    pthread_mutex_lock(&pool->lock);
    pool->work = work;
    pool->context = context;
    size_t call = ++pool->calls;
    pthread_cond_broadcast(&pool->called);
    pthread_mutex_unlock(&pool->lock);

    meet(pool, &pool->ready, call);
    double start = seconds_now();
    work(context, 0);
    meet(pool, &pool->done, call);
    return seconds_now() - start;
}

void pool_free(struct pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->quit = true;
    pthread_cond_broadcast(&pool->called);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 1; i < pool->threads; i++) pthread_join(pool->workers[i], NULL);
    pthread_cond_destroy(&pool->called);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

size_t available_threads(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : (size_t)CPU_COUNT(&set);
}

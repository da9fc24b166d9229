/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE

#include "crew.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

#include "support.h"

struct crew {
    size_t threads;
    pthread_t *workers;
    pthread_mutex_t lock;
    pthread_cond_t called;
    size_t calls, joined; /* under the lock: how often there was work; how many workers have an index */
    bool quit;
    void (*work)(void *context, size_t index);
    void *context;
    size_t ready, done; /* atomic: how many threads came, in all calls together, so that none is ever set back */
};

/* Comes, and waits awake until all have in this call: some hundred nanoseconds where each has a processor. */
static void meet(struct crew *crew, size_t *count, size_t call) {
    __atomic_add_fetch(count, 1, __ATOMIC_ACQ_REL);
    for (size_t spins = 0; __atomic_load_n(count, __ATOMIC_ACQUIRE) < call * crew->threads; spins++)
        if (spins > 10000) sched_yield();
}

static void *serve(void *argument) {
    struct crew *crew = argument;
    size_t seen = 0;
    pthread_mutex_lock(&crew->lock);
    size_t index = ++crew->joined;
    for (;;) {
        while (crew->calls == seen && !crew->quit) pthread_cond_wait(&crew->called, &crew->lock);
        if (crew->quit) break;
        seen = crew->calls;
        pthread_mutex_unlock(&crew->lock);
        meet(crew, &crew->ready, seen);
        crew->work(crew->context, index);
        meet(crew, &crew->done, seen);
        pthread_mutex_lock(&crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

struct crew *crew_new(size_t threads) {
    struct crew *crew = allocate(1, sizeof *crew);
    crew->threads = threads;
    crew->workers = allocate(threads, sizeof *crew->workers);
    if (pthread_mutex_init(&crew->lock, NULL) || pthread_cond_init(&crew->called, NULL)) fail("no mutex");
    for (size_t i = 1; i < threads; i++)
        if (pthread_create(&crew->workers[i], NULL, serve, crew)) fail("thread %zu cannot be had", i);
    return crew;
}

double crew_run(struct crew *crew, void (*work)(void *context, size_t index), void *context) {
    pthread_mutex_lock(&crew->lock);
    crew->work = work;
    crew->context = context;
    size_t call = ++crew->calls;
    pthread_cond_broadcast(&crew->called);
    pthread_mutex_unlock(&crew->lock);

    meet(crew, &crew->ready, call);
    double start = seconds_now();
    work(context, 0);
    meet(crew, &crew->done, call);
    return seconds_now() - start;
}

void crew_free(struct crew *crew) {
    pthread_mutex_lock(&crew->lock);
    crew->quit = true;
    pthread_cond_broadcast(&crew->called);
    pthread_mutex_unlock(&crew->lock);
    for (size_t i = 1; i < crew->threads; i++) pthread_join(crew->workers[i], NULL);
    pthread_cond_destroy(&crew->called);
    pthread_mutex_destroy(&crew->lock);
    free(crew->workers);
    free(crew);
}

size_t available_threads(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : (size_t)CPU_COUNT(&set);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "roof.h"

#include <stdlib.h>
#include <string.h>

#include "pages.h"
#include "pool.h"
#include "support.h"

/* Reads `bytes` bytes, a multiple of 512. Writes their sum to `sum`, so that no compiler removes the reads. */
typedef void (*reader)(const char *from, size_t bytes, float *sum);

/* With eight sums, the additions of one cache line do not wait for those of the line before, at any vector width. */
#define READER(name, width, ahead, attributes)                                                          \
    attributes static void name(const char *from, size_t bytes, float *sum) {                          \
        typedef float vector __attribute__((vector_size(width)));                                      \
        vector sums[8] = {{0}};                                                                         \
        for (const char *at = from; at < from + bytes; at += 8 * (width)) {                             \
            for (size_t line = 0; (ahead) && line < 8 * (width); line += 64)                            \
                __builtin_prefetch(at + (ahead) + line);                                                \
            for (size_t i = 0; i < 8; i++) sums[i] += ((const vector *)at)[i];                          \
        }                                                                                               \
        for (size_t i = 1; i < 8; i++) sums[0] += sums[i];                                              \
        memcpy(sum, sums, sizeof(vector));                                                              \
    }

enum { LOOPS = 3, NEAR = 1024, FAR = 4096, MOST_SAMPLES = 64, WIDEST = 64, STRIDE = 8 * WIDEST };

READER(plain_16, 16, 0, )
READER(near_16, 16, NEAR, )
READER(far_16, 16, FAR, )
static const reader readers_16[LOOPS] = {plain_16, near_16, far_16};

#if defined(__x86_64__)
READER(plain_32, 32, 0, __attribute__((target("avx2"))))
READER(near_32, 32, NEAR, __attribute__((target("avx2"))))
READER(far_32, 32, FAR, __attribute__((target("avx2"))))
static const reader readers_32[LOOPS] = {plain_32, near_32, far_32};

READER(plain_64, 64, 0, __attribute__((target("avx512f"))))
READER(near_64, 64, NEAR, __attribute__((target("avx512f"))))
READER(far_64, 64, FAR, __attribute__((target("avx512f"))))
static const reader readers_64[LOOPS] = {plain_64, near_64, far_64};
#endif

static const reader *readers(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return readers_64;
    if (__builtin_cpu_supports("avx2")) return readers_32;
#endif
    return readers_16;
}

struct roof {
    struct pool *pool;
    char *buffer;
    size_t share, threads; /* bytes that each thread reads; number of threads */
    size_t repetitions, loop;
    size_t samples;
    double speeds[LOOPS][MOST_SAMPLES];
};

static void read_share(void *context, size_t index) {
    struct roof *roof = context;
    float sum[WIDEST / sizeof(float)];
    for (size_t r = 0; r < roof->repetitions; r++)
        readers()[roof->loop](roof->buffer + index * roof->share, roof->share, sum);
}

static double speed(struct roof *roof) {
    double seconds = pool_run(roof->pool, read_share, roof);
    return (double)(roof->threads * roof->share) * (double)roof->repetitions / seconds;
}

struct roof *roof_new(size_t bytes, size_t threads) {
    struct roof *roof = allocate(1, sizeof *roof);
    roof->threads = threads;
    roof->share = (bytes / threads + STRIDE - 1) / STRIDE * STRIDE;
    roof->pool = pool_new(threads);
    roof->buffer = pages_take(threads * roof->share + FAR);
    memset(roof->buffer, 0, threads * roof->share + FAR); /* the system allocates a page when it is first written */
    roof->repetitions = 1;
    speed(roof);
    roof->repetitions = 1 + (size_t)(0.01 * speed(roof) / (double)(threads * roof->share));
    return roof;
}

void roof_sample(struct roof *roof) {
    if (roof->samples == MOST_SAMPLES) fail("more than %d samples of a roof", MOST_SAMPLES);
    size_t repetitions = roof->repetitions;
    roof->repetitions = 1; /* brings back into the caches what other measurements evicted */
    speed(roof);
    roof->repetitions = repetitions;
    for (roof->loop = 0; roof->loop < LOOPS; roof->loop++) roof->speeds[roof->loop][roof->samples] = speed(roof);
    roof->loop = 0;
    roof->samples++;
}

double roof_height(struct roof *roof) {
    double height = 0;
    for (size_t loop = 0; loop < LOOPS; loop++) {
        double middle = median(roof->speeds[loop], roof->samples);
        if (middle > height) height = middle;
    }
    return height;
}

void roof_free(struct roof *roof) {
    if (!roof) return;
    pool_free(roof->pool);
    pages_give(roof->buffer, roof->threads * roof->share + FAR);
    free(roof);
}

/*
 * What every part of the examples needs: failing loudly, memory, medians, random numbers, the clock.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_SUPPORT_H
#define EXAMPLES_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define EXAMPLES_FAILS __attribute__((noreturn, format(printf, 1, 2)))
#else
#define EXAMPLES_FAILS
#endif

/* Prints the message and ends the program with status 1. */
void fail(const char *format, ...) EXAMPLES_FAILS;

/* A whole number from the command line; fails where the text is none. */
uint64_t parse_count(const char *text);

/* `count` zeroed elements of `size` bytes. Never NULL: fails where memory is out. */
void *allocate(size_t count, size_t size);

/* Median of `count` values, which are sorted in place. Infinities are fine. */
double median(double *values, size_t count);

/* Splitmix64 (Steele, Lea, Flood 2014): small, and the same numbers on every machine, unlike rand(). */
struct random {
    uint64_t state;
};

/* A generator for one purpose: streams of one seed are independent of each other. */
struct random random_stream(uint64_t seed, uint64_t stream);

/* Uniform in [low, high). */
double random_uniform(struct random *random, double low, double high);

/* A random order of 0 to count - 1 (Fisher-Yates). */
void random_shuffle(struct random *random, size_t *order, size_t count);

/* Seconds of a clock that never goes back. */
double seconds_now(void);

#endif

/*
 * What the tests are written with. A failed check is printed and counted; main returns check_result().
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_CHECK_H
#define EXAMPLES_CHECK_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long checks_made, checks_failed;

#define CHECK(condition, ...)                               \
    do {                                                    \
        checks_made++;                                      \
        if (!(condition)) {                                 \
            checks_failed++;                                \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
            fprintf(stderr, __VA_ARGS__);                   \
            fputc('\n', stderr);                            \
        }                                                   \
    } while (0)

/* Equal up to `tolerance`; false for NaN. */
#define CHECK_CLOSE(actual, expected, tolerance, what)                                                                \
    CHECK(fabs((double)(actual) - (double)(expected)) <= (tolerance), "%s is %.9g, not %.9g", what, (double)(actual), \
          (double)(expected))

static int check_result(const char *name) {
    printf("%s: %lu checks, %lu failed\n", name, checks_made, checks_failed);
    return checks_made > 0 && checks_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif

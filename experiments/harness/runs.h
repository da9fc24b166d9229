/*
 * The runs that are done, in a file to which each is added as it ends: an interrupted program goes on from there.
 *
 * A line a run: VERSION tab KEY tab NUMBERS. Lines of another version count for nothing, and so does one that was cut
 * short.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_RUNS_H
#define EXPERIMENTS_RUNS_H

#include <stdio.h>

enum { RUN_KEY_SIZE = 192, RUN_NUMBERS = 3 };

struct run_entry {
    char key[RUN_KEY_SIZE];
    double numbers[RUN_NUMBERS];
};

struct runs {
    FILE *file;
    char version[64];
    struct run_entry *list;
    size_t count, reserved;
    size_t *table; /* by hash: 1 + index into the list, or 0 */
    size_t table_size;
};

/*
 * `path`: NULL for a temporary file. `version`: everything that a run depends on besides its key. Neither version nor
 * keys may contain a tab.
 */
struct runs runs_open(const char *path, const char *version);
void runs_close(struct runs *runs);

/* NULL where there is none; valid until the next is added. */
const double *runs_find(const struct runs *runs, const char *key);

/* Fails where it cannot be written. */
void runs_add(struct runs *runs, const char *key, const double numbers[RUN_NUMBERS]);

#endif

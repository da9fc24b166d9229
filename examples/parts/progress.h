/*
 * How far the program is: one line that redraws itself on a terminal, a line now and then anywhere else.
 *
 * Goes to stderr, so that the results can be piped away.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    size_t total, done;
    double start; /* by seconds_now */
    double last;  /* when there was a line, where it is no terminal */
    bool terminal;
    int next_tenth; /* the next to be reported, where it is no terminal */
};

struct progress progress_start(size_t total);

/* There are now so many runs in all. */
void progress_expect(struct progress *progress, size_t total);

/* One more run is done; `task` and `method` say of what. */
void progress_advance(struct progress *progress, const char *task, const char *method);

/* Wipes the line. */
void progress_finish(struct progress *progress);

#endif

/*
 * How far the program is: one line that redraws itself on a terminal, a line now and then anywhere else.
 *
 * Goes to stderr, so that the results can be piped away.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_PROGRESS_H
#define EXPERIMENTS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    size_t total, done;                 /* runs; those that are sure to come, so far */
    double seconds_total, seconds_done; /* that runs take by estimate, one after the other, later ones included */
    double start, last;                 /* by seconds_now: of all; of the last line, where there is no terminal */
    bool terminal;
};

struct progress progress_start(void);

/* `runs` more are to come now, and `seconds` of estimated work in all. */
void progress_expect(struct progress *progress, size_t runs, double seconds);

/* One more run is done, estimated at `seconds`; `task` and `method` say of what. */
void progress_advance(struct progress *progress, double seconds, const char *task, const char *method);

/* Wipes the line. */
void progress_finish(struct progress *progress);

#endif

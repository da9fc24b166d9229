/*
 * Progress: on a terminal one line that is redrawn, elsewhere a line every 20 seconds.
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
    size_t total, done;                 /* runs; `total` counts those that are already known to come */
    double seconds_total, seconds_done; /* estimated, one run after the other; the total includes unknown later runs */
    double start, last;                 /* by seconds_now: of the program; of the last line that was printed */
    bool terminal;
};

struct progress progress_start(void);

/* `runs` more runs follow; `seconds` is the estimate for them and all later ones. */
void progress_expect(struct progress *progress, size_t runs, double seconds);

/* One more run is done, which was estimated at `seconds`. */
void progress_advance(struct progress *progress, double seconds, const char *task, const char *method);

/* Wipes the line. */
void progress_finish(struct progress *progress);

#endif

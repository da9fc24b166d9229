/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _POSIX_C_SOURCE 200809L

#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "support.h"

enum { SECONDS_BETWEEN_LINES = 20 };

struct progress progress_start(void) {
    double now = seconds_now();
    return (struct progress){.start = now, .terminal = isatty(STDERR_FILENO) == 1};
}

void progress_expect(struct progress *progress, size_t runs, double seconds) {
    progress->total = progress->done + runs;
    progress->seconds_total = progress->seconds_done + seconds;
}

/* Extrapolates: the seconds that passed, over the estimated seconds of the runs that are done. */
static double seconds_left(const struct progress *progress) {
    double passed = seconds_now() - progress->start, done = progress->seconds_done;
    return done > 0 ? passed * (progress->seconds_total - done) / done : 0;
}

void progress_advance(struct progress *progress, double seconds, const char *task, const char *method) {
    enum { COLUMNS = 79 };
    char line[COLUMNS + 1];
    progress->done++;
    progress->seconds_done += seconds;
    double now = seconds_now();
    if (!progress->terminal && now - progress->last < SECONDS_BETWEEN_LINES) return;
    progress->last = now;
    /* At most 79 columns: if a line wraps, a carriage return redraws only its last part. */
    snprintf(line, sizeof line, "%zu of %zu runs or more, %.0f s, %.0f s left  %s: %s", progress->done,
             progress->total, now - progress->start, seconds_left(progress), task, method);
    if (progress->terminal)
        fprintf(stderr, "\r%s\033[K", line);
    else
        fprintf(stderr, "%s\n", line);
}

void progress_finish(struct progress *progress) {
    if (progress->terminal) fputs("\r\033[K", stderr);
}

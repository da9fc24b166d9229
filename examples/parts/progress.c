/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _POSIX_C_SOURCE 200809L

#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "support.h"

struct progress progress_start(size_t total) {
    double now = seconds_now();
    return (struct progress){total, 0, now, now, isatty(STDERR_FILENO) == 1, 1};
}

void progress_expect(struct progress *progress, size_t total) {
    progress->total = total;
}

static double seconds_left(const struct progress *progress) {
    double passed = seconds_now() - progress->start;
    return passed * (double)(progress->total - progress->done) / (double)progress->done;
}

static void draw(const struct progress *progress, const char *task, const char *method) {
    enum { WIDTH = 16, COLUMNS = 79 };
    char bar[WIDTH + 1] = {0}, line[COLUMNS + 1];
    size_t filled = progress->done * WIDTH / progress->total;
    for (size_t i = 0; i < WIDTH; i++) bar[i] = i < filled ? '#' : '.';
    /* Cut to what a terminal holds: of a line that wraps, a carriage return redraws but the last part. */
    snprintf(line, sizeof line, "[%s] %zu of %zu runs, %.0f s left  %s: %s", bar, progress->done, progress->total,
             seconds_left(progress), task, method);
    fprintf(stderr, "\r%s\033[K", line);
}

void progress_advance(struct progress *progress, const char *task, const char *method) {
    progress->done++;
    if (progress->terminal) {
        draw(progress, task, method);
        return;
    }
    double now = seconds_now();
    if (progress->done * 10 < progress->total * (size_t)progress->next_tenth && now - progress->last < 60) return;
    fprintf(stderr, "%3zu %%: %zu of %zu runs, %.0f s, %.0f s left  %s: %s\n", progress->done * 100 / progress->total,
            progress->done, progress->total, now - progress->start, seconds_left(progress), task, method);
    progress->last = now;
    while (progress->done * 10 >= progress->total * (size_t)progress->next_tenth) progress->next_tenth++;
}

void progress_finish(struct progress *progress) {
    if (progress->terminal) fputs("\r\033[K", stderr);
}

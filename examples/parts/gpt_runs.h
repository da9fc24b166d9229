/*
 * The runs that are done, in a file to which each is added as it ends: what was interrupted goes on from there.
 *
 * A line a run. Lines of another version, and one that was cut short, do not count.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_GPT_RUNS_H
#define EXAMPLES_GPT_RUNS_H

#include <stdio.h>

#include "gpt_run.h"

enum { RUN_KEY_SIZE = 128, RUN_VERSION_SIZE = 192 };

struct gpt_runs {
    FILE *file;
    char version[RUN_VERSION_SIZE];
    struct gpt_run *list;
    size_t count, reserved;
};

/* `version`: all that a run depends on besides its key. Neither holds a tab. */
struct gpt_runs gpt_runs_open(const char *path, const char *version);
void gpt_runs_close(struct gpt_runs *runs);

/* What a run is: all that sets it apart from the others of this version. */
void gpt_run_key(char key[RUN_KEY_SIZE], const char *setting, enum schedule schedule, double lr, uint64_t seed);

/* NULL where there is none; valid until the next is added. */
const struct gpt_outcome *gpt_runs_find(const struct gpt_runs *runs, const char *key);

/* Fails where it cannot be written. */
void gpt_runs_add(struct gpt_runs *runs, const char *key, const struct gpt_outcome *outcome);

#endif

/*
 * A run in a file that is always whole.
 *
 * A checkpoint is a list of sections, each as long as the program says, and a checksum over all of it. Saving writes a
 * second file beside the first, waits until it is on the disk, and renames it over the first: whatever ends the process
 * or the machine in between, the file at `path` is the old checkpoint or the new one. What a save that was cut off left
 * behind is written over by the next. Numbers are stored as they lie in memory, for machines of the same kind. One
 * process at a time may save to a path.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_CHECKPOINT_H
#define EXAMPLES_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>

struct section {
    const char *name;
    void *bytes;
    size_t len;
};

/* Why a call failed, in words. */
struct complaint {
    char text[600];
};

/* False: `why` says what failed, and the file at `path` is as it was before, unless `why` says otherwise. */
bool checkpoint_save(const char *path, const struct section *sections, size_t count, struct complaint *why);

enum checkpoint_found {
    CHECKPOINT_NONE,   /* there is no such file: a new run */
    CHECKPOINT_LOADED, /* the sections hold what was saved */
    CHECKPOINT_REFUSED /* it cannot be read, is damaged or of something else; `why` says which, no section changed */
};

enum checkpoint_found checkpoint_load(const char *path, const struct section *sections, size_t count,
                                      struct complaint *why);

#endif

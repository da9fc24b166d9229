/*
 * A text as numbers, in two parts: to train on, and held out.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXPERIMENTS_TEXT_H
#define EXPERIMENTS_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct part {
    const unsigned char *codes;
    size_t len;
};

struct text {
    struct part train, held_out; /* the last tenth is held out */
    size_t characters;           /* codes are below this */
    uint64_t fingerprint;        /* of the whole text (FNV-1a) */
    unsigned char *codes;
};

/* Characters get their numbers in the order of ASCII. Fails where there are more than `most` different ones. */
struct text text_read(const char *path, size_t most);
void text_free(struct text *text);

/* `count` windows of `len` characters at equal distances over the part. */
void text_spread(const struct part *part, size_t len, const unsigned char **windows, size_t count);

#endif

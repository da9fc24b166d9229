/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

static unsigned char *read_bytes(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    if (!file) fail("%s: %s", path, strerror(errno));
    size_t reserved = 1 << 16;
    unsigned char *bytes = allocate(reserved, 1);
    for (*len = 0;;) {
        size_t got = fread(bytes + *len, 1, reserved - *len, file);
        if (got == 0) break;
        *len += got;
        if (*len < reserved) continue;
        bytes = realloc(bytes, reserved *= 2);
        if (!bytes) fail("out of memory: a text of more than %zu bytes", *len);
    }
    if (ferror(file) || *len == 0) fail("%s: cannot be read, or is empty", path);
    fclose(file);
    return bytes;
}

struct text text_read(const char *path, size_t most) {
    size_t len;
    struct text text = {.codes = read_bytes(path, &len), .fingerprint = UINT64_C(0xcbf29ce484222325)};
    bool occurs[256] = {false};
    for (size_t i = 0; i < len; i++) {
        occurs[text.codes[i]] = true;
        text.fingerprint = (text.fingerprint ^ text.codes[i]) * UINT64_C(0x100000001b3);
    }

    unsigned char code_of[256] = {0};
    for (size_t c = 0; c < 256; c++)
        if (occurs[c]) code_of[c] = (unsigned char)text.characters++;
    if (text.characters > most) fail("%s: %zu different characters, more than %zu", path, text.characters, most);
    for (size_t i = 0; i < len; i++) text.codes[i] = code_of[text.codes[i]];

    size_t held_out = len / 10;
    text.train = (struct part){text.codes, len - held_out};
    text.held_out = (struct part){text.codes + len - held_out, held_out};
    return text;
}

void text_free(struct text *text) {
    free(text->codes);
    *text = (struct text){0};
}

void text_spread(const struct part *part, size_t len, const unsigned char **windows, size_t count) {
    if (part->len < len) fail("a window of %zu characters from %zu", len, part->len);
    for (size_t i = 0; i < count; i++)
        windows[i] = part->codes + (count > 1 ? (part->len - len) * i / (count - 1) : 0);
}

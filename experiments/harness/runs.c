/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _POSIX_C_SOURCE 200809L /* getline */

#include "runs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* FNV-1a. */
static uint64_t hash(const char *text) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

/* Where the key is in the table, or where it would go. */
static size_t *place_of(const struct runs *runs, const char *key) {
    size_t at = hash(key) % runs->table_size;
    while (runs->table[at] && strcmp(runs->list[runs->table[at] - 1].key, key) != 0) at = (at + 1) % runs->table_size;
    return runs->table + at;
}

static void grow(struct runs *runs) {
    runs->reserved = runs->reserved ? 2 * runs->reserved : 1024;
    runs->list = realloc(runs->list, runs->reserved * sizeof *runs->list);
    if (!runs->list) fail("out of memory: %zu runs", runs->reserved);
    free(runs->table);
    runs->table_size = 2 * runs->reserved;
    runs->table = allocate(runs->table_size, sizeof *runs->table);
    for (size_t i = 0; i < runs->count; i++) *place_of(runs, runs->list[i].key) = i + 1;
}

static void keep(struct runs *runs, const char *key, const double *numbers) {
    if (runs->count == runs->reserved) grow(runs);
    struct run_entry *entry = runs->list + runs->count++;
    snprintf(entry->key, sizeof entry->key, "%s", key);
    memcpy(entry->numbers, numbers, sizeof entry->numbers);
    *place_of(runs, key) = runs->count;
}

static void take_line(struct runs *runs, char *line) {
    char *key = strchr(line, '\t'), *numbers = key ? strchr(key + 1, '\t') : NULL;
    if (!numbers || !strchr(numbers, '\n')) return;
    *key++ = *numbers++ = '\0';
    if (strcmp(line, runs->version) != 0 || strlen(key) >= RUN_KEY_SIZE) return;
    double values[RUN_NUMBERS];
    for (size_t i = 0; i < RUN_NUMBERS; i++) {
        char *end;
        values[i] = strtod(numbers, &end);
        if (end == numbers) return;
        numbers = end;
    }
    keep(runs, key, values);
}

struct runs runs_open(const char *path, const char *version) {
    struct runs runs = {.file = path ? fopen(path, "a+") : tmpfile()};
    if (!runs.file) fail("%s: %s", path ? path : "a temporary file", strerror(errno));
    snprintf(runs.version, sizeof runs.version, "%s", version);
    grow(&runs);
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    bool cut_short = false;
    rewind(runs.file);
    for (; (len = getline(&line, &size, runs.file)) > 0;) {
        cut_short = line[len - 1] != '\n';
        take_line(&runs, line);
    }
    free(line);
    if (ferror(runs.file)) fail("the file of runs cannot be read");
    fseek(runs.file, 0, SEEK_END);
    if (cut_short) fputc('\n', runs.file);
    return runs;
}

void runs_close(struct runs *runs) {
    if (fclose(runs->file) != 0) fail("the file of runs cannot be written");
    free(runs->list);
    free(runs->table);
    *runs = (struct runs){0};
}

const double *runs_find(const struct runs *runs, const char *key) {
    size_t at = *place_of(runs, key);
    return at ? runs->list[at - 1].numbers : NULL;
}

void runs_add(struct runs *runs, const char *key, const double numbers[RUN_NUMBERS]) {
    if (strlen(key) >= RUN_KEY_SIZE) fail("a run's name of %zu characters", strlen(key));
    fprintf(runs->file, "%s\t%s\t", runs->version, key);
    for (size_t i = 0; i < RUN_NUMBERS; i++) fprintf(runs->file, "%.17g ", numbers[i]);
    fputc('\n', runs->file);
    if (fflush(runs->file) != 0 || ferror(runs->file)) fail("the file of runs cannot be written: %s", strerror(errno));
    keep(runs, key, numbers);
}

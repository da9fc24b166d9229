/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _POSIX_C_SOURCE 200809L /* getline */

#include "gpt_runs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct gpt_run {
    char key[RUN_KEY_SIZE];
    struct gpt_outcome outcome;
};

/* An outcome is read and written as the doubles that it consists of. */
enum { NUMBERS = sizeof(struct gpt_outcome) / sizeof(double) };

static void keep(struct gpt_runs *runs, const char *key, const struct gpt_outcome *outcome) {
    if (runs->count == runs->reserved) {
        runs->reserved = runs->reserved ? 2 * runs->reserved : 1024;
        runs->list = realloc(runs->list, runs->reserved * sizeof *runs->list);
        if (!runs->list) fail("out of memory: %zu runs", runs->reserved);
    }
    struct gpt_run *run = runs->list + runs->count++;
    run->outcome = *outcome;
    snprintf(run->key, sizeof run->key, "%s", key);
}

/* VERSION tab KEY tab NUMBERS newline. */
static void take_line(struct gpt_runs *runs, char *line) {
    char *key = strchr(line, '\t'), *numbers = key ? strchr(key + 1, '\t') : NULL;
    if (!numbers || !strchr(numbers, '\n')) return;
    *key++ = *numbers++ = '\0';
    if (strcmp(line, runs->version) != 0 || strlen(key) >= RUN_KEY_SIZE) return;
    double values[NUMBERS];
    for (size_t i = 0; i < NUMBERS; i++) {
        char *end;
        values[i] = strtod(numbers, &end);
        if (end == numbers) return;
        numbers = end;
    }
    struct gpt_outcome outcome;
    memcpy(&outcome, values, sizeof outcome);
    keep(runs, key, &outcome);
}

struct gpt_runs gpt_runs_open(const char *path, const char *version) {
    struct gpt_runs runs = {.file = fopen(path, "a+")};
    if (!runs.file) fail("%s: %s", path, strerror(errno));
    snprintf(runs.version, sizeof runs.version, "%s", version);
    char *line = NULL;
    size_t size = 0;
    ssize_t len, last = 0;
    rewind(runs.file);
    for (; (len = getline(&line, &size, runs.file)) > 0; last = len) take_line(&runs, line);
    bool cut_short = last > 0 && line[last - 1] != '\n';
    free(line);
    if (ferror(runs.file)) fail("%s: cannot be read", path);
    fseek(runs.file, 0, SEEK_END);
    if (cut_short) fputc('\n', runs.file);
    return runs;
}

void gpt_runs_close(struct gpt_runs *runs) {
    if (fclose(runs->file) != 0) fail("the file of runs cannot be written");
    free(runs->list);
    *runs = (struct gpt_runs){0};
}

void gpt_run_key(char key[RUN_KEY_SIZE], const char *setting, enum schedule schedule, double lr, uint64_t seed) {
    int length = snprintf(key, RUN_KEY_SIZE, "%s; %s; lr %g; seed %llu", setting, schedule_names[schedule], lr,
                          (unsigned long long)seed);
    if (length < 0 || length >= RUN_KEY_SIZE) fail("a run's name of %d characters", length);
}

const struct gpt_outcome *gpt_runs_find(const struct gpt_runs *runs, const char *key) {
    for (size_t i = 0; i < runs->count; i++)
        if (strcmp(runs->list[i].key, key) == 0) return &runs->list[i].outcome;
    return NULL;
}

void gpt_runs_add(struct gpt_runs *runs, const char *key, const struct gpt_outcome *outcome) {
    double values[NUMBERS];
    memcpy(values, outcome, sizeof values);
    fprintf(runs->file, "%s\t%s\t", runs->version, key);
    for (size_t i = 0; i < NUMBERS; i++) fprintf(runs->file, "%.17g ", values[i]);
    fputc('\n', runs->file);
    if (fflush(runs->file) != 0 || ferror(runs->file)) fail("the file of runs cannot be written: %s", strerror(errno));
    keep(runs, key, outcome);
}

/*
 * The file: a header, the lengths of the sections, the sections.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L

#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = {'t', 'r', 'a', 'i', 'n', 'e', 'd', '1'};

struct header {
    char magic[8];
    uint64_t checksum; /* of all that follows it */
    uint64_t count;    /* of sections; their lengths come next */
};

enum { CHECKED_FROM = 16, LONGEST_PATH = 4096 };

/* FNV-1a: short, and no change of a single byte escapes it. */
static uint64_t checksum(uint64_t hash, const void *bytes, size_t len) {
    const unsigned char *next = bytes;
    for (size_t i = 0; i < len; i++) hash = (hash ^ next[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static const uint64_t nothing_hashed = UINT64_C(0xcbf29ce484222325);

static bool complain(struct complaint *why, const char *path, const char *doing, int error) {
    snprintf(why->text, sizeof why->text, "%.400s: %s: %s", path, doing, strerror(error));
    return false;
}

/* ---- saving ---- */

/* A disk that fills up first takes less than it was given. */
static bool write_all(int file, const void *bytes, size_t len) {
    const char *next = bytes;
    while (len > 0) {
        ssize_t written = write(file, next, len);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        next += written;
        len -= (size_t)written;
    }
    return true;
}

static bool write_contents(int file, const struct section *sections, size_t count) {
    struct header header = {.checksum = nothing_hashed, .count = count};
    memcpy(header.magic, magic, sizeof magic);
    header.checksum = checksum(header.checksum, &header.count, sizeof header.count);
    for (size_t i = 0; i < count; i++) {
        uint64_t len = sections[i].len;
        header.checksum = checksum(header.checksum, &len, sizeof len);
    }
    for (size_t i = 0; i < count; i++)
        header.checksum = checksum(header.checksum, sections[i].bytes, sections[i].len);

    bool good = write_all(file, &header, sizeof header);
    for (size_t i = 0; i < count && good; i++) {
        uint64_t len = sections[i].len;
        good = write_all(file, &len, sizeof len);
    }
    for (size_t i = 0; i < count && good; i++) good = write_all(file, sections[i].bytes, sections[i].len);
    return good;
}

/* A renamed file is on the disk once its folder is. */
static bool sync_folder(const char *path, struct complaint *why) {
    char folder[LONGEST_PATH] = ".";
    const char *slash = strrchr(path, '/');
    if (slash) snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = file >= 0 && fsync(file) == 0;
    int error = errno;
    if (file >= 0) close(file); /* nothing was written through it */
    return good || complain(why, path, "is new and whole, but may not outlast a power failure", error);
}

bool checkpoint_save(const char *path, const struct section *sections, size_t count, struct complaint *why) {
    char temporary[LONGEST_PATH];
    int len = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (len < 0 || len >= LONGEST_PATH) return complain(why, path, "save", ENAMETOOLONG);

    int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) return complain(why, temporary, "open", errno);
    const char *doing = "write";
    bool good = write_contents(file, sections, count);
    if (good) {
        doing = "fsync";
        good = fsync(file) == 0;
    }
    int error = errno;
    if (close(file) != 0 && good) {
        doing = "close";
        good = false;
        error = errno;
    }
    if (good) {
        doing = "rename";
        good = rename(temporary, path) == 0;
        error = errno;
    }
    if (!good) {
        unlink(temporary); /* should that fail too, the next save writes over it */
        return complain(why, temporary, doing, error);
    }
    return sync_folder(path, why);
}

/* ---- loading ---- */

/* Reads what is left of a file of a known size; a shorter one fails too. */
static bool read_all(int file, char *next, size_t len) {
    while (len > 0) {
        ssize_t got = read(file, next, len);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) errno = EIO;
        if (got <= 0) return false;
        next += got;
        len -= (size_t)got;
    }
    return true;
}

/* The file's bytes, to be freed; NULL with errno set where they cannot be had. */
static char *read_file(const char *path, size_t *len) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return NULL;
    struct stat found;
    char *bytes = NULL;
    if (fstat(file, &found) == 0 && (bytes = malloc((size_t)found.st_size + 1))) {
        *len = (size_t)found.st_size;
        if (!read_all(file, bytes, *len)) {
            int error = errno;
            free(bytes);
            bytes = NULL;
            errno = error;
        }
    }
    int error = errno;
    close(file);
    errno = error;
    return bytes;
}

/* NULL where the bytes are a whole checkpoint of these sections, else what they are. */
static const char *examine(const char *bytes, size_t len, const struct section *sections, size_t count,
                           struct complaint *room) {
    struct header header;
    if (len < sizeof header) return "is no checkpoint, or is cut short";
    memcpy(&header, bytes, sizeof header);
    if (memcmp(header.magic, magic, sizeof magic) != 0) return "is no checkpoint";
    if (checksum(nothing_hashed, bytes + CHECKED_FROM, len - CHECKED_FROM) != header.checksum)
        return "is damaged or cut short: its checksum does not match";
    size_t expected = sizeof header + count * sizeof(uint64_t);
    if (header.count != count || len < expected) return "is a checkpoint of another program: it has other sections";
    for (size_t i = 0; i < count; i++) {
        uint64_t found;
        memcpy(&found, bytes + sizeof header + i * sizeof found, sizeof found);
        expected += sections[i].len;
        if (found == sections[i].len) continue;
        snprintf(room->text, sizeof room->text, "is a checkpoint of something else: its %s take %llu bytes, not %zu",
                 sections[i].name, (unsigned long long)found, sections[i].len);
        return room->text;
    }
    return len == expected ? NULL : "is longer or shorter than its sections";
}

enum checkpoint_found checkpoint_load(const char *path, const struct section *sections, size_t count,
                                      struct complaint *why) {
    size_t len = 0;
    char *bytes = read_file(path, &len);
    if (!bytes && errno == ENOENT) return CHECKPOINT_NONE;
    if (!bytes) {
        complain(why, path, "read", errno);
        return CHECKPOINT_REFUSED;
    }
    struct complaint room;
    const char *flaw = examine(bytes, len, sections, count, &room);
    if (flaw) {
        snprintf(why->text, sizeof why->text, "%.300s %.250s", path, flaw);
        free(bytes);
        return CHECKPOINT_REFUSED;
    }
    const char *next = bytes + sizeof(struct header) + count * sizeof(uint64_t);
    for (size_t i = 0; i < count; i++) {
        if (sections[i].len > 0) memcpy(sections[i].bytes, next, sections[i].len);
        next += sections[i].len;
    }
    free(bytes);
    return CHECKPOINT_LOADED;
}

/*
 * Checkpoints: in which order a save goes, what stays where a part of it fails, and what a load refuses.
 *
 *     checkpoint FOLDER
 *
 * The calls that a save makes are this program's own, which count, fail or fall short as they are told, and else do
 * what they always do.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#define _GNU_SOURCE /* syscall */

#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "support.h"

/* ---- the calls ---- */

enum { ANY_NUMBER = 1 << 20 };

/* What is to happen to calls: the one called `call`, `nth` of its kind since the plan was made, fails. */
static struct {
    const char *call;
    int nth, error;
    size_t at_most; /* bytes a write takes; 0: all */
} plan;

/* What was called, in order, since the plan was made; of writes in a row the first. */
static char trace[600];
static int calls;

static void make_plan(const char *call, int nth, int error) {
    plan.call = call;
    plan.nth = nth;
    plan.error = error;
    plan.at_most = 0;
    trace[0] = '\0';
    calls = 0;
}

/* True where this call is to fail; errno says why. */
static bool called(const char *call) {
    size_t len = strlen(trace), word = strlen(call);
    if (len < word || strcmp(trace + len - word, call) != 0 || strcmp(call, "write") != 0)
        snprintf(trace + len, sizeof trace - len, "%s%s", len ? " " : "", call);
    if (!plan.call || strcmp(plan.call, call) != 0 || calls++ != plan.nth) return false;
    errno = plan.error;
    return true;
}

static bool is_folder(int file) {
    struct stat found;
    return fstat(file, &found) == 0 && S_ISDIR(found.st_mode);
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    if (called(flags & O_DIRECTORY ? "open-folder" : "open")) return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t write(int file, const void *bytes, size_t len) {
    if (called("write")) return -1;
    if (plan.at_most && len > plan.at_most) len = plan.at_most;
    return syscall(SYS_write, file, bytes, len);
}

int fsync(int file) {
    return called(is_folder(file) ? "fsync-folder" : "fsync") ? -1 : (int)syscall(SYS_fsync, file);
}

int close(int file) {
    bool failing = called(is_folder(file) ? "close-folder" : "close");
    int result = (int)syscall(SYS_close, file);
    if (!failing) return result;
    errno = plan.error;
    return -1;
}

int rename(const char *from, const char *to) {
    return called("rename") ? -1 : (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

/* ---- a run ---- */

enum { COUNT = 4 };

struct run {
    uint64_t step;
    float params[50];
    unsigned char state[301];
    struct section sections[COUNT];
};

/* Contents follow from `step`. */
static void run_at(struct run *run, uint64_t step) {
    struct random random = random_stream(step, 1);
    run->step = step;
    for (size_t i = 0; i < 50; i++) run->params[i] = (float)random_uniform(&random, -1, 1);
    for (size_t i = 0; i < 301; i++) run->state[i] = (unsigned char)random_uniform(&random, 0, 256);
    run->sections[0] = (struct section){"steps", &run->step, sizeof run->step};
    run->sections[1] = (struct section){"parameters", run->params, sizeof run->params};
    run->sections[2] = (struct section){"states", run->state, sizeof run->state};
    run->sections[3] = (struct section){"nothings", NULL, 0};
}

static bool same(const struct run *a, const struct run *b) {
    return a->step == b->step && memcmp(a->params, b->params, sizeof a->params) == 0 &&
           memcmp(a->state, b->state, sizeof a->state) == 0;
}

static char path[600], temporary[610];
static struct complaint why;

static bool save(uint64_t step) {
    struct run run;
    run_at(&run, step);
    return checkpoint_save(path, run.sections, COUNT, &why);
}

/* What is in the file is the run at `step`. */
static void check_holds(uint64_t step, const char *what) {
    struct run run, expected;
    make_plan(NULL, 0, 0);
    run_at(&run, 999);
    run_at(&expected, step);
    enum checkpoint_found found = checkpoint_load(path, run.sections, COUNT, &why);
    CHECK(found == CHECKPOINT_LOADED, "%s: nothing is loaded", what);
    CHECK(same(&run, &expected), "%s: other than step %d is loaded", what, (int)step);
}

static void check_no_temporary(const char *what) {
    CHECK(access(temporary, F_OK) != 0, "%s: left %s behind", what, temporary);
}

static void check_order(void) {
    const char *expected = "open write fsync close rename open-folder fsync-folder close-folder";
    make_plan(NULL, 0, 0);
    CHECK(save(1), "%s", why.text);
    CHECK(strcmp(trace, expected) == 0, "a save goes: %s", trace);
    check_holds(1, "a first save");
    check_no_temporary("a first save");
    CHECK(save(2), "%s", why.text);
    check_holds(2, "a second save");
}

/* Parts of a save fail: the old checkpoint stays. */
static void check_failures(void) {
    static const struct {
        const char *call;
        int error;
    } parts[] = {{"open", EACCES}, {"write", ENOSPC}, {"write", EIO}, {"fsync", EIO},
                 {"fsync", ENOSPC}, {"close", EDQUOT}, {"rename", EROFS}};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        /* The header, a length and a section of each: one write less fails each time, until none does. */
        int nth = 0;
        for (; nth < ANY_NUMBER; nth++) {
            make_plan(NULL, 0, 0);
            CHECK(save(3), "%s", why.text);
            make_plan(parts[p].call, nth, parts[p].error);
            if (save(4)) break;
            CHECK(strstr(why.text, strerror(parts[p].error)) && strstr(why.text, parts[p].call),
                  "%s fails: \"%s\"", parts[p].call, why.text);
            check_holds(3, parts[p].call);
            check_no_temporary(parts[p].call);
        }
        CHECK(nth == (strcmp(parts[p].call, "write") == 0 ? 1 + 2 * COUNT - 1 : 1), "%d calls of %s failed", nth,
              parts[p].call);
        check_holds(4, "no failure");
    }
}

/* The new checkpoint is in place, and the caller is told that its folder may not be on the disk. */
static void check_folder_failures(void) {
    static const char *const calls_on_folder[] = {"open-folder", "fsync-folder"};
    for (uint64_t i = 0; i < 2; i++) {
        make_plan(calls_on_folder[i], 0, EIO);
        CHECK(!save(5 + i), "%s fails unseen", calls_on_folder[i]);
        CHECK(strstr(why.text, "power failure") && strstr(why.text, strerror(EIO)), "\"%s\"", why.text);
        check_holds(5 + i, calls_on_folder[i]);
    }
}

static void check_writes_that_take_part(void) {
    make_plan("write", 1, EINTR);
    plan.at_most = 7;
    CHECK(save(7), "%s", why.text);
    CHECK(calls > 80, "only %d writes", calls);
    check_holds(7, "short writes");
}

/* ---- damage ---- */

static size_t read_bytes(unsigned char *bytes, size_t room) {
    FILE *file = fopen(path, "rb");
    if (!file) fail("%s cannot be read", path);
    size_t len = fread(bytes, 1, room, file);
    fclose(file);
    return len;
}

static void write_bytes(const char *to, const unsigned char *bytes, size_t len) {
    FILE *file = fopen(to, "wb");
    if (!file || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) fail("%s cannot be written", to);
}

static void set_byte(size_t place, unsigned char byte) {
    FILE *file = fopen(path, "r+b");
    if (!file || fseek(file, (long)place, SEEK_SET) != 0 || fputc(byte, file) == EOF || fclose(file) != 0)
        fail("%s cannot be changed", path);
}

/* Refused with these words, and no section changed. */
static void check_refused(const struct section *sections, size_t count, const char *words) {
    struct run run, before;
    run_at(&run, 42);
    run_at(&before, 42);
    enum checkpoint_found found = checkpoint_load(path, sections ? sections : run.sections, count, &why);
    CHECK(found == CHECKPOINT_REFUSED, "loaded: not \"%s\"", words);
    CHECK(found == CHECKPOINT_REFUSED && strstr(why.text, words), "\"%s\" is not \"%s\"", why.text, words);
    CHECK(same(&run, &before), "a refused load changed a section");
}

static void check_damage(void) {
    unsigned char bytes[2000];
    CHECK(save(8), "%s", why.text);
    size_t len = read_bytes(bytes, sizeof bytes);
    CHECK(len > 500 && len < sizeof bytes, "%zu bytes", len);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        set_byte(bit / 8, (unsigned char)(bytes[bit / 8] ^ 1 << bit % 8));
        check_refused(NULL, COUNT, bit < 64 ? "is no checkpoint" : "damaged");
        set_byte(bit / 8, bytes[bit / 8]);
    }
    check_holds(8, "mended");
    set_byte(len, 0);
    check_refused(NULL, COUNT, "damaged");
    for (size_t cut = len; cut-- > 0;) {
        if (truncate(path, (off_t)cut) != 0) fail("%s cannot be cut", path);
        check_refused(NULL, COUNT, "cut short");
    }
    write_bytes(path, bytes, len);
    check_holds(8, "mended");
}

static void check_other_shapes(void) {
    struct run run;
    run_at(&run, 42);
    check_refused(NULL, COUNT - 1, "other sections");
    run.sections[1].len -= sizeof(float);
    check_refused(run.sections, COUNT, "its parameters take 200 bytes, not 196");
    run_at(&run, 42);
    run.sections[3] = (struct section){"nothings", &run, 1};
    check_refused(run.sections, COUNT, "its nothings take 0 bytes, not 1");
}

static void check_what_lies_around(void) {
    static unsigned char garbage[100000];
    write_bytes(temporary, garbage, sizeof garbage);
    check_holds(8, "with a temporary file beside it");
    CHECK(save(9), "%s", why.text);
    check_holds(9, "over a temporary file");
    check_no_temporary("over a temporary file");
    if (unlink(path) != 0) fail("%s cannot be removed", path);
    write_bytes(temporary, garbage, sizeof garbage);
    struct run run;
    run_at(&run, 1);
    CHECK(checkpoint_load(path, run.sections, COUNT, &why) == CHECKPOINT_NONE, "found what is not there");
    if (mkdir(path, 0777) != 0) fail("%s cannot be made", path);
    check_refused(NULL, COUNT, strerror(EISDIR));
    CHECK(!save(1) && strstr(why.text, "rename"), "a folder was replaced");
    check_no_temporary("a folder in its place");
    if (rmdir(path) != 0) fail("%s cannot be removed", path);
}

static void check_paths(void) {
    char long_path[5000];
    struct run run;
    run_at(&run, 1);
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    CHECK(!checkpoint_save(long_path, run.sections, COUNT, &why), "a path of 5,000 bytes was taken");
    if (chdir("/") != 0) fail("/ cannot be entered");
    CHECK(checkpoint_load("no such file", run.sections, COUNT, &why) == CHECKPOINT_NONE, "%s", why.text);
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: checkpoint FOLDER");
    snprintf(path, sizeof path, "%.500s/checkpoint", argv[1]);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    unlink(path);
    check_order();
    check_failures();
    check_folder_failures();
    check_writes_that_take_part();
    check_damage();
    check_other_shapes();
    check_what_lies_around();
    check_paths();
    return check_result("checkpoint");
}

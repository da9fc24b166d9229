/*
 * A training program that is killed at random moments goes on from where it was, and ends on the bits of one that
 * never was; a checkpoint that is not whole, or of something else, is refused.
 *
 *     killed RESUME DIGITS.csv FOLDER [SEED]
 *
 * The moments follow from the seed, and lie where the program starts, steps and saves. That a save was cut off is seen
 * by the temporary file that it left behind.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#define _DEFAULT_SOURCE /* kill, setrlimit, nanosleep */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "support.h"

enum { KILLS = 200, ARGUMENTS = 12 };

static const char *resume, *digits;
static char run_path[600], left_behind[610], other_path[600];

struct child {
    pid_t process;
    int output; /* its stdout and stderr */
};

/* Starts the example on a checkpoint, with more arguments, NULL at their end. */
static struct child start(const char *checkpoint, rlim_t most_bytes, const char *const *more) {
    const char *arguments[ARGUMENTS] = {resume, digits, checkpoint};
    for (size_t i = 3; *more; i++) arguments[i] = *more++;
    int ends[2];
    if (pipe(ends) != 0) fail("pipe: %s", strerror(errno));
    struct child child = {fork(), ends[0]};
    if (child.process < 0) fail("fork: %s", strerror(errno));
    if (child.process == 0) {
        const struct rlimit limit = {most_bytes, most_bytes};
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        signal(SIGXFSZ, SIG_IGN); /* a file that grows too long is then an error, as a full disk is */
        if (setrlimit(RLIMIT_FSIZE, &limit) == 0) execv(resume, (char *const *)arguments);
        _exit(127);
    }
    close(ends[1]);
    return child;
}

/* The next line of output, or what there is until its end; false where there is nothing. */
static bool read_line(struct child *child, char *line, size_t room) {
    size_t len = 0;
    char next = '\0';
    while (next != '\n' && len + 1 < room && read(child->output, &next, 1) == 1) line[len++] = next;
    line[len] = '\0';
    return len > 0;
}

static int wait_for(struct child *child) {
    int status;
    while (waitpid(child->process, &status, 0) < 0)
        if (errno != EINTR) fail("waitpid: %s", strerror(errno));
    close(child->output);
    return status;
}

/* Runs it to its end; returns what it said. */
static const char *run(const char *checkpoint, rlim_t most_bytes, const char *const *more, bool succeeds) {
    static char said[4000];
    struct child child = start(checkpoint, most_bytes, more);
    size_t len = 0;
    while (read_line(&child, said + len, sizeof said - len)) len += strlen(said + len);
    int status = wait_for(&child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (succeeds ? 0 : 1), "status %d: %s", status, said);
    return said;
}

static void pause_for(double seconds) {
    struct timespec left = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

/* The step that the first line tells of; a new run is at 0. */
static unsigned long long step_of(const char *line) {
    unsigned long long step = 0;
    CHECK(strncmp(line, "new run", 7) == 0 || sscanf(line, "resumed at step %llu", &step) == 1, "no restart: %s", line);
    return step;
}

/* Trains no further. */
static const char *const nothing[] = {"--steps", "0", NULL};

/* How long the program takes until it trains, and for a step and its save. */
static void measure(double *startup, double *saving) {
    const char *const twenty[] = {"--steps", "20", "--every", "1", NULL};
    double begin = seconds_now();
    run(other_path, RLIM_INFINITY, nothing, true);
    *startup = seconds_now() - begin;
    run(other_path, RLIM_INFINITY, twenty, true);
    *saving = (seconds_now() - begin - 2 * *startup) / 20;
    if (*saving < 2e-4) *saving = 2e-4;
}

/* Returns the step that was reached. */
static unsigned long long kill_and_restart(struct random *random) {
    const char *const more[] = {"--steps", "1000000", "--every", "1", NULL};
    double startup, saving;
    unsigned long long last = 0;
    int in_a_save = 0, advanced = 0, early = 0;
    measure(&startup, &saving);
    for (int i = 0; i < KILLS; i++) {
        char line[2000];
        struct child child = start(run_path, RLIM_INFINITY, more);
        /* Every tenth may be killed before it trains; of the others it is known that they found a valid state. */
        bool waits = i % 10 != 9, said = waits && read_line(&child, line, sizeof line);
        pause_for(waits ? random_uniform(random, 0, 3 * saving) : random_uniform(random, 0, startup));
        if (kill(child.process, SIGKILL) != 0) fail("kill: %s", strerror(errno));
        if (!waits) said = read_line(&child, line, sizeof line);
        int status = wait_for(&child);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "kill %d: it ended by itself: %s", i, line);
        CHECK(said || !waits, "kill %d: it said nothing", i);
        early += !said;
        in_a_save += access(left_behind, F_OK) == 0;
        if (!said) continue;
        unsigned long long step = step_of(line);
        CHECK(step >= last, "kill %d: back from step %llu to %llu", i, last, step);
        advanced += step > last;
        last = step;
    }
    printf("killed %d times: %d before it trained, %d inside a save; %d restarts found a newer step\n", KILLS, early,
           in_a_save, advanced);
    CHECK(in_a_save > 0, "no kill hit a save: this test shows nothing");
    CHECK(advanced > KILLS / 10, "only %d restarts found a newer step", advanced);
    return step_of(run(run_path, RLIM_INFINITY, nothing, true));
}

static unsigned char *read_bytes(const char *path, size_t *len) {
    enum { ROOM = 1 << 22 };
    unsigned char *bytes = allocate(ROOM, 1);
    FILE *file = fopen(path, "rb");
    if (!file) fail("%s cannot be read", path);
    *len = fread(bytes, 1, ROOM, file);
    fclose(file);
    CHECK(*len < ROOM, "%s is too long", path);
    return bytes;
}

static void write_bytes(const char *path, const unsigned char *bytes, size_t len) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) fail("%s cannot be written", path);
}

static bool holds(const char *path, const unsigned char *bytes, size_t len) {
    size_t found_len;
    unsigned char *found = read_bytes(path, &found_len);
    bool same = found_len == len && memcmp(found, bytes, len) == 0;
    free(found);
    return same;
}

/* The killed run, finished, and one that nothing disturbed and that saves once: parameters and state of lmada. */
static void check_same_end(unsigned long long reached) {
    char steps[30];
    size_t len;
    snprintf(steps, sizeof steps, "%llu", reached + 25);
    const char *const finish[] = {"--steps", steps, "--every", "1", NULL};
    const char *const undisturbed[] = {"--steps", steps, "--every", steps, NULL};
    CHECK(step_of(run(run_path, RLIM_INFINITY, finish, true)) == reached, "step %llu is lost", reached);
    CHECK(unlink(other_path) == 0, "no %s", other_path);
    CHECK(step_of(run(other_path, RLIM_INFINITY, undisturbed, true)) == 0, "it was disturbed");
    unsigned char *bytes = read_bytes(other_path, &len);
    CHECK(len > 100000, "%s has %zu bytes", other_path, len);
    CHECK(holds(run_path, bytes, len), "the killed run ended on other bits, at step %s", steps);
    CHECK(access(left_behind, F_OK) != 0, "%s stays", left_behind);
    printf("at step %s: the same bits as undisturbed, %zu bytes\n", steps, len);
    free(bytes);
}

/* Exits with these words and leaves the checkpoint as it is. */
static void check_refused(const unsigned char *bytes, size_t len, const char *const *more, const char *words) {
    write_bytes(run_path, bytes, len);
    const char *said = run(run_path, RLIM_INFINITY, more, false);
    CHECK(strstr(said, words) != NULL, "\"%s\" is not \"%s\"", said, words);
    CHECK(holds(run_path, bytes, len), "it was written over");
    CHECK(access(left_behind, F_OK) != 0, "it was saved over");
}

static void check_planted(struct random *random) {
    size_t len;
    unsigned char *bytes = read_bytes(run_path, &len);
    const char *const more[] = {"--steps", "1000000", NULL};
    const char *const other_seed[] = {"--seed", "1", NULL}, *const other_size[] = {"--history", "7", NULL};
    const size_t cuts[] = {0, 20, len / 2, len - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) check_refused(bytes, cuts[i], more, "cut short");
    for (int i = 0; i < 10; i++) {
        size_t bit = (size_t)random_uniform(random, 64, 8 * (double)len);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        check_refused(bytes, len, more, "damaged");
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    check_refused(bytes, len, other_seed, "is of a run with --seed 0");
    check_refused(bytes, len, other_size, "its states of lmada take");
    check_refused((const unsigned char *)"0,1,2\n", 6, more, "is no checkpoint");

    /* A disk that fills up: training goes on to its end, the checkpoint stays, and the status tells. */
    char steps[30];
    write_bytes(run_path, bytes, len);
    snprintf(steps, sizeof steps, "%llu", step_of(run(run_path, RLIM_INFINITY, nothing, true)) + 5);
    const char *const five_more[] = {"--steps", steps, "--every", "2", NULL};
    const char *said = run(run_path, len / 2, five_more, false);
    CHECK(strstr(said, "is not saved") && strstr(said, strerror(EFBIG)) && strstr(said, "train loss"), "%s", said);
    CHECK(holds(run_path, bytes, len), "the checkpoint is gone");
    CHECK(access(left_behind, F_OK) != 0, "%s stays", left_behind);
    run(run_path, RLIM_INFINITY, five_more, true);
    CHECK(!holds(run_path, bytes, len), "nothing was saved");
    free(bytes);
}

int main(int argc, char **argv) {
    if (argc != 4 && argc != 5) fail("usage: killed RESUME DIGITS.csv FOLDER [SEED]");
    unsigned long long seed = argc == 5 ? strtoull(argv[4], NULL, 10) : 1;
    struct random random = random_stream(seed, 0);
    resume = argv[1];
    digits = argv[2];
    snprintf(run_path, sizeof run_path, "%.500s/killed", argv[3]);
    snprintf(left_behind, sizeof left_behind, "%s.new", run_path);
    snprintf(other_path, sizeof other_path, "%.500s/undisturbed", argv[3]);
    unlink(run_path);
    unlink(left_behind);
    unlink(other_path);
    printf("killed: seed %llu\n", seed);
    check_same_end(kill_and_restart(&random));
    check_planted(&random);
    return check_result("killed");
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

/* A job in progress and the child that does it. */
struct running {
    pid_t child;
    size_t job;
};

static struct running start(const struct work *work, size_t job) {
    fflush(NULL); /* else the child inherits, and prints again, what is still in the buffers */
    pid_t child = fork();
    if (child < 0) fail("fork: %s", strerror(errno));
    if (child > 0) return (struct running){child, job};
    work->run(work->context, job);
    _exit(EXIT_SUCCESS);
}

static pid_t await(void) {
    int status;
    pid_t child;
    do child = wait(&status);
    while (child < 0 && errno == EINTR);
    if (child < 0) fail("wait: %s", strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) fail("a training run ended with status %d", status);
    return child;
}

void jobs_run(const struct work *work, size_t count, size_t at_a_time) {
    struct running *running = allocate(at_a_time, sizeof *running);
    size_t started = 0, running_count = 0;
    while (started < count || running_count > 0) {
        if (started < count && running_count < at_a_time) {
            running[running_count++] = start(work, started++);
            continue;
        }
        pid_t child = await();
        for (size_t i = 0; i < running_count; i++) {
            if (running[i].child != child) continue;
            size_t job = running[i].job;
            running[i] = running[--running_count];
            work->finished(work->context, job);
            break;
        }
    }
    free(running);
}

void *shared_new(size_t size) {
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) fail("mmap: %s", strerror(errno));
    return shared;
}

void shared_free(void *shared, size_t size) {
    munmap(shared, size);
}

size_t processors(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (size_t)count : 1;
}

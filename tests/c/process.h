/* Facts about this process from the system: its threads and processors. */
#ifndef PROCESS_H
#define PROCESS_H

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE first, for sched_getaffinity"
#endif

#include "check.h"

#include <dirent.h>
#include <sched.h>
#include <time.h>

/* Returns the number of entries of a folder that do not begin with a dot. */
static inline int entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;
    CHECK(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static inline int tasks(void) { return entries("/proc/self/task"); }

/* Waits until `count` threads are listed: a joined thread may be listed for a moment longer. */
static inline void wait_for_tasks(int count)
{
    const struct timespec moment = {0, 1000000};
    for (int i = 0; tasks() > count && i < 10000; i++) nanosleep(&moment, NULL);
    CHECK(tasks() == count);
}

/* Returns the number of processors that the calling thread may use. */
static inline int processors(void)
{
    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    return CPU_COUNT(&set);
}

#endif

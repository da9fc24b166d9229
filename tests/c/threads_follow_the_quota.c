/* With `threads` 0 a handle has no more threads than the quota of its control group allows, set in the group of the
 * process or in a group around it. */
#define _GNU_SOURCE
#include "model.h"
#include "process.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIM = 100000 };

static bool write_text(const char *folder, const char *name, const char *text)
{
    char path[300];
    FILE *file;
    bool good;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    if (!file) return false;
    good = fputs(text, file) >= 0;
    return fclose(file) == 0 && good;
}

/* Creates a group with a quota of one processor, of either version. Returns false if this process may not do so. */
static bool make_group(const char *folder)
{
    if (mkdir(folder, 0700) != 0) return false;
    if (write_text(folder, "cpu.max", "100000 100000")) return true;
    if (write_text(folder, "cpu.cfs_period_us", "100000") && write_text(folder, "cpu.cfs_quota_us", "100000")) return true;
    rmdir(folder);
    return false;
}

/* Returns the number of threads of a process in `group` (NULL: unchanged) that has a handle with `threads`. */
static int threads_in(const char *group, uint32_t threads)
{
    const pid_t process = fork();
    int status;
    CHECK(process >= 0);
    if (process == 0) {
        lmada_config_t config = base_config();
        lmada_t *opt;
        if (group) CHECK(write_text(group, "cgroup.procs", "0"));
        config.threads = threads;
        CHECK_OK(lmada_create(&config, DIM, &opt));
        _exit(tasks());
    }
    CHECK(waitpid(process, &status, 0) == process && WIFEXITED(status));
    return WEXITSTATUS(status);
}

int main(void)
{
    const char *places[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup"};
    bool checked = false;
    CHECK(threads_in(NULL, 1) == 1);
    for (size_t i = 0; i < sizeof places / sizeof *places && !checked && processors() > 1; i++) {
        char outer[200], inner[300];
        snprintf(outer, sizeof outer, "%s/lmada_test_%ld", places[i], (long)getpid());
        snprintf(inner, sizeof inner, "%s/inner", outer);
        if (!make_group(outer)) continue;
        CHECK(threads_in(outer, 0) == 1);
        CHECK(threads_in(outer, 2) == 2); /* a number other than 0 ignores the quota */
        if (mkdir(inner, 0700) == 0) {
            CHECK(threads_in(inner, 0) == 1);
            CHECK(rmdir(inner) == 0);
        }
        CHECK(rmdir(outer) == 0);
        checked = true;
    }
    if (!checked) printf("NOT CHECKED: threads under a quota, where no control group can be made\n");
    return 0;
}

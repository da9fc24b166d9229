/* A plug-in host loads the library, steps, frees and unloads it, a thousand times over: it works each time, nothing is
 * printed, the library is gone afterwards, and no thread, open file, mapping or memory is left behind. */
#define _XOPEN_SOURCE 700
#include "check.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

enum { TIMES = 1000, REDUCED_TIMES = 8, DIM = 100000, STEPS = 3 };

/* Growth is looked for between the second hundred of times and the last. By the second the C library has its arenas,
 * one for each thread there ever was at once; a late one is what is allowed for. */
enum { HUNDRED = 100, ALLOWED_MAPPINGS = 4, ALLOWED_KIB = 128 };

static int entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;
    CHECK(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static int tasks(void) { return entries("/proc/self/task"); }

/* A thread that was joined may still be listed for a moment. */
static void wait_until_alone(void)
{
    const struct timespec moment = {0, 1000000};
    for (int i = 0; tasks() != 1 && i < 2000; i++) nanosleep(&moment, NULL);
    CHECK(tasks() == 1);
}

/* What this process holds. */
typedef struct {
    int files, mappings, of_library;
    long kib; /* resident; smaps_rollup counts page by page, where other files tell an estimate */
} holdings;

static holdings held(const char *library)
{
    char line[8192];
    holdings now = {entries("/proc/self/fd"), 0, 0, 0};
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file);
    while (fgets(line, sizeof line, file)) {
        now.mappings++;
        now.of_library += strstr(line, library) != NULL;
    }
    fclose(file);
    file = fopen("/proc/self/smaps_rollup", "r");
    CHECK(file);
    while (fgets(line, sizeof line, file) && sscanf(line, "Rss: %ld", &now.kib) != 1) continue;
    fclose(file);
    CHECK(now.mappings > 0 && now.kib > 0);
    return now;
}

/* The least of a hundred times: how much is resident differs by chance from one time to the next. */
static void keep_least(holdings *least, holdings now)
{
    if (now.files < least->files) least->files = now.files;
    if (now.mappings < least->mappings) least->mappings = now.mappings;
    if (now.kib < least->kib) least->kib = now.kib;
}

/* POSIX lets an object pointer hold a function's address; C has no conversion for it. */
static void find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    CHECK(symbol);
    memcpy(function, &symbol, sizeof symbol);
}

static void load_step_unload(const char *path, float *params, const float *grads)
{
    lmada_status_t (*config_init)(lmada_config_t *, size_t);
    lmada_status_t (*create)(const lmada_config_t *, size_t, lmada_t **);
    lmada_status_t (*step)(lmada_t *, float *, const float *, size_t);
    void (*release)(lmada_t *);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    lmada_config_t config;
    lmada_t *opt;
    CHECK(library);
    CHECK(tasks() == 1); /* nothing runs at load time */
    CHECK(held(path).of_library > 0); /* else its absence afterwards shows nothing */
    find(library, "lmada_config_init", &config_init);
    find(library, "lmada_create", &create);
    find(library, "lmada_step", &step);
    find(library, "lmada_free", &release);
    CHECK(config_init(&config, sizeof config) == LMADA_OK);
    config.threads = 4;
    CHECK(create(&config, DIM, &opt) == LMADA_OK);
    for (int i = 0; i < STEPS; i++) CHECK(step(opt, params, grads, DIM) == LMADA_OK);
    CHECK(tasks() > 1); /* else the rest shows nothing */
    release(opt);
    CHECK(step(NULL, params, grads, DIM) == LMADA_ERROR_NULL_POINTER);
    wait_until_alone();
    CHECK(dlclose(library) == 0);
}

int main(int argc, char **argv)
{
    float *first = check_alloc(DIM * sizeof *first), *params = check_alloc(DIM * sizeof *params);
    float *grads = check_alloc(DIM * sizeof *grads);
    FILE *file = tmpfile();
    char *path = argc >= 2 ? realpath(argv[1], NULL) : NULL; /* as /proc/self/maps has it */
    const int out = dup(1), err = dup(2), times = argc > 2 ? REDUCED_TIMES : TIMES;
    holdings early = {INT_MAX, INT_MAX, 0, LONG_MAX}, late = early;
    CHECK(path && file && out >= 0 && err >= 0);
    check_output = fdopen(err, "w");
    CHECK(check_output);
    CHECK(dup2(fileno(file), 1) == 1 && dup2(fileno(file), 2) == 2);
    for (int i = 0; i < DIM; i++) grads[i] = (float)(i % 11 - 5);
    for (int i = 0; i < times; i++) {
        holdings now;
        AT("time %d", i);
        memset(params, 0, DIM * sizeof *params);
        load_step_unload(path, params, grads);
        if (i == 0) memcpy(first, params, DIM * sizeof *params);
        CHECK(memcmp(first, params, DIM * sizeof *params) == 0);
        now = held(path);
        CHECK(now.of_library == 0);
        if (i / HUNDRED == 1) keep_least(&early, now);
        if (i / HUNDRED == (TIMES - 1) / HUNDRED) keep_least(&late, now);
    }
    if (times == TIMES) {
        AT("the end: files %d, then %d; mappings %d, then %d; KiB %ld, then %ld", early.files, late.files,
           early.mappings, late.mappings, early.kib, late.kib);
        CHECK(late.files == early.files);
        CHECK(late.mappings <= early.mappings + ALLOWED_MAPPINGS);
        CHECK(late.kib <= early.kib + ALLOWED_KIB);
    }
    CHECK(dup2(out, 1) == 1 && dup2(err, 2) == 2);
    CHECK(lseek(fileno(file), 0, SEEK_END) == 0);
    fclose(file);
    close(out);
    fclose(check_output);
    free(path);
    free(first);
    free(params);
    free(grads);
    return 0;
}

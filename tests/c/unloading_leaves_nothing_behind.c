/* A plug-in host loads the library, steps, frees and unloads it, over and over: nothing is printed at load time, no
 * thread is left behind, and it works each time. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <dirent.h>
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

enum { TIMES = 50, REDUCED_TIMES = 8, DIM = 100000, STEPS = 3 };

static int tasks(void)
{
    DIR *directory = opendir("/proc/self/task");
    int count = 0;
    CHECK(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* A thread that was joined may still be listed for a moment. */
static void wait_until_alone(void)
{
    const struct timespec moment = {0, 1000000};
    for (int i = 0; tasks() != 1 && i < 2000; i++) nanosleep(&moment, NULL);
    CHECK(tasks() == 1);
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
    const int out = dup(1), err = dup(2), times = argc > 2 ? REDUCED_TIMES : TIMES;
    CHECK(argc >= 2 && file && out >= 0 && err >= 0);
    check_output = fdopen(err, "w");
    CHECK(check_output);
    CHECK(dup2(fileno(file), 1) == 1 && dup2(fileno(file), 2) == 2);
    for (int i = 0; i < DIM; i++) grads[i] = (float)(i % 11 - 5);
    for (int i = 0; i < times; i++) {
        AT("time %d", i);
        memset(params, 0, DIM * sizeof *params);
        load_step_unload(argv[1], params, grads);
        if (i == 0) memcpy(first, params, DIM * sizeof *params);
        CHECK(memcmp(first, params, DIM * sizeof *params) == 0);
    }
    CHECK(dup2(out, 1) == 1 && dup2(err, 2) == 2);
    CHECK(lseek(fileno(file), 0, SEEK_END) == 0);
    fclose(file);
    close(out);
    fclose(check_output);
    free(first);
    free(params);
    free(grads);
    return 0;
}

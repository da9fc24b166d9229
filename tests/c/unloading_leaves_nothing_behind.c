/* A plug-in host loads the library, steps, frees and unloads it, a thousand times. It works each time, nothing is
 * printed, the library is unmapped afterwards, and no thread, open file, mapping or memory is left.
 *
 * With the argument "leak" or "mapping" the program itself leaks each time, and the test has to fail. With "once" it
 * leaks a MiB once, as the C library does, and the test has to pass. */
#define _GNU_SOURCE
#include "process.h"

#include <dlfcn.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TIMES = 1000, REDUCED_TIMES = 8, DIM = 100000, STEPS = 3 };

/* A leak each time makes every stretch of times hold more than the stretch before. Memory taken once (as the C
 * library's arenas, which are created when threads happen to meet) does not, nor does random variation. So growth is
 * that of the smallest number of each stretch, and nearly all stretches have to grow. */
enum { STRETCHES = 10, STRETCH = TIMES / STRETCHES, WARM = 1, GROWING = 6, LEAST_KIB = 4, LEAK = 100 };

/* The resources of this process. */
typedef struct {
    int files, mappings, of_library;
    long kib; /* resident memory from smaps_rollup, which is exact */
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

/* Returns the smallest numbers of a stretch: resident memory varies at random. */
static void keep_least(holdings *least, holdings now)
{
    if (now.files < least->files) least->files = now.files;
    if (now.mappings < least->mappings) least->mappings = now.mappings;
    if (now.kib < least->kib) least->kib = now.kib;
}

/* POSIX allows a function's address in an object pointer; C has no conversion for it. */
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
    CHECK(tasks() == 1); /* no code of the library runs at load time */
    CHECK(held(path).of_library > 0); /* otherwise its absence afterwards proves nothing */
    find(library, "lmada_config_init", &config_init);
    find(library, "lmada_create", &create);
    find(library, "lmada_step", &step);
    find(library, "lmada_free", &release);
    CHECK(config_init(&config, sizeof config) == LMADA_OK);
    config.threads = 4;
    CHECK(create(&config, DIM, &opt) == LMADA_OK);
    for (int i = 0; i < STEPS; i++) CHECK(step(opt, params, grads, DIM) == LMADA_OK);
    CHECK(processors() == 1 || tasks() > 1); /* otherwise the rest proves nothing */
    release(opt);
    CHECK(step(NULL, params, grads, DIM) == LMADA_ERROR_NULL_POINTER);
    wait_for_tasks(1);
    CHECK(dlclose(library) == 0);
}

/* Returns the number of stretches that hold at least `least` more than the stretch before. */
static int count_grown(const long *values, long least)
{
    int count = 0;
    for (int i = WARM + 1; i < STRETCHES; i++) count += values[i] - values[i - 1] >= least;
    return count;
}

static void check_trend(const char *what, const long *values, long least)
{
    char text[STRETCHES * 12];
    int length = 0;
    for (int i = 0; i < STRETCHES; i++) length += snprintf(text + length, sizeof text - (size_t)length, " %ld", values[i]);
    AT("the end: least %s of each stretch:%s", what, text);
    CHECK(count_grown(values, least) < GROWING);
}

static void check_trends(const holdings *stretches)
{
    long mappings[STRETCHES], kib[STRETCHES];
    for (int i = 0; i < STRETCHES; i++) {
        mappings[i] = stretches[i].mappings;
        kib[i] = stretches[i].kib;
        CHECK(i <= WARM || stretches[i].files == stretches[WARM].files);
    }
    check_trend("number of mappings", mappings, 1);
    check_trend("KiB", kib, LEAST_KIB);
}

static void lose(const char *what, int time)
{
    const int protections[] = {PROT_READ, PROT_NONE}; /* alternately: equal mappings would be merged */
    static int turn;
    static void *volatile lost; /* volatile, so that the compiler keeps the allocation */
    if (strcmp(what, "leak") == 0) lost = memset(check_alloc(LEAK), 1, LEAK);
    if (strcmp(what, "once") == 0 && time == TIMES / 2) lost = memset(check_alloc(1 << 20), 1, 1 << 20);
    if (strcmp(what, "mapping") == 0) {
        lost = mmap(NULL, 4096, protections[turn++ % 2], MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(lost != MAP_FAILED);
    }
}

int main(int argc, char **argv)
{
    float *first = check_alloc(DIM * sizeof *first), *params = check_alloc(DIM * sizeof *params);
    float *grads = check_alloc(DIM * sizeof *grads);
    FILE *file = tmpfile();
    char *path = argc >= 2 ? realpath(argv[1], NULL) : NULL; /* as /proc/self/maps has it */
    const char *mode = argc > 2 ? argv[2] : "";
    const int out = dup(1), err = dup(2), times = strcmp(mode, "reduced") == 0 ? REDUCED_TIMES : TIMES;
    holdings stretches[STRETCHES];
    CHECK(path && file && out >= 0 && err >= 0);
    check_output = fdopen(err, "w");
    CHECK(check_output);
    CHECK(dup2(fileno(file), 1) == 1 && dup2(fileno(file), 2) == 2);
    for (int i = 0; i < DIM; i++) grads[i] = (float)(i % 11 - 5);
    for (int i = 0; i < STRETCHES; i++) stretches[i] = (holdings){INT_MAX, INT_MAX, 0, LONG_MAX};
    for (int i = 0; i < times; i++) {
        holdings now;
        AT("time %d", i);
        memset(params, 0, DIM * sizeof *params);
        load_step_unload(path, params, grads);
        lose(mode, i);
        if (i == 0) memcpy(first, params, DIM * sizeof *params);
        CHECK(memcmp(first, params, DIM * sizeof *params) == 0);
        now = held(path);
        CHECK(now.of_library == 0);
        keep_least(&stretches[i / STRETCH], now);
    }
    if (times == TIMES) check_trends(stretches);
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

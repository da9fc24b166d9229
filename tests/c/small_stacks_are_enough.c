/* Every function works on a thread whose stack is 16 KiB larger than the smallest that the system allows, for k up to
 * 100, in every kind of model, with and without worker threads. With the argument "print" it prints the stack use of
 * each call.
 *
 * Not run under valgrind, AddressSanitizer and ThreadSanitizer: they use the stack too. */
#define _GNU_SOURCE
#include "around.h"
#include "model.h"
#include "stream.h"

#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DIM = 9000, STEPS = 4, BEYOND = 16 * 1024, PAINT = 0xC7 };

static bool print;

/* A call to make on the small stack. */
typedef struct {
    const char *name;
    void (*call)(void);
} job;

static lmada_config_t config;
static model m;
static real *grads;
static unsigned char *state;
static size_t state_bytes;

static void create(void) { CHECK_OK(lmada_create(&config, DIM, &m.opt)); }
static void create_blocks(void)
{
    static const size_t dims[] = {DIM / 2, DIM - DIM / 2};
    lmada_t *opt;
    CHECK_OK(lmada_create_blocks(&config, dims, 2, &opt));
    CHECK_OK(real_step(opt, m.params, grads, DIM));
    lmada_free(opt);
}
static void init(void)
{
    lmada_config_t c;
    CHECK_OK(lmada_config_init(&c, sizeof c));
    CHECK_OK(lmada_config_recommended(&c, sizeof c));
}
static void fail(void)
{
    lmada_t *opt;
    CHECK_REFUSED(lmada_create(&config, 0, &opt), LMADA_ERROR_INVALID_ARGUMENT, "dim");
    CHECK(lmada_status_string(LMADA_OK) && lmada_version() && lmada_abi_version() == LMADA_ABI_VERSION);
}
static void step(void) { CHECK_OK(real_step(m.opt, m.params, grads, DIM)); }
static void direction(void) { CHECK_OK(real_direction(m.opt, m.params, grads, DIM)); }
static void tensors(void)
{
    real *const params[] = {m.params, m.params + 5000};
    const real *const gradients[] = {grads, grads + 5000};
    static const size_t lens[] = {5000, DIM - 5000};
    CHECK_OK(real_step_tensors(m.opt, params, gradients, lens, 2));
}
static void phases(void)
{
    double *values;
    size_t count;
    CHECK_OK(lmada_begin(m.opt));
    CHECK_OK(real_feed(m.opt, 100, grads + 100, DIM - 100));
    CHECK_OK(real_feed(m.opt, 0, grads, 100));
    CHECK_OK(lmada_partials(m.opt, &values, &count));
    CHECK_OK(lmada_solve(m.opt));
    CHECK_OK(real_apply(m.opt, 0, m.params, grads, 4000));
    CHECK_OK(real_apply_direction(m.opt, 4000, m.params + 4000, grads + 4000, DIM - 4000));
    CHECK_OK(lmada_end(m.opt));
    CHECK_OK(lmada_begin(m.opt));
    CHECK_OK(lmada_cancel(m.opt));
}
static void stats(void) { (void)stats_of(m.opt); }
static void rate(void) { CHECK_OK(lmada_set_lr(m.opt, 0.02)); }
static void save(void)
{
    CHECK_OK(lmada_state_size(m.opt, &state_bytes));
    CHECK_OK(lmada_state_save(m.opt, state, state_bytes));
}
static void load(void) { CHECK_OK(lmada_state_load(m.opt, state, state_bytes)); }
static void stream_state(void)
{
    stream s = {state, state_bytes, 0, 0, 0};
    uint64_t bytes;
    lmada_t *opt;
    CHECK_OK(lmada_state_write(m.opt, stream_write, &s));
    s.at = 0;
    CHECK_OK(lmada_create_from_state(stream_read, &s, &opt));
    lmada_free(opt);
    CHECK_OK(lmada_memory(&config, DIM, &bytes));
}
static void shares(void)
{
    const size_t first = 0;
    const void *const states[] = {state};
    CHECK_OK(lmada_state_load_shares(m.opt, &first, states, &state_bytes, 1));
}
static void around(void)
{
    static real out[DIM];
    call_around(&m, grads, out);
}
static void reset(void) { CHECK_OK(lmada_reset(m.opt)); }
static void release(void) { lmada_free(m.opt); }

static const job jobs[] = {
    {"create", create}, {"create_blocks", create_blocks}, {"config_init", init}, {"failure", fail}, {"step", step},
    {"direction", direction}, {"step_tensors", tensors}, {"phases", phases}, {"stats", stats}, {"set_lr", rate},
    {"state_save", save}, {"state_load", load}, {"state_load_shares", shares}, {"streams", stream_state},
    {"around a step", around}, {"reset", reset}, {"step", step},
    {"free", release},
};

static void *run(void *argument)
{
    ((const job *)argument)->call();
    return NULL;
}

/* Makes a call on a new thread whose stack has an unmapped page below. Returns the bytes of stack used. */
static size_t deep(const job *one)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t size = (size_t)PTHREAD_STACK_MIN + BEYOND, whole = (size + page - 1) / page * page + page;
    unsigned char *memory = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attributes;
    pthread_t thread;
    size_t untouched = page;
    CHECK(memory != MAP_FAILED && mprotect(memory, page, PROT_NONE) == 0);
    memset(memory + page, PAINT, whole - page);
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstack(&attributes, memory + page, whole - page) == 0);
    CHECK(pthread_create(&thread, &attributes, run, (void *)(size_t)one) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pthread_attr_destroy(&attributes) == 0);
    while (untouched < whole && memory[untouched] == PAINT) untouched++;
    CHECK(munmap(memory, whole) == 0);
    return whole - untouched;
}

static void all_calls_fit(int number, uint32_t kept, uint32_t threads)
{
    AT("variant %d, k = %u, %u threads", number, (unsigned)kept, (unsigned)threads);
    config = variant(number);
    config.history_size = kept;
    config.threads = threads;
    m.params = zeros(DIM);
    m.dim = DIM;
    create();
    leave_zero(&m);
    for (uint32_t i = 0; i < kept + STEPS; i++) { /* the last steps have a full window */
        fill_gradient(grads, DIM, i);
        step();
    }
    CHECK_OK(lmada_state_size(m.opt, &state_bytes));
    state = check_alloc(state_bytes);
    CHECK_OK(lmada_state_save(m.opt, state, state_bytes));
    release();
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        size_t bytes;
        if (jobs[i].call == step && i > 0 && jobs[i - 1].call == fail) {
            /* The new handle continues with the full window. */
            CHECK_OK(lmada_state_load(m.opt, state, state_bytes));
        }
        bytes = deep(&jobs[i]);
        if (print) printf("%s: %s took %zu bytes of stack\n", check_row, jobs[i].name, bytes);
    }
    free(state);
    free_model(&(model){NULL, m.params, DIM});
}

int main(int argc, char **argv)
{
    print = argc > 1 && strcmp(argv[1], "print") == 0;
    grads = zeros(DIM);
    EACH_VARIANT(number, argc > 1 && !print)
    {
        const bool single = variant(number).history_size == 1;
        all_calls_fit(number, single ? 1 : 4, 1);
        if (!single) all_calls_fit(number, 100, argc > 1 && !print ? 1 : 1 + (uint32_t)number % 2);
    }
    free(grads);
    return 0;
}

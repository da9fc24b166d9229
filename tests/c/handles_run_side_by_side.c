/* Different handles, used from different threads at the same time, give the bits that they give one after the other. */
#define _POSIX_C_SOURCE 200809L
#include "model.h"

#include <pthread.h>

enum { HANDLES = 6, STEPS = 12 };

static size_t length_of(int handle, bool reduced)
{
    const size_t full[HANDLES] = {17, 90000, 1500, 200000, 33, 150000};
    return reduced ? 1 + full[handle] / 40 : full[handle];
}

typedef struct {
    model m;
    int handle;
} run;

static run new_run(int handle, bool reduced)
{
    lmada_config_t config = variant(handle % VARIANTS);
    const size_t dim = length_of(handle, reduced);
    run r;
    config.threads = 1 + (uint32_t)handle % 3;
    r.handle = handle;
    r.m = handle % 2 ? new_model(&config, dim) : new_blocks_model(&config, dim);
    return r;
}

/* Steps, and creates, saves, loads and frees a handle on the way. */
static void *go(void *argument)
{
    run *r = argument;
    const lmada_config_t config = variant(0);
    for (uint64_t step = 0; step < STEPS; step++) {
        model other_model = new_model(&config, 50);
        size_t bytes;
        unsigned char *state;
        step_model(&r->m, 100 * (uint64_t)r->handle + step, 1);
        state = saved_state(r->m.opt, &bytes);
        CHECK_OK(lmada_state_load(r->m.opt, state, bytes));
        free(state);
        step_model(&other_model, step, 2);
        free_model(&other_model);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const bool reduced = argc > 1;
    run serial[HANDLES], parallel[HANDLES];
    pthread_t threads[HANDLES];
    (void)argv;
    for (int i = 0; i < HANDLES; i++) {
        serial[i] = new_run(i, reduced);
        parallel[i] = new_run(i, reduced);
        go(&serial[i]);
    }
    for (int i = 0; i < HANDLES; i++) CHECK(pthread_create(&threads[i], NULL, go, &parallel[i]) == 0);
    for (int i = 0; i < HANDLES; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < HANDLES; i++) {
        AT("handle %d", i);
        CHECK(same_model(&serial[i].m, &parallel[i].m));
        free_model(&serial[i].m);
        free_model(&parallel[i].m);
    }
    return 0;
}

/* A thread that is cancelled inside a call ends after the call: the call completes, the program and the handle
 * continue, and the request waits for the thread's own code. Tested with both types of cancellation, on one thread and
 * on several. */
#define _GNU_SOURCE
#include "around.h"
#include "model.h"
#include "stream.h"

#include <pthread.h>
#include <time.h>

enum { DIM = 60000, SMALL_DIM = 8000, ROUNDS = 150 };

static uint32_t threads;
static size_t dim;
static bool done;

static lmada_config_t config_of(void)
{
    lmada_config_t config = variant(1);
    config.history_size = 12;
    config.threads = threads;
    return config;
}

/* ---- a request that is pending already ---- */

static void in_phases(model *m, const real *grads, real *direction)
{
    double *values;
    size_t count;
    CHECK_OK(lmada_begin(m->opt));
    CHECK_OK(real_feed(m->opt, 0, grads, m->dim));
    CHECK_OK(lmada_cancel(m->opt));
    for (int as_direction = 0; as_direction < 2; as_direction++) {
        CHECK_OK(lmada_begin(m->opt));
        CHECK_OK(real_feed(m->opt, 0, grads, m->dim));
        CHECK_OK(lmada_partials(m->opt, &values, &count));
        CHECK_OK(lmada_solve(m->opt));
        if (as_direction) CHECK_OK(real_apply_direction(m->opt, 0, direction, grads, m->dim));
        else CHECK_OK(real_apply(m->opt, 0, m->params, grads, m->dim));
        CHECK_OK(lmada_end(m->opt));
    }
}

static void whole_states(model *m)
{
    size_t bytes;
    unsigned char *state;
    const void *states[1];
    const size_t first[2] = {0, 0}; /* for each block */
    stream s = {NULL, 0, 0, 0, 0};
    CHECK_OK(lmada_state_size(m->opt, &bytes));
    state = check_alloc(bytes);
    CHECK_OK(lmada_state_save(m->opt, state, bytes));
    CHECK_OK(lmada_state_load(m->opt, state, bytes));
    s.bytes = state;
    s.size = bytes;
    CHECK_OK(lmada_state_write(m->opt, stream_write, &s));
    lmada_free(handle_of(state, bytes));
    states[0] = state;
    CHECK_OK(lmada_state_load_shares(m->opt, first, states, &bytes, 1));
    free(state);
}

/* Only the library's functions are possible cancellation points here. */
static void *call_everything(void *type)
{
    lmada_config_t config = config_of();
    const size_t dims[] = {dim / 2, dim - dim / 2};
    real *grads = new_gradient(dim, 0), *direction = zeros(dim);
    model m = {NULL, zeros(dim), dim};
    lmada_stats_t stats;
    int ignored;
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ignored) == 0);
    CHECK(pthread_cancel(pthread_self()) == 0);
    if (type == NULL) CHECK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &ignored) == 0);
    else CHECK(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &ignored) == 0); /* or it would act at once */
    CHECK_OK(lmada_config_init(&config, sizeof config));
    CHECK_OK(lmada_config_recommended(&config, sizeof config));
    config = config_of();
    for (int blocks = 0; blocks < 2; blocks++) {
        const real *gradients = grads;
        CHECK_OK(blocks ? lmada_create_blocks(&config, dims, 2, &m.opt) : lmada_create(&config, dim, &m.opt));
        CHECK_OK(real_step(m.opt, m.params, grads, dim));
        CHECK_OK(real_step_tensors(m.opt, &m.params, &gradients, &dim, 1));
        CHECK_OK(real_direction(m.opt, direction, grads, dim));
        in_phases(&m, grads, direction);
        CHECK_OK(lmada_set_lr(m.opt, 0.5));
        CHECK_OK(lmada_stats(m.opt, &stats, sizeof stats));
        CHECK(stats.steps == 5);
        call_around(&m, grads, direction);
        CHECK_OK(lmada_stats(m.opt, &stats, sizeof stats));
        CHECK(stats.steps == 5 + STEPS_AROUND);
        whole_states(&m);
        CHECK_STATUS(other_step(m.opt, NULL, NULL, 0), LMADA_ERROR_INVALID_ARGUMENT);
        CHECK(strlen(lmada_last_error()) > 0 && lmada_abi_version() > 0 && strlen(lmada_version()) > 0);
        CHECK_OK(lmada_reset(m.opt));
        lmada_free(m.opt);
    }
    free(grads);
    free(direction);
    free(m.params);
    done = true;
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &ignored) == 0);
    pthread_testcancel();
    done = false;
    return NULL;
}

static void a_pending_request_stays(void *type)
{
    pthread_t thread;
    void *result;
    done = false;
    CHECK(pthread_create(&thread, NULL, call_everything, type) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK(done);
}

/* ---- a request at any moment ---- */

static model m;
static real *grads;
static volatile bool under_way;

static void *step_for_ever(void *type)
{
    int ignored;
    CHECK(pthread_setcanceltype(type ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED, &ignored) == 0);
    under_way = true;
    for (;;) {
        real_step(m.opt, m.params, grads, m.dim);
        if (!type) pthread_testcancel();
    }
    return NULL;
}

/* Takes steps from many threads, each cancelled at some moment. The result is that of as many undisturbed steps. */
static void a_request_may_come_at_any_moment(void *type)
{
    const lmada_config_t config = config_of();
    model twin = new_model(&config, dim);
    uint64_t steps;
    m = new_model(&config, dim);
    grads = new_gradient(dim, 3);
    for (int round = 0; round < ROUNDS; round++) {
        const struct timespec moment = {0, 1000 + (round * 7919) % 400000}, look = {0, 100000};
        pthread_t thread;
        void *result;
        lmada_stats_t stats;
        under_way = false;
        CHECK(pthread_create(&thread, NULL, step_for_ever, type) == 0);
        while (!under_way) nanosleep(&look, NULL);
        nanosleep(&moment, NULL);
        CHECK(pthread_cancel(thread) == 0);
        CHECK(pthread_join(thread, &result) == 0);
        CHECK(result == PTHREAD_CANCELED);
        CHECK_OK(lmada_stats(m.opt, &stats, sizeof stats));
    }
    steps = stats_of(m.opt).steps;
    for (uint64_t step = 0; step < steps; step++) CHECK_OK(real_step(twin.opt, twin.params, grads, dim));
    CHECK(same_model(&m, &twin));
    free(grads);
    free_model(&m);
    free_model(&twin);
}

int main(int argc, char **argv)
{
    static int asynchronous;
    (void)argv;
    dim = argc > 1 ? SMALL_DIM : DIM;
    for (int type = 0; type < 2; type++) {
        const uint32_t counts[] = {1, 4, 0};
        for (int i = 0; i < 3; i++) {
            threads = counts[i];
            AT("%u threads, %s", (unsigned)threads, type ? "asynchronous" : "deferred");
            a_pending_request_stays(type ? &asynchronous : NULL);
            /* Valgrind runs one thread at a time: the stepping thread would run for ever. */
            if (argc == 1) a_request_may_come_at_any_moment(type ? &asynchronous : NULL);
        }
    }
    return 0;
}

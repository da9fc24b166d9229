/* While one thread steps, another thread saves: a save is LMADA_ERROR_BUSY, or it is the complete state between two
 * steps. The same holds for functions that read from the handle. Not run under valgrind, where one thread runs at a
 * time and is seldom interrupted inside a step; busy_handles_say_so waits for that. */
#define _POSIX_C_SOURCE 200809L
#include "model.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>

enum { KEPT = 8, MOST_ROUNDS = 2000 };

static model shared;
static sem_t stop;

/* Steps until the other thread asks it to stop. */
static void *stepper(void *count)
{
    uint64_t *steps = count;
    real *grads = new_gradient(shared.dim, 0);
    while (sem_trywait(&stop) != 0) {
        const lmada_status_t status = real_step(shared.opt, shared.params, grads, shared.dim);
        if (status == LMADA_ERROR_BUSY) continue; /* the other thread is inside */
        CHECK_OK(status);
        fill_gradient(grads, shared.dim, ++*steps);
    }
    free(grads);
    return NULL;
}

/* Lets the other thread run for a while. Without that a call right after another is never refused. */
static void pause_here(void)
{
    const struct timespec moment = {0, 20000};
    nanosleep(&moment, NULL);
}

/* Repeats `call` until it succeeds. Every other status has to be LMADA_ERROR_BUSY, and is counted. */
#define UNTIL_FREE(call, busy)                                                                        \
    pause_here();                                                                                     \
    for (lmada_status_t status = (call); status != LMADA_OK; status = (call), ++*(busy)) {            \
        CHECK_STATUS(status, LMADA_ERROR_BUSY);                                                       \
        CHECK(strstr(lmada_last_error(), "another thread") != NULL);                                  \
        sched_yield();                                                                                \
    }

static model make(const lmada_config_t *config, size_t dim, bool blocks)
{
    return blocks ? new_blocks_model(config, dim) : new_model(config, dim);
}

/* Checks that each state, in the order of the saves, is that of an undisturbed run after as many steps. Returns the
 * last number of steps. */
static uint64_t check_states(unsigned char *const *states, size_t bytes, int count, model *reference, model *loaded)
{
    uint64_t reached = 0;
    for (int i = 0; i < count; i++) {
        size_t expected_bytes;
        unsigned char *expected;
        uint64_t steps;
        CHECK_OK(lmada_state_load(loaded->opt, states[i], bytes));
        steps = stats_of(loaded->opt).steps;
        CHECK(steps >= reached);
        step_model(reference, reached, steps - reached);
        reached = steps;
        expected = saved_state(reference->opt, &expected_bytes);
        CHECK(expected_bytes == bytes && memcmp(states[i], expected, bytes) == 0);
        CHECK(same_state(loaded->opt, reference->opt));
        free(expected);
        free(states[i]);
    }
    return reached;
}

static void saves_are_whole(int number, uint32_t threads, size_t dim, bool blocks)
{
    lmada_config_t config = variant(number);
    model reference, loaded;
    uint64_t steps = 0, reached = 0, busy_saves = 0, busy_sizes = 0, busy_stats = 0;
    size_t bytes;
    unsigned char *states[KEPT];
    pthread_t thread;
    AT("variant %d on %d threads%s", number, (int)threads, blocks ? ", in blocks" : "");
    config.threads = threads;
    shared = make(&config, dim, blocks);
    reference = make(&config, dim, blocks);
    loaded = make(&config, dim, blocks);
    CHECK_OK(lmada_state_size(shared.opt, &bytes));
    for (int i = 0; i < KEPT; i++) {
        states[i] = check_alloc(bytes);
        memset(states[i], 0xA5, bytes);
    }
    CHECK(sem_init(&stop, 0, 0) == 0);
    CHECK(pthread_create(&thread, NULL, stepper, &steps) == 0);
    for (int round = 0; round < KEPT || busy_saves == 0 || busy_sizes == 0 || busy_stats == 0; round++) {
        lmada_stats_t stats;
        size_t size;
        CHECK(round < MOST_ROUNDS);
        UNTIL_FREE(lmada_state_save(shared.opt, states[round < KEPT ? round : KEPT - 1], bytes), &busy_saves);
        UNTIL_FREE(lmada_state_size(shared.opt, &size), &busy_sizes);
        UNTIL_FREE(lmada_stats(shared.opt, &stats, sizeof stats), &busy_stats);
        CHECK(size == bytes && stats.steps >= reached);
        reached = stats.steps;
    }
    CHECK(sem_post(&stop) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(steps >= reached && stats_of(shared.opt).steps == steps);
    reached = check_states(states, bytes, KEPT, &reference, &loaded);
    CHECK(reached > 0);
    step_model(&reference, reached, steps - reached);
    CHECK(same_model(&shared, &reference));
    CHECK(sem_destroy(&stop) == 0);
    free_model(&shared);
    free_model(&reference);
    free_model(&loaded);
}

int main(void)
{
    for (int number = 0; number < VARIANTS; number++) saves_are_whole(number, 1, 20000, true);
    saves_are_whole(0, 2, 150000, true);
    saves_are_whole(2, 2, 150000, false);
    return 0;
}

/* The k×k work of a step allocates no memory, on any thread: the inverse root by poles and by Cholesky factorizations,
 * the eigendecomposition by QR and by Jacobi's method, and the spectrum of lmada_stats. Each step is on a thread that
 * has never stepped, so that thread-local buffers of a library would show.
 *
 * Not run under valgrind: it would replace the allocator that this test replaces. */
#include "failing_allocator.h"
#include "model.h"

#include <pthread.h>

enum { DIM = 600, STEPS_BEYOND_THE_WINDOW = 3 };

typedef struct {
    model m;
    real *grads;
    lmada_status_t status, looked;
    size_t requests;
} turn;

/* Takes a step on a new thread on which every allocation fails. */
static void *step_without_memory(void *argument)
{
    turn *t = argument;
    lmada_stats_t stats;
    allocator_watch(1, FAIL_EVER_AFTER);
    t->status = real_step(t->m.opt, t->m.params, t->grads, t->m.dim);
    t->looked = lmada_stats(t->m.opt, &stats, sizeof stats);
    allocator_unwatch();
    t->requests = allocator_requests();
    return NULL;
}

/* Two of three gradients are long and along an axis, the third is short: a tridiagonal reduction would mix their
 * rows. */
static void fill_spread(real *grads, size_t number)
{
    fill_gradient(grads, DIM, number);
    if (number % 3 == 2) return;
    for (size_t i = 0; i < DIM; i++) grads[i] = 0;
    grads[number % DIM] = (real)1e4;
}

static void check(const lmada_config_t *config, bool spread)
{
    turn t = {.m = new_model(config, DIM), .grads = zeros(DIM)};
    for (size_t step = 0; step < config->history_size + STEPS_BEYOND_THE_WINDOW; step++) {
        pthread_t thread;
        if (spread) fill_spread(t.grads, step);
        else fill_gradient(t.grads, DIM, step);
        if (step + 2 * STEPS_BEYOND_THE_WINDOW < config->history_size) { /* while the window fills */
            CHECK_OK(real_step(t.m.opt, t.m.params, t.grads, DIM));
            continue;
        }
        AT("step %zu, k = %u, spread %d", step, (unsigned)config->history_size, spread);
        CHECK(pthread_create(&thread, NULL, step_without_memory, &t) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_OK(t.status);
        CHECK_OK(t.looked);
        CHECK(t.requests == 0);
    }
    free(t.grads);
    free_model(&t.m);
}

int main(void)
{
    const uint32_t history_sizes[] = {2, 5, 17, 40, 130};
    for (size_t k = 0; k < sizeof history_sizes / sizeof *history_sizes; k++) {
        for (int spread = 0; spread < 2; spread++) {
            lmada_config_t config = base_config();
            config.history_size = history_sizes[k];
            check(&config, spread);
            config.eps = 1e3;
            check(&config, spread);
            config.eps = 0;
            check(&config, spread);
            config.power = 0.3;
            check(&config, spread);
            config.power = 0.5;
            config.centered = true;
            check(&config, spread);
            config.momentum_kind = LMADA_MOMENTUM_GRADIENT;
            check(&config, spread);
        }
    }
    return 0;
}

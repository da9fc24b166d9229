/* After a siglongjmp out of a step with threads = 1, the handle stays LMADA_ERROR_BUSY and its memory is lost, as
 * lmada.h says. Everything else works. The run continues in a new handle, from its last saved state.
 *
 * Not run under AddressSanitizer and ThreadSanitizer: they do not support a jump over frames. */
#define _POSIX_C_SOURCE 200809L
#include "model.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

enum { DIM = 300000, PAST = 3, FUTURE = 3, ATTEMPTS = 200, TIMES = 3 };

static sigjmp_buf outside;
static volatile sig_atomic_t armed;
static lmada_t *abandoned[TIMES]; /* reachable, so that valgrind reports no leak */

static void jump(int number)
{
    (void)number;
    if (armed) siglongjmp(outside, 1);
}

static void set_timer(long microseconds)
{
    struct itimerval timer;
    memset(&timer, 0, sizeof timer);
    timer.it_value.tv_usec = microseconds;
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

/* Steps until the signal arrives inside a step. Returns whether it did. */
static bool jumps_out_of_a_step(model *m, const real *grads, long microseconds)
{
    if (sigsetjmp(outside, 1) != 0) {
        armed = 0;
        return lmada_set_lr(m->opt, 0.1) == LMADA_ERROR_BUSY; /* otherwise it came between two calls */
    }
    armed = 1;
    set_timer(microseconds);
    for (;;) CHECK_OK(real_step(m->opt, m->params, grads, DIM));
}

int main(void)
{
    lmada_config_t config = base_config();
    struct sigaction action;
    real *grads = new_gradient(DIM, 50);
    config.history_size = 6;
    memset(&action, 0, sizeof action);
    action.sa_handler = jump;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    for (int time = 0; time < TIMES; time++) {
        model m = new_model(&config, DIM), twin = new_model(&config, DIM), next;
        size_t bytes;
        unsigned char *state;
        lmada_stats_t stats;
        int attempts = 0;
        AT("time %d", time);
        step_model(&m, 0, PAST);
        step_model(&twin, 0, PAST);
        state = saved_state(m.opt, &bytes);
        while (!jumps_out_of_a_step(&m, grads, 3000 + 700 * attempts)) CHECK(++attempts < ATTEMPTS);

        /* Every call is busy, and lmada_free does not free the handle. */
        CHECK_STATUS(real_step(m.opt, m.params, grads, DIM), LMADA_ERROR_BUSY);
        CHECK_STATUS(lmada_stats(m.opt, &stats, sizeof stats), LMADA_ERROR_BUSY);
        CHECK_STATUS(lmada_reset(m.opt), LMADA_ERROR_BUSY);
        lmada_free(m.opt);
        CHECK_STATUS(lmada_reset(m.opt), LMADA_ERROR_BUSY);
        abandoned[time] = m.opt;

        /* Continue with a new handle, the last saved state and the parameters saved with it. */
        next = new_model(&config, DIM);
        CHECK_OK(lmada_state_load(next.opt, state, bytes));
        memcpy(next.params, twin.params, DIM * sizeof(real));
        step_model(&next, PAST, FUTURE);
        step_model(&twin, PAST, FUTURE);
        CHECK(same_model(&next, &twin));
        free(state);
        free(m.params);
        free_model(&next);
        free_model(&twin);
    }
    free(grads);
    return 0;
}

/* Signals that arrive inside calls end no call and change no result. Only the threads of the host program handle them.
 * The handler does not restart interrupted system calls. */
#define _GNU_SOURCE
#include "model.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

enum { DIM = 60000, SMALL_DIM = 8000, ROUNDS = 60, REDUCED_ROUNDS = 5, STEPS = 4, PERIOD = 150 };

static volatile sig_atomic_t handled;
static pthread_t host;
static volatile sig_atomic_t elsewhere;

static void handler(int signal)
{
    (void)signal;
    handled = handled + 1;
    elsewhere |= !pthread_equal(pthread_self(), host);
}

static void interrupt_every(long microseconds)
{
    const struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

int main(int argc, char **argv)
{
    const uint32_t threads[] = {1, 2, 4, 0};
    const size_t dim = argc > 1 ? SMALL_DIM : DIM;
    lmada_config_t config = variant(1);
    struct sigaction action;
    model expected;
    (void)argv;
    host = pthread_self();
    config.history_size = 12;
    expected = new_model(&config, dim);
    step_model(&expected, 0, STEPS);
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    for (int round = 0; round < (argc > 1 ? REDUCED_ROUNDS : ROUNDS); round++) {
        config.threads = threads[round % 4];
        AT("round %d, %u threads", round, (unsigned)config.threads);
        interrupt_every(PERIOD);
        {
            model m = new_model(&config, dim);
            size_t bytes;
            unsigned char *state;
            step_model(&m, 0, STEPS / 2);
            state = saved_state(m.opt, &bytes);
            CHECK_OK(lmada_state_load(m.opt, state, bytes));
            free(state);
            step_model(&m, STEPS / 2, STEPS - STEPS / 2);
            interrupt_every(0);
            CHECK(same_model(&m, &expected));
            interrupt_every(PERIOD);
            free_model(&m);
        }
        interrupt_every(0);
    }
    CHECK(handled > 0);
    CHECK(!elsewhere);
    free_model(&expected);
    return 0;
}

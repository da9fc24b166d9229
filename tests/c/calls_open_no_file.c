/* Every function works in a sandbox that ends the program when it opens a file, for every number of threads: no call
 * opens a file there. (Outside a sandbox the first create with `threads` 0 reads the quota of the process.)
 *
 * Not run under valgrind, AddressSanitizer and ThreadSanitizer: they open files themselves. */
#define _GNU_SOURCE
#include "around.h"
#include "model.h"
#include "stream.h"
#include "sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIM = 60000, PATIENCE = 300 };

static void enter_sandbox(void)
{
    const int opening[] = {
#ifdef SYS_open
        SYS_open,
        SYS_creat,
#endif
        SYS_openat,
#ifdef SYS_openat2
        SYS_openat2,
#endif
    };
    forbid(opening, sizeof opening / sizeof *opening, SECCOMP_RET_KILL_PROCESS);
}

/* Runs `body` in a child and returns the child's exit status. */
static int status_of(void (*body)(uint32_t), uint32_t threads)
{
    const pid_t process = fork();
    int status;
    CHECK(process >= 0);
    if (process == 0) {
        alarm(PATIENCE);
        body(threads);
        _exit(0);
    }
    CHECK(waitpid(process, &status, 0) == process);
    return status;
}

static void open_a_file(uint32_t ignored)
{
    (void)ignored;
    enter_sandbox();
    (void)open("/dev/null", O_RDONLY);
}

static model make(uint32_t threads)
{
    lmada_config_t config = variant(1);
    config.history_size = 12;
    config.threads = threads;
    return new_model(&config, DIM);
}

/* Calls all functions, and compares the bits with those of a twin on one thread. */
static void use(model *m)
{
    model twin = make(1);
    const size_t first = 0;
    const void *states[1];
    double *values;
    size_t bytes, count;
    real *grads = new_gradient(DIM, 99), *direction = zeros(DIM);
    const real *gradients = grads;
    unsigned char *state;
    lmada_config_t config;
    lmada_t *none;
    stream s = {NULL, 0, 0, 0, 0};
    CHECK_OK(lmada_config_recommended(&config, sizeof config));
    config.lr = -1;
    CHECK_STATUS(lmada_create(&config, DIM, &none), LMADA_ERROR_INVALID_ARGUMENT);
    step_model(m, 0, 5);
    step_model(&twin, 0, 5);
    CHECK(stats_of(m->opt).steps == 5);
    state = saved_state(m->opt, &bytes);
    states[0] = state;
    CHECK_OK(lmada_state_load(m->opt, state, bytes));
    CHECK_OK(lmada_state_load_shares(m->opt, &first, states, &bytes, 1));
    s.bytes = state;
    s.size = bytes;
    CHECK_OK(lmada_state_write(m->opt, stream_write, &s));
    lmada_free(handle_of(state, bytes));
    step_model(m, 5, 5);
    step_model(&twin, 5, 5);
    CHECK(same_model(m, &twin));
    CHECK_OK(real_step_tensors(m->opt, &m->params, &gradients, &m->dim, 1));
    CHECK_OK(real_direction(m->opt, direction, grads, DIM));
    CHECK_OK(lmada_begin(m->opt));
    CHECK_OK(real_feed(m->opt, 0, grads, DIM));
    CHECK_OK(lmada_cancel(m->opt));
    for (int as_direction = 0; as_direction < 2; as_direction++) {
        CHECK_OK(lmada_begin(m->opt));
        CHECK_OK(real_feed(m->opt, 0, grads, DIM));
        CHECK_OK(lmada_partials(m->opt, &values, &count));
        CHECK_OK(lmada_solve(m->opt));
        if (as_direction) CHECK_OK(real_apply_direction(m->opt, 0, direction, grads, DIM));
        else CHECK_OK(real_apply(m->opt, 0, m->params, grads, DIM));
        CHECK_OK(lmada_end(m->opt));
    }
    CHECK_OK(lmada_set_lr(m->opt, 0.5));
    call_around(m, grads, direction);
    CHECK_OK(lmada_reset(m->opt));
    free(state);
    free(grads);
    free(direction);
    free_model(m);
    free_model(&twin);
}

static void everything_inside(uint32_t threads)
{
    model m;
    enter_sandbox();
    m = make(threads);
    use(&m);
}

static void made_outside(uint32_t threads)
{
    model m = make(threads), again;
    enter_sandbox();
    use(&m);
    again = make(threads);
    use(&again);
}

static void in_a_grandchild(uint32_t threads)
{
    model m = make(threads);
    enter_sandbox();
    {
        const pid_t process = fork();
        int status;
        if (process == 0) {
            use(&m);
            _exit(0);
        }
        CHECK(waitpid(process, &status, 0) == process && status == 0);
    }
    use(&m);
}

int main(void)
{
    const uint32_t threads[] = {1, 2, 4, 0};
    const int status = status_of(open_a_file, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS); /* the sandbox works */
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        AT("%u threads", (unsigned)threads[i]);
        CHECK(status_of(everything_inside, threads[i]) == 0);
        CHECK(status_of(made_outside, threads[i]) == 0);
        CHECK(status_of(in_a_grandchild, threads[i]) == 0);
    }
    return 0;
}

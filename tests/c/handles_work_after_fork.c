/* A child process uses its parent's handles and creates new ones, and so does the parent, with the same bits. The
 * models are large enough for worker threads, which do not exist in a child. */
#define _POSIX_C_SOURCE 200809L
#include "model.h"

#include <sys/wait.h>
#include <unistd.h>

enum { DIM = 200000, SMALL_DIM = 40000, BEFORE = 3, AFTER = 4, PATIENCE = 300 };

static lmada_config_t config;
static size_t dim;

/* Checks that `m`, after `past` steps, continues like a model without a fork, and can be freed. */
static void go_on(model *m, uint64_t past)
{
    model expected = new_model(&config, dim);
    step_model(&expected, 0, past + AFTER);
    step_model(m, past, AFTER);
    CHECK(same_model(m, &expected));
    free_model(&expected);
    free_model(m);
}

/* Forks. The child runs `child` and exits; an alarm ends it if it hangs. Returns the process of the child. */
static pid_t start(void (*child)(model *), model *m)
{
    const pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        alarm(PATIENCE);
        child(m);
        _exit(0);
    }
    return process;
}

static void await(pid_t process)
{
    int status;
    CHECK(waitpid(process, &status, 0) == process);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void child_uses_the_parents_handle(model *m)
{
    go_on(m, BEFORE);
}

static void child_makes_a_new_handle(model *m)
{
    model fresh = new_model(&config, dim);
    go_on(&fresh, 0);
    free_model(m);
}

static void child_only_frees(model *m)
{
    free_model(m);
}

static void grandchild_goes_on(model *m)
{
    step_model(m, BEFORE, 1);
    await(start(child_only_frees, m));
    step_model(m, BEFORE + 1, 1);
    go_on(m, BEFORE + 2);
}

static void child_ends_the_step(model *m)
{
    real *grads = new_gradient(dim, BEFORE);
    CHECK_OK(lmada_solve(m->opt));
    CHECK_OK(real_apply(m->opt, 0, m->params, grads, dim));
    CHECK_OK(lmada_end(m->opt));
    free(grads);
    go_on(m, BEFORE + 1);
}

static void child_cancels_the_step(model *m)
{
    CHECK_OK(lmada_cancel(m->opt));
    go_on(m, BEFORE);
}

static void fork_between_steps(void (*child)(model *), const char *name)
{
    model m = new_model(&config, dim);
    pid_t process;
    AT("%s", name);
    step_model(&m, 0, BEFORE);
    process = start(child, &m);
    go_on(&m, BEFORE);
    await(process);
}

static void fork_within_a_step(void (*child)(model *), const char *name)
{
    model m = new_model(&config, dim);
    real *grads = new_gradient(dim, BEFORE);
    pid_t process;
    AT("%s", name);
    step_model(&m, 0, BEFORE);
    CHECK_OK(lmada_begin(m.opt));
    CHECK_OK(real_feed(m.opt, 0, grads, dim));
    process = start(child, &m);
    child_ends_the_step(&m);
    await(process);
    free(grads);
}

#define CHILD(name) name, #name

int main(int argc, char **argv)
{
    (void)argv;
    dim = argc > 1 ? SMALL_DIM : DIM;
    config = variant(1);
    config.history_size = 10;
    config.threads = 4;
    fork_between_steps(CHILD(child_uses_the_parents_handle));
    fork_between_steps(CHILD(child_makes_a_new_handle));
    fork_between_steps(CHILD(child_only_frees));
    fork_between_steps(CHILD(grandchild_goes_on));
    fork_within_a_step(CHILD(child_ends_the_step));
    fork_within_a_step(CHILD(child_cancels_the_step));
    return 0;
}

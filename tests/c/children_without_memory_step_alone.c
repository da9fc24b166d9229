/* A child process has no worker threads of its parent. If the system gives the child no new workers, the calling thread
 * takes the steps: no failure, and the same bits.
 *
 * Not run under valgrind: it would replace the allocator that this test replaces. */
#define _GNU_SOURCE
#include "failing_allocator.h"
#include "model.h"
#include "process.h"

#include <sys/wait.h>
#include <unistd.h>

enum { DIM = 200000, BEFORE = 4, AFTER = 3, PATIENCE = 300 };

/* Makes the `first`-th request in each of the child's steps fail, and all later ones. Returns the number of
 * failures. */
static size_t step_without_memory(model *m, size_t first)
{
    size_t failed = 0;
    real *grads = zeros(DIM);
    for (uint64_t number = BEFORE; number < BEFORE + AFTER; number++) {
        lmada_status_t status;
        fill_gradient(grads, DIM, number);
        allocator_watch(first, FAIL_EVER_AFTER);
        status = real_step(m->opt, m->params, grads, DIM);
        failed += allocator_unwatch();
        CHECK_OK(status);
    }
    free(grads);
    return failed;
}

static void in_a_child(model *m, const model *expected, size_t first)
{
    const pid_t process = fork();
    int status;
    CHECK(process >= 0);
    if (process == 0) {
        alarm(PATIENCE);
        CHECK(step_without_memory(m, first) > 0);
        CHECK(same_model(m, expected));
        free_model(m);
        _exit(0);
    }
    CHECK(waitpid(process, &status, 0) == process);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    lmada_config_t config = variant(1);
    model m, expected;
    config.threads = 4;
    m = new_model(&config, DIM);
    expected = new_model(&config, DIM);
    step_model(&m, 0, BEFORE);
    step_model(&expected, 0, BEFORE + AFTER);
    if (processors() == 1) printf("NOT CHECKED: a child without workers, on a machine of one processor\n");
    /* The requests: the pool, a worker, its thread, and two for each further worker. */
    for (size_t first = 1; first <= 1 + 2 * ((size_t)tasks() - 1); first++) {
        AT("request %zu", first);
        in_a_child(&m, &expected, first);
    }
    step_model(&m, BEFORE, AFTER);
    CHECK(same_model(&m, &expected));
    free_model(&m);
    free_model(&expected);
    return 0;
}

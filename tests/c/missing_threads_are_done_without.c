/* If the system gives the process no more threads, a handle is created nevertheless and works on fewer threads, with
 * the same bits.
 *
 * Not run under valgrind and ThreadSanitizer, which need threads themselves. */
#define _GNU_SOURCE
#include "model.h"
#include "process.h"
#include "sandbox.h"

#include <errno.h>
#include <pthread.h>

enum { DIM = 60000, STEPS = 6 };

static void *nothing(void *argument) { return argument; }

static model make(uint32_t threads)
{
    lmada_config_t config = variant(1);
    config.history_size = 12;
    config.threads = threads;
    return new_model(&config, DIM);
}

int main(void)
{
    const int cloning[] = {
        SYS_clone,
#ifdef SYS_clone3
        SYS_clone3,
#endif
    };
    const uint32_t threads[] = {2, 8, 0, UINT32_MAX};
    model early = make(4), expected = make(1);
    const int before = tasks();
    pthread_t thread;
    CHECK(processors() == 1 || before > 1);
    step_model(&expected, 0, STEPS);
    forbid(cloning, sizeof cloning / sizeof *cloning, SECCOMP_RET_ERRNO | EAGAIN);
    CHECK(pthread_create(&thread, NULL, nothing, NULL) == EAGAIN); /* otherwise the rest proves nothing */
    for (int round = 0; round < 2; round++) { /* with the workers of an earlier handle, then without */
        for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
            model m;
            AT("round %d, %u threads", round, (unsigned)threads[i]);
            m = make(threads[i]);
            step_model(&m, 0, STEPS);
            CHECK(same_model(&m, &expected));
            CHECK(tasks() <= before);
            free_model(&m);
        }
        if (round == 0) {
            step_model(&early, 0, STEPS);
            CHECK(same_model(&early, &expected));
            free_model(&early);
            wait_for_tasks(1);
        }
    }
    free_model(&expected);
    return 0;
}

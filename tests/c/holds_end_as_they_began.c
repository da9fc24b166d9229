/* A thread that holds a handle can use it. Other threads can use it after the thread has released it as often as it
 * held it, has reset it, or has ended. A child of fork() starts without holds. */
#define _POSIX_C_SOURCE 200809L
#include "model.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIM = 50, PATIENCE = 300 };

static lmada_config_t config;

/* Returns the status of a call from another thread. */
static void *look(void *opt)
{
    static lmada_status_t status;
    lmada_stats_t stats;
    status = lmada_stats(opt, &stats, sizeof stats);
    return &status;
}

static lmada_status_t seen_by_another(lmada_t *opt)
{
    pthread_t thread;
    void *status;
    CHECK(pthread_create(&thread, NULL, look, opt) == 0);
    CHECK(pthread_join(thread, &status) == 0);
    return *(lmada_status_t *)status;
}

static void the_holder_goes_on(void)
{
    model m = new_model(&config, DIM), twin = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 3);
    CHECK_OK(lmada_hold(m.opt));
    step_model(&m, 0, 3);
    CHECK_STATUS(seen_by_another(m.opt), LMADA_ERROR_BUSY);
    CHECK_OK(lmada_begin(m.opt));
    CHECK_STATUS(seen_by_another(m.opt), LMADA_ERROR_BUSY);
    CHECK_OK(real_feed(m.opt, 0, grads, DIM));
    CHECK_OK(lmada_solve(m.opt));
    CHECK_STATUS(seen_by_another(m.opt), LMADA_ERROR_BUSY);
    CHECK_OK(real_apply(m.opt, 0, m.params, grads, DIM));
    CHECK_OK(lmada_end(m.opt));
    CHECK_OK(lmada_release(m.opt));
    CHECK_OK(seen_by_another(m.opt));
    step_model(&twin, 0, 4);
    CHECK(same_model(&m, &twin));
    free(grads);
    free_model(&twin);
    free_model(&m);
}

static void holds_are_counted(void)
{
    model m = new_model(&config, DIM);
    CHECK_REFUSED(lmada_release(m.opt), LMADA_ERROR_WRONG_PHASE, "lmada_release");
    for (int i = 0; i < 3; i++) CHECK_OK(lmada_hold(m.opt));
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(seen_by_another(m.opt), LMADA_ERROR_BUSY);
        CHECK_OK(lmada_release(m.opt));
    }
    CHECK_OK(seen_by_another(m.opt));
    CHECK_REFUSED(lmada_release(m.opt), LMADA_ERROR_WRONG_PHASE, "does not hold");
    free_model(&m);
}

static void a_reset_ends_all(void)
{
    model m = new_model(&config, DIM);
    CHECK_OK(lmada_hold(m.opt));
    CHECK_OK(lmada_hold(m.opt));
    CHECK_OK(lmada_reset(m.opt));
    CHECK_OK(seen_by_another(m.opt));
    CHECK_STATUS(lmada_release(m.opt), LMADA_ERROR_WRONG_PHASE);
    free_model(&m);
}

/* Valgrind reports lost memory. */
static void the_holder_frees(void)
{
    model m = new_model(&config, DIM);
    CHECK_OK(lmada_hold(m.opt));
    free_model(&m);
}

static void *hold_twice(void *opt)
{
    CHECK_OK(lmada_hold(opt));
    CHECK_OK(lmada_hold(opt));
    return NULL;
}

static void a_thread_ends_with_its_holds(void)
{
    model m = new_model(&config, DIM);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, hold_twice, m.opt) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(lmada_release(m.opt), LMADA_ERROR_WRONG_PHASE);
    CHECK_OK(lmada_hold(m.opt));
    CHECK_STATUS(seen_by_another(m.opt), LMADA_ERROR_BUSY);
    CHECK_OK(lmada_release(m.opt));
    CHECK_OK(seen_by_another(m.opt));
    free_model(&m);
}

static void no_handle(void)
{
    CHECK_REFUSED(lmada_hold(NULL), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(lmada_release(NULL), LMADA_ERROR_NULL_POINTER, "opt");
}

/* The child has no hold, and no hold keeps it out. */
static void child_of_fork(model *m)
{
    const pid_t process = fork();
    int status;
    CHECK(process >= 0);
    if (process == 0) {
        alarm(PATIENCE);
        CHECK_STATUS(lmada_release(m->opt), LMADA_ERROR_WRONG_PHASE);
        step_model(m, 0, 1);
        CHECK_OK(lmada_hold(m->opt));
        CHECK_STATUS(seen_by_another(m->opt), LMADA_ERROR_BUSY);
        CHECK_OK(lmada_release(m->opt));
        CHECK_OK(seen_by_another(m->opt));
        free_model(m);
        _exit(0);
    }
    CHECK(waitpid(process, &status, 0) == process);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static sem_t held, go_on;

static void *hold_until_told(void *opt)
{
    CHECK_OK(lmada_hold(opt));
    CHECK(sem_post(&held) == 0);
    while (sem_wait(&go_on) != 0) continue;
    CHECK_OK(lmada_release(opt));
    return NULL;
}

static void children_begin_without_a_hold(void)
{
    model m = new_model(&config, DIM);
    pthread_t thread;
    AT("the child of the thread that holds");
    CHECK_OK(lmada_hold(m.opt));
    child_of_fork(&m);
    CHECK_STATUS(seen_by_another(m.opt), LMADA_ERROR_BUSY);
    CHECK_OK(lmada_release(m.opt));

    AT("the child of another thread");
    CHECK(sem_init(&held, 0, 0) == 0 && sem_init(&go_on, 0, 0) == 0);
    CHECK(pthread_create(&thread, NULL, hold_until_told, m.opt) == 0);
    while (sem_wait(&held) != 0) continue;
    child_of_fork(&m);
    CHECK_STATUS(lmada_hold(m.opt), LMADA_ERROR_BUSY);
    CHECK(sem_post(&go_on) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(seen_by_another(m.opt));
    free_model(&m);
}

int main(void)
{
    config = variant(2);
    the_holder_goes_on();
    holds_are_counted();
    a_reset_ends_all();
    the_holder_frees();
    a_thread_ends_with_its_holds();
    no_handle();
    children_begin_without_a_hold();
    return 0;
}

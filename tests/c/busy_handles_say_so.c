/* A call on a handle while another thread is inside a call on it, or holds it, returns LMADA_ERROR_BUSY for all
 * arguments, and changes nothing. Each function is called during long steps until it was busy. */
#define _POSIX_C_SOURCE 200809L
#include "model.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

enum { DIM = 1000000, SMALL_DIM = 150000, ATTEMPTS = 300 };

static model shared;
static real *grads;
static sem_t go, done;
static bool stop;

/* Takes a step each time the other thread asks for one. */
static void *stepper(void *nothing)
{
    for (;;) {
        lmada_status_t status;
        while (sem_wait(&go) != 0) continue;
        if (stop) return nothing;
        do status = real_step(shared.opt, shared.params, grads, shared.dim);
        while (status == LMADA_ERROR_BUSY); /* the other thread's call was inside */
        CHECK_OK(status);
        CHECK(sem_post(&done) == 0);
    }
}

/* With these arguments a call that comes after the step changes nothing; calls without arguments are undone. */
static lmada_status_t step(void) { return real_step(shared.opt, NULL, NULL, 1); }
static lmada_status_t step_of_the_other_type(void) { return other_step(shared.opt, NULL, NULL, 1); }
static lmada_status_t step_tensors(void) { return real_step_tensors(shared.opt, NULL, NULL, NULL, 0); }
static lmada_status_t direction(void) { return real_direction(shared.opt, NULL, NULL, 1); }
static lmada_status_t feed(void) { return real_feed(shared.opt, 0, NULL, 1); }
static lmada_status_t partials(void) { return lmada_partials(shared.opt, NULL, NULL); }
static lmada_status_t solve(void) { return lmada_solve(shared.opt); }
static lmada_status_t apply_direction(void) { return real_apply_direction(shared.opt, 0, NULL, NULL, 1); }
static lmada_status_t load_shares(void) { return lmada_state_load_shares(shared.opt, NULL, NULL, NULL, 1); }
static lmada_status_t apply(void) { return real_apply(shared.opt, 0, NULL, NULL, 1); }
static lmada_status_t end(void) { return lmada_end(shared.opt); }
static lmada_status_t cancel(void) { return lmada_cancel(shared.opt); }
static lmada_status_t set_lr(void) { return lmada_set_lr(shared.opt, -1); }
static lmada_status_t stats(void) { return lmada_stats(shared.opt, NULL, 0); }
static lmada_status_t state_size(void) { return lmada_state_size(shared.opt, NULL); }
static lmada_status_t state_save(void) { return lmada_state_save(shared.opt, NULL, 1); }
static lmada_status_t state_write(void) { return lmada_state_write(shared.opt, NULL, NULL); }
static lmada_status_t state_load(void) { return lmada_state_load(shared.opt, NULL, 1); }
static lmada_status_t observe(void) { return real_observe(shared.opt, NULL, 1); }
static lmada_status_t precondition(void) { return real_precondition(shared.opt, NULL, NULL, 1); }
static lmada_status_t averaged_params(void) { return real_averaged_params(shared.opt, NULL, 1); }
static lmada_status_t get_config(void) { return lmada_get_config(shared.opt, NULL, 0); }
static lmada_status_t set_config(void) { return lmada_set_config(shared.opt, NULL); }
static lmada_status_t set_grad_scale(void) { return lmada_set_grad_scale(shared.opt, -1); }
static lmada_status_t set_groups(void) { return lmada_set_groups(shared.opt, NULL, 0, 1); }
static lmada_status_t step_bf16(void) { return lmada_step_bf16(shared.opt, NULL, NULL, NULL, 1); }
static lmada_status_t feed_bf16(void) { return lmada_feed_bf16(shared.opt, 0, NULL, 1); }
static lmada_status_t apply_bf16(void) { return lmada_apply_bf16(shared.opt, 0, NULL, NULL, NULL, 1); }
static lmada_status_t release(void) { return lmada_release(shared.opt); }
static lmada_status_t reset(void) { return lmada_reset(shared.opt); }

static lmada_status_t hold(void)
{
    const lmada_status_t status = lmada_hold(shared.opt);
    if (status == LMADA_OK) CHECK_OK(lmada_release(shared.opt));
    return status;
}

static lmada_status_t begin(void)
{
    const lmada_status_t status = lmada_begin(shared.opt);
    if (status == LMADA_OK) CHECK_OK(lmada_cancel(shared.opt));
    return status;
}

static const struct {
    const char *name;
    lmada_status_t (*call)(void);
} calls[] = {
    {"step", step},           {"step of the other type", step_of_the_other_type},
    {"begin", begin},         {"step_tensors", step_tensors},
    {"feed", feed},           {"direction", direction},
    {"partials", partials},   {"solve", solve},
    {"apply", apply},         {"apply direction", apply_direction},
    {"load shares", load_shares},
    {"end", end},
    {"cancel", cancel},       {"set_lr", set_lr},
    {"stats", stats},         {"state_size", state_size},
    {"reset", reset},         {"state_save", state_save},
    {"observe", observe},     {"precondition", precondition},
    {"averaged_params", averaged_params}, {"get_config", get_config},
    {"set_config", set_config}, {"set_grad_scale", set_grad_scale},
    {"set_groups", set_groups}, {"step_bf16", step_bf16},
    {"feed_bf16", feed_bf16}, {"apply_bf16", apply_bf16},
    {"state_load", state_load}, {"state_write", state_write},
    {"hold", hold},           {"release", release},
};

/* Lets the other thread step, waits until it is or was inside the handle, and calls. */
static lmada_status_t call_during_a_step(lmada_status_t (*call)(void))
{
    const struct timespec moment = {0, 10000};
    lmada_stats_t found;
    lmada_status_t status;
    bool over = false;
    CHECK(sem_post(&go) == 0);
    while (lmada_stats(shared.opt, &found, sizeof found) != LMADA_ERROR_BUSY) {
        over = sem_trywait(&done) == 0;
        if (over) break;
        nanosleep(&moment, NULL); /* without a pause these calls would keep the other thread out */
    }
    status = call();
    if (status == LMADA_ERROR_BUSY) CHECK(strstr(lmada_last_error(), "another thread") != NULL);
    while (!over && sem_wait(&done) != 0) continue;
    return status;
}

/* Holds the handle between calls until the other thread asks it to stop. */
static void *holder(void *nothing)
{
    CHECK_OK(lmada_hold(shared.opt));
    CHECK(sem_post(&done) == 0);
    while (sem_wait(&go) != 0) continue;
    CHECK_OK(lmada_release(shared.opt));
    return nothing;
}

static void held_handles_are_busy(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, holder, NULL) == 0);
    while (sem_wait(&done) != 0) continue;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        AT("%s while held", calls[i].name);
        CHECK_REFUSED(calls[i].call(), LMADA_ERROR_BUSY, "another thread");
    }
    lmada_free(shared.opt); /* is refused too */
    CHECK(sem_post(&go) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

int main(int argc, char **argv)
{
    lmada_config_t config = base_config();
    uint64_t steps = 0;
    pthread_t thread;
    (void)argv;
    config.history_size = 8;
    config.threads = 2;
    shared = new_model(&config, argc > 1 ? SMALL_DIM : DIM);
    grads = new_gradient(shared.dim, 1);
    CHECK(sem_init(&go, 0, 0) == 0 && sem_init(&done, 0, 0) == 0);
    CHECK(pthread_create(&thread, NULL, stepper, NULL) == 0);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        lmada_status_t status;
        int attempts = 0;
        AT("%s", calls[i].name);
        do {
            CHECK(++attempts < ATTEMPTS);
            status = call_during_a_step(calls[i].call);
            steps = calls[i].call == reset && status == LMADA_OK ? 0 : steps + 1;
            CHECK(stats_of(shared.opt).steps == steps);
        } while (status != LMADA_ERROR_BUSY);
    }
    stop = true;
    CHECK(sem_post(&go) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    held_handles_are_busy();
    {
        model twin = new_model(&config, shared.dim);
        for (uint64_t i = 0; i < steps; i++) CHECK_OK(real_step(twin.opt, twin.params, grads, twin.dim));
        CHECK(same_state(shared.opt, twin.opt));
        free_model(&twin);
    }
    free(grads);
    free_model(&shared);
    return 0;
}

/* Bugs of a caller, most of which act inside the library. The sanitizers have to report them; otherwise their silence
 * about the other programs proves nothing. */
#include "model.h"

#include <limits.h>
#include <pthread.h>

enum { DIM = 1000 };

/* The gradient has one element less than `dim`. */
static void a_read_past_the_end(void)
{
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    real *grads = new_gradient(DIM - 1, 1);
    CHECK_OK(real_step(m.opt, m.params, grads, DIM));
}

/* The parameters have one element less than `dim`. */
static void a_write_past_the_end(void)
{
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    real *params = zeros(DIM - 1), *grads = new_gradient(DIM, 1);
    CHECK_OK(real_step(m.opt, params, grads, DIM));
}

static void a_use_after_free(void)
{
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    lmada_free(m.opt);
    CHECK_OK(lmada_reset(m.opt));
}

static void a_handle_lost(void)
{
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    free(m.params);
}

static real shared[DIM];

static void *step_the_shared_parameters(void *seed)
{
    const lmada_config_t config = base_config();
    real *grads = new_gradient(DIM, *(const uint64_t *)seed);
    lmada_t *opt;
    CHECK_OK(lmada_create(&config, DIM, &opt));
    CHECK_OK(real_step(opt, shared, grads, DIM));
    lmada_free(opt);
    free(grads);
    return NULL;
}

/* Two threads, each with its own handle, step the same parameters. */
static void a_race(void)
{
    uint64_t seeds[] = {1, 2};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, step_the_shared_parameters, &seeds[0]) == 0);
    step_the_shared_parameters(&seeds[1]);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void an_overflow(void)
{
    volatile int most = INT_MAX;
    most = most + 1;
}

static void an_unaligned_handle(void)
{
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    CHECK_OK(lmada_reset(one_byte_into(m.opt)));
}

static const struct {
    const char *name;
    void (*run)(void);
} bugs[] = {
    {"a_read_past_the_end", a_read_past_the_end},
    {"a_write_past_the_end", a_write_past_the_end},
    {"a_use_after_free", a_use_after_free},
    {"a_handle_lost", a_handle_lost},
    {"a_race", a_race},
    {"an_overflow", an_overflow},
    {"an_unaligned_handle", an_unaligned_handle},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof bugs / sizeof *bugs; i++) {
        if (strcmp(argv[1], bugs[i].name) == 0) bugs[i].run();
    }
    return 0;
}

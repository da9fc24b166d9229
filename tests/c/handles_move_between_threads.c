/* A handle created on one thread may step on another and be freed on a third. */
#define _POSIX_C_SOURCE 200809L
#include "model.h"

#include <pthread.h>

enum { DIM = 100000, SMALL_DIM = 3000, STEPS = 8 };

static lmada_config_t config;
static model moved;
static size_t dim;

static void *make(void *nothing)
{
    moved = new_model(&config, dim);
    return nothing;
}

static void *step(void *number)
{
    step_model(&moved, *(const uint64_t *)number, 1);
    return NULL;
}

static void *release(void *nothing)
{
    free_model(&moved);
    return nothing;
}

static void on_a_new_thread(void *(*call)(void *), void *argument)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, call, argument) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

int main(int argc, char **argv)
{
    model still;
    (void)argv;
    dim = argc > 1 ? SMALL_DIM : DIM;
    config = variant(1);
    config.threads = 3;
    still = new_model(&config, dim);
    on_a_new_thread(make, NULL);
    for (uint64_t number = 0; number < STEPS; number++) {
        on_a_new_thread(step, &number);
        step_model(&still, number, 1);
    }
    CHECK(same_model(&still, &moved));
    on_a_new_thread(release, NULL);
    free_model(&still);
    return 0;
}

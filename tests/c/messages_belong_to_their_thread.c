/* lmada_last_error returns only failures of the calling thread. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>

enum { THREADS = 8, TIMES = 2000 };

/* Each thread fails with a different number, and finds its number in the message. */
static void *fail_in_its_own_way(void *argument)
{
    const int number = *(const int *)argument;
    char expected[40];
    lmada_t *opt;
    CHECK(lmada_last_error()[0] == 0);
    CHECK_OK(lmada_create(NULL, 3, &opt));
    snprintf(expected, sizeof expected, "lr is -%d.0:", number);
    for (int i = 0; i < TIMES; i++) {
        CHECK_REFUSED(lmada_set_lr(opt, -number), LMADA_ERROR_INVALID_ARGUMENT, expected);
        CHECK_OK(lmada_set_lr(opt, number));
        CHECK(strstr(lmada_last_error(), expected) == lmada_last_error());
    }
    lmada_free(opt);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    lmada_t *opt;
    CHECK_REFUSED(lmada_create(NULL, 0, &opt), LMADA_ERROR_INVALID_ARGUMENT, "dim is 0");
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i + 1;
        CHECK(pthread_create(&threads[i], NULL, fail_in_its_own_way, &numbers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(strstr(lmada_last_error(), "dim is 0") == lmada_last_error());
    return 0;
}

/* The thread-local storage of a program is in the stack of each of its threads. Handles get their workers for any size
 * of it. */
#define _GNU_SOURCE
#include "model.h"
#include "process.h"

enum { DIM = 60000, STEPS = 5, BYTES = 5 << 20 };

static __thread volatile unsigned char storage[BYTES];

int main(void)
{
    const uint32_t threads[] = {2, 4, 0};
    lmada_config_t config = variant(1);
    model expected;
    config.history_size = 12;
    expected = new_model(&config, DIM);
    step_model(&expected, 0, STEPS);
    for (size_t i = 0; i < BYTES; i += 1000) storage[i] = 1;
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        model m;
        AT("%u threads", (unsigned)threads[i]);
        config.threads = threads[i];
        m = new_model(&config, DIM);
        CHECK(processors() == 1 || tasks() > 1);
        step_model(&m, 0, STEPS);
        CHECK(same_model(&m, &expected));
        free_model(&m);
    }
    free_model(&expected);
    for (size_t i = 0; i < BYTES; i += 1000) CHECK(storage[i] == 1);
    return 0;
}

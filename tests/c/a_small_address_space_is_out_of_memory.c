/* If the system itself has no more memory, create returns LMADA_ERROR_OUT_OF_MEMORY, and existing handles keep working.
 *
 * Not run under valgrind: its own memory would count. */
#define _POSIX_C_SOURCE 200809L
#include "model.h"

#include <sys/resource.h>

enum { MEGABYTES = 64 };

/* Returns the bytes of address space that the process uses. */
static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return pages * 4096;
}

int main(void)
{
    const size_t dim = (size_t)MEGABYTES << 20;
    lmada_config_t config = base_config();
    struct rlimit limit, old;
    model before = new_model(&config, 5000), after;
    lmada_t *out;
    step_model(&before, 0, 3);
    CHECK(getrlimit(RLIMIT_AS, &old) == 0);
    limit = old;
    limit.rlim_cur = address_space() + dim;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    for (int times = 0; times < 20; times++) {
        out = before.opt;
        CHECK_REFUSED(lmada_create(&config, dim, &out), LMADA_ERROR_OUT_OF_MEMORY, "out of memory");
        CHECK(out == NULL);
    }
    after = new_model(&config, 5000);
    step_model(&after, 0, 3);
    CHECK(same_model(&before, &after));
    step_model(&before, 3, 12);
    step_model(&after, 3, 12);
    CHECK(same_model(&before, &after));
    free_model(&after);
    CHECK(setrlimit(RLIMIT_AS, &old) == 0);
    CHECK_OK(lmada_create(&config, dim, &out));
    lmada_free(out);
    free_model(&before);
    return 0;
}

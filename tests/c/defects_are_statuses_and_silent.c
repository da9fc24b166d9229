/* A defect of the library inside a call gives LMADA_ERROR_INTERNAL. Nothing is printed, the process lives, the handle
 * returns the status until lmada_reset, and is as new after it.
 *
 * No defect is known, so the test makes one: it raises the number of gradients in the memory of the handle, wherever it
 * is stored as a size_t. Then a slice ends beyond its array, and Rust panics.
 *
 * Not run under valgrind: the search reads uninitialised memory. */
#define _GNU_SOURCE /* malloc_usable_size */
#include "model.h"

#include <malloc.h>
#include <unistd.h>

enum { SMALL_DIM = 30, LARGE_DIM = 30001, KEPT = 239, FAR_TOO_MANY = 1000003, STEPS = 3 };

/* Raises the number, or restores it. Returns the number of places changed. */
static int damage(lmada_t *opt, size_t from, size_t to)
{
    unsigned char *bytes = (unsigned char *)opt;
    const size_t size = malloc_usable_size(opt) / sizeof(size_t);
    int places = 0;
    for (size_t i = 0; i < size; i++) {
        size_t value;
        memcpy(&value, bytes + i * sizeof value, sizeof value);
        if (value != from) continue;
        memcpy(bytes + i * sizeof value, &to, sizeof value);
        places++;
    }
    return places;
}

static void a_defect_is_a_status(size_t dim, uint32_t threads)
{
    lmada_config_t config = base_config();
    model m, fresh;
    real *grads = new_gradient(dim, 7);
    lmada_stats_t stats;
    AT("dim %zu, %u threads", dim, threads);
    config.history_size = KEPT;
    config.threads = threads;
    m = new_model(&config, dim);
    step_model(&m, 0, STEPS);

    CHECK(damage(m.opt, KEPT, FAR_TOO_MANY) >= 1);
    CHECK_REFUSED(real_step(m.opt, m.params, grads, dim), LMADA_ERROR_INTERNAL, "internal error");
    CHECK(damage(m.opt, FAR_TOO_MANY, KEPT) >= 1);

    CHECK_REFUSED(real_step(m.opt, m.params, grads, dim), LMADA_ERROR_INTERNAL, "lmada_reset");
    CHECK_REFUSED(lmada_stats(m.opt, &stats, sizeof stats), LMADA_ERROR_INTERNAL, "lmada_reset");
    CHECK_OK(lmada_reset(m.opt));
    fresh = new_model(&config, dim);
    memcpy(fresh.params, m.params, dim * sizeof(real));
    step_model(&m, 0, STEPS);
    step_model(&fresh, 0, STEPS);
    CHECK(same_model(&m, &fresh));

    /* A handle with a defect can be freed. */
    CHECK(damage(m.opt, KEPT, FAR_TOO_MANY) >= 1);
    CHECK_STATUS(real_step(m.opt, m.params, grads, dim), LMADA_ERROR_INTERNAL);
    CHECK(damage(m.opt, FAR_TOO_MANY, KEPT) >= 1);
    free_model(&m);
    free_model(&fresh);
    free(grads);
}

int main(void)
{
    FILE *file = tmpfile();
    const int out = dup(1), err = dup(2);
    CHECK(file && out >= 0 && err >= 0);
    check_output = fdopen(err, "w");
    CHECK(check_output);
    CHECK(dup2(fileno(file), 1) == 1 && dup2(fileno(file), 2) == 2);
    a_defect_is_a_status(SMALL_DIM, 1);
    a_defect_is_a_status(LARGE_DIM, 1);
    a_defect_is_a_status(LARGE_DIM, 2); /* one panic is on a worker thread */
    CHECK(write(2, "x", 1) == 1);       /* printed text would be found */
    CHECK(dup2(out, 1) == 1 && dup2(err, 2) == 2);
    check_row[0] = 0;
    CHECK(lseek(fileno(file), 0, SEEK_END) == 1);
    fclose(file);
    close(out);
    fclose(check_output);
    return 0;
}

/* Arrays belong to the caller. Gradients, lengths, lists and states are only read: here they are in read-only memory.
 * After a call its arrays are not used: here they are unmapped. */
#define _GNU_SOURCE
#include "model.h"

#include <sys/mman.h>
#include <unistd.h>

enum { DIM = 70000, CUT = 30001, STEPS = 5 };

/* Memory in separate pages, which can be made read-only and unmapped. */
static void *pages(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

static void *read_only(const void *from, size_t bytes)
{
    void *memory = pages(bytes);
    memcpy(memory, from, bytes);
    CHECK(mprotect(memory, bytes, PROT_READ) == 0);
    return memory;
}

static void gone(void *memory, size_t bytes) { CHECK(munmap(memory, bytes) == 0); }

/* Takes a step with arrays in pages that are unmapped after each call. The parameters are copied back to `m`. */
static void step_with_passing_arrays(model *m, uint64_t number)
{
    const size_t bytes = DIM * sizeof(real), lens[] = {CUT, 0, DIM - CUT};
    real *plain = new_gradient(DIM, number), *params = pages(bytes), *grads = read_only(plain, bytes);
    memcpy(params, m->params, bytes);
    if (number % 2 == 0) {
        real *const targets[] = {params, NULL, params + CUT};
        const real *const sources[] = {grads, NULL, grads + CUT};
        void *list = read_only(targets, sizeof targets), *other = read_only(sources, sizeof sources);
        void *lengths = read_only(lens, sizeof lens);
        CHECK_OK(real_step_tensors(m->opt, list, other, lengths, 3));
        gone(list, sizeof targets);
        gone(other, sizeof sources);
        gone(lengths, sizeof lens);
    } else {
        CHECK_OK(lmada_begin(m->opt));
        CHECK_OK(real_feed(m->opt, CUT, grads + CUT, DIM - CUT)); /* cuts groups of the format */
        gone(grads, bytes);
        grads = read_only(plain, bytes);
        CHECK_OK(real_feed(m->opt, 0, grads, CUT));
        gone(grads, bytes);
        CHECK_OK(lmada_solve(m->opt));
        grads = read_only(plain, bytes);
        CHECK_OK(real_apply(m->opt, 0, params, grads, DIM));
        CHECK_OK(lmada_end(m->opt));
    }
    memcpy(m->params, params, bytes);
    gone(params, bytes);
    gone(grads, bytes);
    free(plain);
}

static void nothing_is_kept(int number)
{
    const size_t dims[] = {DIM / 3, DIM - DIM / 3};
    lmada_config_t config = variant(number), *passing;
    model m = {NULL, zeros(DIM), DIM}, twin = {NULL, zeros(DIM), DIM};
    void *lengths = read_only(dims, sizeof dims), *state;
    unsigned char *saved;
    size_t bytes;
    AT("variant %d", number);
    config.threads = 2;
    passing = read_only(&config, sizeof config);
    CHECK_OK(lmada_create_blocks(passing, lengths, 2, &m.opt));
    gone(passing, sizeof config);
    gone(lengths, sizeof dims);
    CHECK_OK(lmada_create_blocks(&config, dims, 2, &twin.opt));
    for (uint64_t step = 0; step < STEPS; step++) step_with_passing_arrays(&m, step);
    saved = saved_state(m.opt, &bytes);
    state = read_only(saved, bytes);
    CHECK_OK(lmada_state_load(twin.opt, state, bytes));
    gone(state, bytes);
    memcpy(twin.params, m.params, DIM * sizeof(real));
    step_model(&m, STEPS, 2);
    step_model(&twin, STEPS, 2);
    CHECK(same_model(&m, &twin));
    free(saved);
    free_model(&m);
    free_model(&twin);
}

int main(int argc, char **argv)
{
    (void)argv;
    EACH_VARIANT(number, argc > 1) nothing_is_kept(number);
    return 0;
}

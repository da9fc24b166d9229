/* With any division of the parameters into tensors, the step has the bits of a step over one array. */
#include "model.h"

enum { STEPS = 7, MOST = 1000 };

/* Copies the parameters into separate tensors of the given lengths, steps there, and copies them back. */
static void step_tensors(model *m, uint64_t number, const size_t *lens, size_t count)
{
    real *gradient = new_gradient(m->dim, number), *params[MOST] = {NULL}, *grads[MOST] = {NULL};
    const real *const_grads[MOST] = {NULL};
    size_t start = 0;
    for (size_t i = 0; i < count; i++) {
        if (lens[i]) {
            params[i] = zeros(lens[i]);
            grads[i] = zeros(lens[i]);
            memcpy(params[i], m->params + start, lens[i] * sizeof(real));
            memcpy(grads[i], gradient + start, lens[i] * sizeof(real));
        }
        const_grads[i] = grads[i];
        start += lens[i];
    }
    CHECK(start == m->dim);
    CHECK_OK(real_step_tensors(m->opt, params, const_grads, lens, count));
    start = 0;
    for (size_t i = 0; i < count; i++) {
        if (lens[i]) {
            CHECK(same_reals(grads[i], gradient + start, lens[i]));
            memcpy(m->params + start, params[i], lens[i] * sizeof(real));
        }
        free(params[i]);
        free(grads[i]);
        start += lens[i];
    }
    free(gradient);
}

static void compare(int number, const size_t *lens, size_t count)
{
    const lmada_config_t config = variant(number);
    size_t dim = 0;
    model one, tensors;
    for (size_t i = 0; i < count; i++) dim += lens[i];
    AT("variant %d, %zu tensors, dim %zu", number, count, dim);
    for (int blocks = 0; blocks < 2; blocks++) {
        one = blocks ? new_blocks_model(&config, dim) : new_model(&config, dim);
        tensors = blocks ? new_blocks_model(&config, dim) : new_model(&config, dim);
        leave_zero(&one);
        leave_zero(&tensors);
        for (uint64_t step = 0; step < STEPS; step++) {
            step_model(&one, step, 1);
            step_tensors(&tensors, step, lens, count);
            CHECK(same_model(&one, &tensors));
        }
        free_model(&one);
        free_model(&tensors);
    }
}

/* Gradients are only read: several tensors may share one, as tied weights do. */
static void gradients_may_share_memory(void)
{
    const lmada_config_t config = base_config();
    const size_t lens[] = {4, 4, 4};
    model one = new_model(&config, 12), tied = new_model(&config, 12);
    real *shared = new_gradient(6, 3), *whole = zeros(12), *params[3];
    const real *grads[3];
    for (int i = 0; i < 3; i++) {
        params[i] = tied.params + 4 * i;
        grads[i] = i < 2 ? shared : shared + 2; /* the same twice, and half of it again */
        memcpy(whole + 4 * i, grads[i], 4 * sizeof(real));
    }
    CHECK_OK(real_step_tensors(tied.opt, params, grads, lens, 3));
    CHECK_OK(real_step(one.opt, one.params, whole, 12));
    CHECK(same_model(&one, &tied));
    free(shared);
    free(whole);
    free_model(&one);
    free_model(&tied);
}

int main(int argc, char **argv)
{
    const bool reduced = argc > 1;
    const size_t one[] = {1}, few[] = {1, 0, 5, 0, 0, 30, 4}, empty_ends[] = {0, 9, 0};
    const size_t large[] = {1000, 1, 24, 0, 7000, 167, 5000, 8192, 3}; /* across the library's tiles */
    size_t single[MOST];
    (void)argv;
    for (size_t i = 0; i < MOST; i++) single[i] = i % 7 != 3;
    EACH_VARIANT (number, reduced) {
        compare(number, one, 1);
        compare(number, few, sizeof few / sizeof *few);
        compare(number, empty_ends, 3);
        compare(number, large, sizeof large / sizeof *large);
        compare(number, single, MOST);
    }
    gradients_may_share_memory();
    return 0;
}

/* Pieces that are NULL, not aligned, of the other type, out of range, overlapping, or in the memory of the gradient are
 * refused, and nothing changes: the step ends with the bits of its twin. */
#include "model.h"

enum { DIM = 12, PAST = 5, FUTURE = 6 };

/* Feeds a piece that is refused. Its `len` elements exist. */
typedef struct {
    size_t offset, len;
} piece;

static const piece out_of_range[] = {
    {0, DIM + 1},     {1, DIM},      {DIM, 1},      {DIM + 1, 0},     {DIM + 1, 1},
    {SIZE_MAX, 0},    {SIZE_MAX, 1}, {SIZE_MAX, 2}, {SIZE_MAX - 1, 2}, {SIZE_MAX - 3, DIM},
};
/* After [4, 8) was fed. */
static const piece overlapping[] = {{4, 4}, {4, 1}, {7, 1}, {5, 2}, {3, 2}, {7, 2}, {0, DIM}, {3, 6}};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void feed_badly(model *m, const real *grads, const real *bad)
{
    const other none[DIM] = {0};
    const real *unaligned = (const real *)(const void *)((const unsigned char *)bad + 1);
    CHECK_REFUSED(real_feed(NULL, 0, grads, 1), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(real_feed(m->opt, 0, NULL, 1), LMADA_ERROR_NULL_POINTER, "grads");
    CHECK_REFUSED(real_feed(m->opt, DIM, NULL, 1), LMADA_ERROR_NULL_POINTER, "grads");
    CHECK_REFUSED(real_feed(m->opt, 0, unaligned, 1), LMADA_ERROR_INVALID_ARGUMENT, "grads");
    CHECK_REFUSED(real_feed(m->opt, 0, bad, SIZE_MAX), LMADA_ERROR_INVALID_ARGUMENT, "grads");
    CHECK_REFUSED(other_feed(m->opt, 0, none, 1), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    for (size_t i = 0; i < COUNT(out_of_range); i++) {
        const piece p = out_of_range[i];
        AT("feed [%zu, + %zu)", p.offset, p.len);
        CHECK_REFUSED(real_feed(m->opt, p.offset, bad, p.len), LMADA_ERROR_INVALID_ARGUMENT, "offset");
    }
    CHECK_OK(real_feed(m->opt, 4, grads + 4, 4));
    for (size_t i = 0; i < COUNT(overlapping); i++) {
        const piece p = overlapping[i];
        char words[40];
        AT("feed [%zu, + %zu)", p.offset, p.len);
        snprintf(words, sizeof words, "offset is [%zu, %zu):", p.offset, p.offset + p.len);
        CHECK_REFUSED(real_feed(m->opt, p.offset, bad, p.len), LMADA_ERROR_INVALID_ARGUMENT, words);
    }
    CHECK_OK(real_feed(m->opt, 5, NULL, 0)); /* an empty piece overlaps nothing */
    CHECK_OK(real_feed(m->opt, DIM, NULL, 0));
    CHECK_STATUS(lmada_solve(m->opt), LMADA_ERROR_WRONG_PHASE);
    CHECK_OK(real_feed(m->opt, 8, grads + 8, 4));
    CHECK_OK(real_feed(m->opt, 0, grads, 4));
}

static void apply_badly(model *m, const real *grads, const real *bad)
{
    const other none[DIM] = {0};
    other no_params[DIM] = {0};
    real *const params = m->params, shared[DIM + 1] = {0};
    real *unaligned = (real *)(void *)((unsigned char *)shared + 1);
    CHECK_REFUSED(real_apply(NULL, 0, params, grads, 1), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(real_apply(m->opt, 0, NULL, grads, 1), LMADA_ERROR_NULL_POINTER, "params");
    CHECK_REFUSED(real_apply(m->opt, 0, params, NULL, 1), LMADA_ERROR_NULL_POINTER, "grads");
    CHECK_REFUSED(real_apply(m->opt, 0, unaligned, grads, 1), LMADA_ERROR_INVALID_ARGUMENT, "params");
    CHECK_REFUSED(real_apply(m->opt, 0, params, unaligned, 1), LMADA_ERROR_INVALID_ARGUMENT, "grads");
    CHECK_REFUSED(real_apply(m->opt, 0, shared, shared, DIM), LMADA_ERROR_INVALID_ARGUMENT, "params");
    CHECK_REFUSED(real_apply(m->opt, 0, shared, shared + 1, DIM), LMADA_ERROR_INVALID_ARGUMENT, "params");
    CHECK_REFUSED(real_apply(m->opt, 0, shared + 1, shared, DIM), LMADA_ERROR_INVALID_ARGUMENT, "params");
    CHECK_REFUSED(real_apply(m->opt, 0, params, bad, SIZE_MAX), LMADA_ERROR_INVALID_ARGUMENT, "params");
    CHECK_REFUSED(other_apply(m->opt, 0, no_params, none, 1), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    for (size_t i = 0; i < COUNT(out_of_range); i++) {
        const piece p = out_of_range[i];
        AT("apply [%zu, + %zu)", p.offset, p.len);
        CHECK_REFUSED(real_apply(m->opt, p.offset, shared, bad, p.len), LMADA_ERROR_INVALID_ARGUMENT, "offset");
    }
    CHECK_OK(real_apply(m->opt, 4, params + 4, grads + 4, 4));
    for (size_t i = 0; i < COUNT(overlapping); i++) {
        const piece p = overlapping[i];
        AT("apply [%zu, + %zu)", p.offset, p.len);
        CHECK_REFUSED(real_apply(m->opt, p.offset, shared, bad, p.len), LMADA_ERROR_INVALID_ARGUMENT, "offset");
    }
    for (size_t i = 0; i < COUNT(shared); i++) CHECK(shared[i] == 0);
    CHECK_OK(real_apply(m->opt, 5, NULL, NULL, 0));
    CHECK_STATUS(lmada_end(m->opt), LMADA_ERROR_WRONG_PHASE);
    CHECK_OK(real_apply(m->opt, 8, params + 8, grads + 8, 4));
    CHECK_OK(real_apply(m->opt, 0, params, grads, 4));
}

static void outputs_of_partials_are_checked(model *m)
{
    double *values = (double *)m, *pointers[2] = {values, values};
    size_t count = 77, counts[2] = {77, 77};
    CHECK_REFUSED(lmada_partials(NULL, &values, &count), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(lmada_partials(m->opt, NULL, &count), LMADA_ERROR_NULL_POINTER, "values");
    CHECK_REFUSED(lmada_partials(m->opt, &values, NULL), LMADA_ERROR_NULL_POINTER, "count");
    CHECK_REFUSED(lmada_partials(m->opt, one_byte_into(pointers), &count), LMADA_ERROR_INVALID_ARGUMENT, "values is ");
    CHECK_REFUSED(lmada_partials(m->opt, &values, one_byte_into(counts)), LMADA_ERROR_INVALID_ARGUMENT, "count is ");
    CHECK(values == (double *)m && count == 77);
    CHECK(pointers[0] == values && pointers[1] == values && counts[0] == 77 && counts[1] == 77);
}

static void handles_are_checked(void)
{
    CHECK_REFUSED(lmada_begin(NULL), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(lmada_solve(NULL), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(lmada_end(NULL), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(lmada_cancel(NULL), LMADA_ERROR_NULL_POINTER, "opt");
}

static void the_step_goes_on_as_its_twin(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM), twin = new_model(&config, DIM);
    real *grads = new_gradient(DIM, PAST), *bad = new_gradient(DIM + 1, 50);
    step_model(&m, 0, PAST);
    step_model(&twin, 0, PAST);
    CHECK_OK(lmada_begin(m.opt));
    feed_badly(&m, grads, bad);
    outputs_of_partials_are_checked(&m);
    CHECK_OK(lmada_solve(m.opt));
    apply_badly(&m, grads, bad);
    CHECK_OK(lmada_end(m.opt));

    CHECK_OK(lmada_begin(twin.opt));
    CHECK_OK(real_feed(twin.opt, 4, grads + 4, 4));
    CHECK_OK(real_feed(twin.opt, 8, grads + 8, 4));
    CHECK_OK(real_feed(twin.opt, 0, grads, 4));
    CHECK_OK(lmada_solve(twin.opt));
    CHECK_OK(real_apply(twin.opt, 0, twin.params, grads, DIM));
    CHECK_OK(lmada_end(twin.opt));
    CHECK(same_model(&m, &twin));
    step_model(&m, PAST + 1, FUTURE);
    step_model(&twin, PAST + 1, FUTURE);
    CHECK(same_model(&m, &twin));
    free(grads);
    free(bad);
    free_model(&m);
    free_model(&twin);
}

int main(void)
{
    handles_are_checked();
    for (int number = 0; number < VARIANTS; number++) the_step_goes_on_as_its_twin(number);
    return 0;
}

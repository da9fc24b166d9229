/* A refused lmada_step leaves parameters, state and later steps as those of a twin without that call, bit for bit, for
 * every reason of refusal. */
#include "twins.h"

#include <float.h>
#include <math.h>

static void handle_is_null(model *m)
{
    real *grads = new_gradient(m->dim, 99);
    CHECK_REFUSED(real_step(NULL, m->params, grads, m->dim), LMADA_ERROR_NULL_POINTER, "opt");
    free(grads);
}

static void params_are_null(model *m)
{
    real *grads = new_gradient(m->dim, 99);
    CHECK_REFUSED(real_step(m->opt, NULL, grads, m->dim), LMADA_ERROR_NULL_POINTER, "params");
    free(grads);
}

static void grads_are_null(model *m)
{
    CHECK_REFUSED(real_step(m->opt, m->params, NULL, m->dim), LMADA_ERROR_NULL_POINTER, "grads");
}

static void length_is_wrong(model *m)
{
    const size_t dims[] = {0, 1, m->dim - 1, m->dim + 1, SIZE_MAX, SIZE_MAX / sizeof(real) + 1 + m->dim};
    real *grads = new_gradient(m->dim, 99);
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        char words[40];
        snprintf(words, sizeof words, "dim is %zu:", dims[i]);
        CHECK_REFUSED(real_step(m->opt, m->params, grads, dims[i]), LMADA_ERROR_DIMENSION_MISMATCH, words);
    }
    CHECK_STATUS(real_step(m->opt, NULL, NULL, 0), LMADA_ERROR_DIMENSION_MISMATCH);
    free(grads);
}

/* The gradient starts `shift` elements after the parameters, or before them. */
static void check_overlap(model *m, size_t params_at, size_t grads_at)
{
    const size_t bytes = 2 * m->dim * sizeof(real);
    real *room = new_gradient(2 * m->dim, 98), *before = check_alloc(bytes);
    memcpy(before, room, bytes);
    CHECK_REFUSED(real_step(m->opt, room + params_at, room + grads_at, m->dim), LMADA_ERROR_INVALID_ARGUMENT,
                  "params");
    CHECK(memcmp(before, room, bytes) == 0);
    free(before);
    free(room);
}

static void params_are_grads(model *m) { check_overlap(m, 0, 0); }
static void params_overlap_the_start_of_grads(model *m) { check_overlap(m, 0, m->dim - 1); }
static void params_overlap_the_end_of_grads(model *m) { check_overlap(m, m->dim - 1, 0); }
static void params_overlap_most_of_grads(model *m) { check_overlap(m, 1, 0); }

static void pointers_are_unaligned(model *m)
{
    real *room = zeros(2 * m->dim), *grads = new_gradient(m->dim, 99);
    real *unaligned = (real *)(void *)((unsigned char *)room + 1);
    CHECK_REFUSED(real_step(m->opt, unaligned, grads, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "params");
    CHECK_REFUSED(real_step(m->opt, m->params, unaligned, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "grads");
    for (size_t i = 0; i < 2 * m->dim; i++) CHECK(room[i] == 0);
    free(room);
    free(grads);
}

static void element_type_is_the_other(model *m)
{
    other params[TWIN_DIM] = {0}, grads[TWIN_DIM] = {1, 2, 3};
    CHECK_REFUSED(other_step(m->opt, params, grads, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    for (size_t i = 0; i < m->dim; i++) CHECK(params[i] == 0);
}

static void check_not_finite(model *m, size_t place, double value)
{
    real *grads = new_gradient(m->dim, 99);
    char words[80];
    grads[place] = (real)value;
    snprintf(words, sizeof words, "grads has 1 NaN or infinite value, element %zu;", place);
    CHECK_REFUSED(real_step(m->opt, m->params, grads, m->dim), LMADA_ERROR_NON_FINITE, words);
    free(grads);
}

static void gradient_has_a_nan(model *m)
{
    for (size_t place = 0; place < m->dim; place++) check_not_finite(m, place, (double)NAN);
}

static void gradient_has_an_infinity(model *m)
{
    for (size_t place = 0; place < m->dim; place++) {
        check_not_finite(m, place, (double)INFINITY);
        check_not_finite(m, place, -(double)INFINITY);
    }
}

static void gradient_has_nothing_else(model *m)
{
    real *grads = zeros(m->dim);
    char message[64];
    for (size_t i = 0; i < m->dim; i++) grads[i] = (real)(i % 2 ? NAN : -INFINITY);
    snprintf(message, sizeof message, "grads has %zu NaN or infinite values, the first at element 0;", m->dim); /* in any block */
    CHECK_REFUSED(real_step(m->opt, m->params, grads, m->dim), LMADA_ERROR_NON_FINITE, message);
    free(grads);
}

/* The step would be longer than half the largest number of the type. */
static void step_overflows(model *m)
{
    const lmada_status_t status = lmada_set_lr(m->opt, DBL_MAX);
    real *grads;
    if (status == LMADA_ERROR_INVALID_ARGUMENT) return; /* with weight decay such a learning rate is refused */
    CHECK_OK(status);
    grads = new_gradient(m->dim, 99);
    for (size_t i = 0; i < m->dim; i++) grads[i] *= (real)1e20; /* |u| is nearly 1, after any past */
    CHECK_REFUSED(real_step(m->opt, m->params, grads, m->dim), LMADA_ERROR_NON_FINITE, "");
    CHECK(strlen(lmada_last_error()) > 0);
    CHECK_OK(lmada_set_lr(m->opt, 1e-2));
    free(grads);
}

#ifdef TEST_F64
/* The squared norm overflows a double: C would not be finite. */
static void squared_norm_overflows(model *m)
{
    real *grads = new_gradient(m->dim, 99);
    for (size_t i = 0; i < m->dim; i++) grads[i] *= 1e300;
    CHECK_STATUS(real_step(m->opt, m->params, grads, m->dim), LMADA_ERROR_NON_FINITE);
    free(grads);
}
#endif

/* The other side of the overlap checks: arrays that touch are accepted. */
static void arrays_side_by_side_are_fine(void)
{
    for (int grads_first = 0; grads_first < 2; grads_first++) {
        model apart = new_twin(0, false), touching = new_twin(0, false);
        real *room = zeros(2 * TWIN_DIM), *own = touching.params;
        touching.params = room + (grads_first ? TWIN_DIM : 0);
        memcpy(touching.params, own, TWIN_DIM * sizeof(real));
        for (uint64_t number = 0; number < 5; number++) {
            real *grads = room + (grads_first ? 0 : TWIN_DIM);
            fill_gradient(grads, TWIN_DIM, number);
            CHECK_OK(real_step(touching.opt, touching.params, grads, TWIN_DIM));
        }
        step_model(&apart, 0, 5);
        CHECK(same_model(&apart, &touching));
        touching.params = own;
        free(room);
        free_model(&apart);
        free_model(&touching);
    }
}

#define REFUSAL(name) {#name, name}

int main(void)
{
    const refusal refusals[] = {
        REFUSAL(handle_is_null),
        REFUSAL(params_are_null),
        REFUSAL(grads_are_null),
        REFUSAL(length_is_wrong),
        REFUSAL(params_are_grads),
        REFUSAL(params_overlap_the_start_of_grads),
        REFUSAL(params_overlap_the_end_of_grads),
        REFUSAL(params_overlap_most_of_grads),
        REFUSAL(pointers_are_unaligned),
        REFUSAL(element_type_is_the_other),
        REFUSAL(gradient_has_a_nan),
        REFUSAL(gradient_has_an_infinity),
        REFUSAL(gradient_has_nothing_else),
#ifdef TEST_F64
        REFUSAL(squared_norm_overflows),
#else
        REFUSAL(step_overflows),
#endif
    };
    const refusal overflow = REFUSAL(step_overflows);
    all_leave_no_trace(refusals, sizeof refusals / sizeof *refusals);
    leaves_no_trace(&overflow, 0, false, TWIN_PAST); /* for double only an update of norm 1 is too long */
    leaves_no_trace(&overflow, 0, true, TWIN_PAST);
    arrays_side_by_side_are_fine();
    return 0;
}

/* A refused lmada_direction changes neither its output nor the state nor the later steps, for every reason of
 * refusal. */
#include "twins.h"

#include <float.h>
#include <math.h>

/* Checks a call that is refused with `status` and writes nothing to the direction. */
static void check_refused(model *m, const real *grads, size_t dim, lmada_status_t status, const char *words)
{
    real *direction = new_gradient(m->dim, 50), *before = new_gradient(m->dim, 50);
    CHECK_REFUSED(real_direction(m->opt, direction, grads, dim), status, words);
    CHECK(same_reals(direction, before, m->dim));
    free(direction);
    free(before);
}

static void pointers_are_null(model *m)
{
    real *grads = new_gradient(m->dim, 99);
    CHECK_REFUSED(real_direction(NULL, m->params, grads, m->dim), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(real_direction(m->opt, NULL, grads, m->dim), LMADA_ERROR_NULL_POINTER, "direction");
    check_refused(m, NULL, m->dim, LMADA_ERROR_NULL_POINTER, "grads");
    free(grads);
}

static void length_is_wrong(model *m)
{
    real *grads = new_gradient(m->dim, 99);
    check_refused(m, grads, 0, LMADA_ERROR_DIMENSION_MISMATCH, "dim is 0:");
    check_refused(m, grads, m->dim - 1, LMADA_ERROR_DIMENSION_MISMATCH, "dim is 11:");
    check_refused(m, grads, m->dim + 1, LMADA_ERROR_DIMENSION_MISMATCH, "dim is 13:");
    check_refused(m, grads, SIZE_MAX, LMADA_ERROR_DIMENSION_MISMATCH, "dim is 18446744073709551615:");
    free(grads);
}

static void direction_overlaps_grads(model *m)
{
    const size_t offsets[] = {0, 1, m->dim - 1};
    real *room = new_gradient(2 * m->dim, 98), *before = new_gradient(2 * m->dim, 98);
    for (int i = 0; i < 3; i++) {
        real *shifted = room + offsets[i];
        CHECK_REFUSED(real_direction(m->opt, room, shifted, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "direction");
        CHECK_REFUSED(real_direction(m->opt, shifted, room, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "direction");
        CHECK(same_reals(room, before, 2 * m->dim));
    }
    free(room);
    free(before);
}

static void pointers_are_unaligned(model *m)
{
    real *room = zeros(2 * m->dim), *grads = new_gradient(m->dim, 99);
    real *unaligned = (real *)(void *)((unsigned char *)room + 2);
    CHECK_REFUSED(real_direction(m->opt, unaligned, grads, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "direction");
    check_refused(m, unaligned, m->dim, LMADA_ERROR_INVALID_ARGUMENT, "grads");
    free(room);
    free(grads);
}

static void element_type_is_the_other(model *m)
{
    other direction[TWIN_DIM] = {0}, grads[TWIN_DIM] = {1, 2, 3};
    CHECK_REFUSED(other_direction(m->opt, direction, grads, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    for (size_t i = 0; i < m->dim; i++) CHECK(direction[i] == 0);
}

static void gradient_is_not_finite(model *m)
{
    const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    for (int i = 0; i < 3; i++) {
        for (size_t place = 0; place < m->dim; place++) {
            real *grads = new_gradient(m->dim, 99);
            grads[place] = (real)values[i];
            check_refused(m, grads, m->dim, LMADA_ERROR_NON_FINITE, "grads");
            free(grads);
        }
    }
}

#define REFUSAL(name) {#name, name}

int main(void)
{
    const refusal refusals[] = {
        REFUSAL(pointers_are_null),      REFUSAL(length_is_wrong),           REFUSAL(direction_overlaps_grads),
        REFUSAL(pointers_are_unaligned), REFUSAL(element_type_is_the_other), REFUSAL(gradient_is_not_finite),
    };
    all_leave_no_trace(refusals, sizeof refusals / sizeof *refusals);
    return 0;
}

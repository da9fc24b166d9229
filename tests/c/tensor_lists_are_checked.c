/* A refused lmada_step_tensors leaves no trace, for every reason of refusal. The message names the tensor at fault. */
#include "twins.h"

#include <float.h>
#include <math.h>

enum { TENSORS = 4 };

/* Tensors of two, no, seven and three elements. */
static const size_t shape[TENSORS] = {2, 0, 7, 3};

/* A correct list, which a test changes in one place. */
typedef struct {
    real *params[TENSORS];
    const real *grads[TENSORS];
    size_t lens[TENSORS];
    real *gradient;
} list;

static list new_list(const model *m)
{
    list l;
    size_t start = 0;
    l.gradient = new_gradient(m->dim, 99);
    for (int i = 0; i < TENSORS; i++) {
        l.lens[i] = shape[i];
        l.params[i] = shape[i] ? m->params + start : NULL;
        l.grads[i] = shape[i] ? l.gradient + start : NULL;
        start += shape[i];
    }
    return l;
}

/* Checks that the list is refused, and frees it. */
static void refuse(model *m, list *l, size_t count, lmada_status_t status, const char *words)
{
    CHECK_REFUSED(real_step_tensors(m->opt, l->params, l->grads, l->lens, count), status, words);
    free(l->gradient);
}

static void handle_is_null(model *m)
{
    list l = new_list(m);
    CHECK_REFUSED(real_step_tensors(NULL, l.params, l.grads, l.lens, TENSORS), LMADA_ERROR_NULL_POINTER, "opt");
    free(l.gradient);
}

static void arrays_are_null(model *m)
{
    list l = new_list(m);
    CHECK_REFUSED(real_step_tensors(m->opt, NULL, l.grads, l.lens, TENSORS), LMADA_ERROR_NULL_POINTER, "params");
    CHECK_REFUSED(real_step_tensors(m->opt, l.params, NULL, l.lens, TENSORS), LMADA_ERROR_NULL_POINTER, "grads");
    CHECK_REFUSED(real_step_tensors(m->opt, l.params, l.grads, NULL, TENSORS), LMADA_ERROR_NULL_POINTER, "lens");
    CHECK_STATUS(real_step_tensors(m->opt, NULL, NULL, NULL, 0), LMADA_ERROR_DIMENSION_MISMATCH);
    free(l.gradient);
}

static void tensors_are_null(model *m)
{
    list l = new_list(m);
    l.params[2] = NULL;
    l.grads[2] = NULL; /* by itself a tensor without a gradient */
    refuse(m, &l, TENSORS, LMADA_ERROR_NULL_POINTER, "params[2]");
    l = new_list(m);
    l.params[3] = NULL;
    refuse(m, &l, TENSORS, LMADA_ERROR_NULL_POINTER, "params[3]");
}

static void lengths_do_not_add_up(model *m)
{
    list l = new_list(m);
    refuse(m, &l, TENSORS - 1, LMADA_ERROR_DIMENSION_MISMATCH, "9");
    l = new_list(m);
    refuse(m, &l, 0, LMADA_ERROR_DIMENSION_MISMATCH, "0");
    l = new_list(m);
    l.lens[3] = 2;
    refuse(m, &l, TENSORS, LMADA_ERROR_DIMENSION_MISMATCH, "11");
    l = new_list(m);
    l.lens[0] = 1;
    refuse(m, &l, TENSORS, LMADA_ERROR_DIMENSION_MISMATCH, "11");
}

static void lengths_overflow(model *m)
{
    list l = new_list(m);
    l.lens[2] = SIZE_MAX;
    refuse(m, &l, TENSORS, LMADA_ERROR_INVALID_ARGUMENT, "[2]");
    l = new_list(m);
    l.lens[2] = SIZE_MAX / sizeof(real);
    refuse(m, &l, TENSORS, LMADA_ERROR_INVALID_ARGUMENT, "[2]");
    l = new_list(m);
    refuse(m, &l, SIZE_MAX, LMADA_ERROR_INVALID_ARGUMENT, "params");
}

static void tensors_overlap(model *m)
{
    real other_grads[4] = {0};
    list l = new_list(m);
    l.params[3] = l.params[2] + 6; /* the last element of one is the first of the other */
    refuse(m, &l, TENSORS, LMADA_ERROR_INVALID_ARGUMENT, "params[");
    l = new_list(m);
    l.params[0] = l.params[2];
    refuse(m, &l, TENSORS, LMADA_ERROR_INVALID_ARGUMENT, "params[");
    l = new_list(m);
    l.grads[0] = l.params[2] + 3; /* inside */
    refuse(m, &l, TENSORS, LMADA_ERROR_INVALID_ARGUMENT, "[");
    l = new_list(m);
    l.grads[2] = l.params[2]; /* the same */
    refuse(m, &l, TENSORS, LMADA_ERROR_INVALID_ARGUMENT, "[");
    l = new_list(m);
    l.params[0] = other_grads; /* the last element of the gradient is the first parameter, and the reverse */
    l.grads[3] = other_grads + 1;
    refuse(m, &l, TENSORS, LMADA_ERROR_INVALID_ARGUMENT, "[");
    l = new_list(m);
    l.params[0] = other_grads + 2;
    l.grads[3] = other_grads;
    refuse(m, &l, TENSORS, LMADA_ERROR_INVALID_ARGUMENT, "[");
    for (int i = 0; i < 4; i++) CHECK(other_grads[i] == 0);
}

static void tensors_are_unaligned(model *m)
{
    real *room = zeros(m->dim);
    real *unaligned = (real *)(void *)((unsigned char *)room + 1);
    list l = new_list(m);
    l.params[0] = unaligned;
    refuse(m, &l, TENSORS, LMADA_ERROR_INVALID_ARGUMENT, "params[0]");
    l = new_list(m);
    l.grads[3] = unaligned;
    refuse(m, &l, TENSORS, LMADA_ERROR_INVALID_ARGUMENT, "grads[3]");
    free(room);
}

static void arrays_are_unaligned(model *m)
{
    list l = new_list(m);
    const unsigned char *grads = (const unsigned char *)l.grads + 1, *lens = (const unsigned char *)l.lens + 1;
    CHECK_REFUSED(real_step_tensors(m->opt, l.params, (const real *const *)(const void *)grads, l.lens, TENSORS - 1),
                  LMADA_ERROR_INVALID_ARGUMENT, "grads");
    CHECK_REFUSED(real_step_tensors(m->opt, l.params, l.grads, (const size_t *)(const void *)lens, TENSORS - 1),
                  LMADA_ERROR_INVALID_ARGUMENT, "lens");
    free(l.gradient);
}

static void element_type_is_the_other(model *m)
{
    other params[TWIN_DIM] = {0}, grads[TWIN_DIM] = {1};
    other *params_list[1];
    const other *grads_list[1];
    const size_t len = TWIN_DIM;
    params_list[0] = params;
    grads_list[0] = grads;
    CHECK_REFUSED(other_step_tensors(m->opt, params_list, grads_list, &len, 1), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    CHECK(params[0] == 0);
}

static void gradient_is_not_finite(model *m)
{
    const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    for (int value = 0; value < 3; value++) {
        for (size_t place = 0; place < m->dim; place++) {
            list l = new_list(m);
            l.gradient[place] = (real)values[value];
            refuse(m, &l, TENSORS, LMADA_ERROR_NON_FINITE, "grads");
        }
    }
}

static void a_good_list_was_spoilt(void)
{
    model one = new_twin(0, false), tensors = new_twin(0, false);
    list l = new_list(&tensors);
    CHECK_OK(real_step_tensors(tensors.opt, l.params, l.grads, l.lens, TENSORS));
    CHECK_OK(real_step(one.opt, one.params, l.gradient, one.dim));
    CHECK(same_model(&one, &tensors));
    free(l.gradient);
    free_model(&one);
    free_model(&tensors);
}

#define REFUSAL(name) {#name, name}

int main(void)
{
    const refusal refusals[] = {
        REFUSAL(handle_is_null),        REFUSAL(arrays_are_null),       REFUSAL(tensors_are_null),
        REFUSAL(lengths_do_not_add_up), REFUSAL(lengths_overflow),      REFUSAL(tensors_overlap),
        REFUSAL(tensors_are_unaligned), REFUSAL(arrays_are_unaligned),  REFUSAL(element_type_is_the_other),
        REFUSAL(gradient_is_not_finite),
    };
    a_good_list_was_spoilt();
    all_leave_no_trace(refusals, sizeof refusals / sizeof *refusals);
    return 0;
}

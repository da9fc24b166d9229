/* lmada_averaged_params writes the average of the parameters: p <- beta*p + (1 - beta)*w after each step that moves
 * them, divided by 1 - beta^n. The test computes the recurrence in double. */
#include "twins.h"

#include <math.h>

enum { DIM = 5000, STEPS = 12, CUT = 1234 };

static lmada_config_t averaging(int number, double beta)
{
    lmada_config_t config = variant(number);
    config.average_beta = beta;
    config.lr = 0.5;
    return config;
}

static void step_in_pieces(model *m, const real *grads)
{
    CHECK_OK(lmada_begin(m->opt));
    CHECK_OK(real_feed(m->opt, 0, grads, DIM));
    CHECK_OK(lmada_solve(m->opt));
    CHECK_OK(real_apply(m->opt, CUT, m->params + CUT, grads + CUT, DIM - CUT));
    CHECK_OK(real_apply(m->opt, 0, m->params, grads, CUT));
    CHECK_OK(lmada_end(m->opt));
}

static void step_in_tensors(model *m, const real *grads)
{
    real *const params[] = {m->params, m->params + CUT};
    const real *const gradients[] = {NULL, grads + CUT}; /* parameters without a gradient are averaged too */
    const size_t lens[] = {CUT, DIM - CUT};
    CHECK_OK(real_step_tensors(m->opt, params, gradients, lens, 2));
}

/* Takes steps of every kind that moves parameters, and steps that do not. */
static void the_average_is_the_formula(int number, double beta, bool blocks)
{
    const lmada_group_t frozen = {100, 300, 0, 1};
    const lmada_config_t config = averaging(number, beta);
    model m = blocks ? new_blocks_model(&config, DIM) : new_model(&config, DIM);
    real *grads = check_alloc(DIM * sizeof *grads), *found = zeros(DIM);
    double *average = check_alloc(DIM * sizeof *average), weights = 0;
    AT("beta %g, variant %d%s", beta, number, blocks ? ", in blocks" : "");
    for (int i = 0; i < DIM; i++) average[i] = 0;
    leave_zero(&m);
    CHECK_OK(lmada_set_groups(m.opt, &frozen, sizeof frozen, 1));
    for (uint64_t step = 0; step < STEPS; step++) {
        fill_gradient(grads, DIM, step);
        if (step % 4 == 1) step_in_pieces(&m, grads);
        else if (step % 4 == 2) step_in_tensors(&m, grads);
        else CHECK_OK(real_step(m.opt, m.params, grads, DIM));
        const double slack = (double)(step + 2) * REAL_EPSILON + 3e-16 / (1 - beta); /* the error of 1 - beta^n too */
        weights = beta * weights + (1 - beta);
        for (int i = 0; i < DIM; i++) average[i] = beta * average[i] + (1 - beta) * (double)m.params[i];
        if (step == 5) CHECK_OK(real_observe(m.opt, grads, DIM)); /* moves nothing */
        if (step == 7) {
            grads[DIM / 2] = (real)NAN;
            CHECK_STATUS(real_step(m.opt, m.params, grads, DIM), LMADA_ERROR_NON_FINITE);
        }
        CHECK_OK(real_averaged_params(m.opt, found, DIM));
        for (int i = 0; i < DIM; i++) {
            const double expected = average[i] / weights;
            CHECK(fabs((double)found[i] - expected) <= slack * 6); /* parameters are below 6 */
        }
    }
    free(grads);
    free(found);
    free(average);
    free_model(&m);
}

/* With a constant w the average is w, from the first step on. */
static void a_constant_is_its_own_average(void)
{
    lmada_config_t config = averaging(0, 0.999);
    model m;
    real *found = zeros(DIM);
    AT("a constant");
    config.lr = 0;
    m = new_model(&config, DIM);
    leave_zero(&m);
    for (uint64_t step = 0; step < 3; step++) {
        step_model(&m, step, 1);
        CHECK_OK(real_averaged_params(m.opt, found, DIM));
        for (int i = 0; i < DIM; i++) CHECK(fabs((double)(found[i] / m.params[i]) - 1) < 4 * REAL_EPSILON + 1e-12);
    }
    free(found);
    free_model(&m);
}

/* The average changes no parameter and no direction. */
static void averaging_changes_nothing_else(int number)
{
    const lmada_config_t config = averaging(number, 0.9), plain = averaging(number, 0);
    model m = new_model(&config, DIM), twin = new_model(&plain, DIM);
    AT("variant %d, with and without", number);
    step_model(&m, 0, STEPS);
    step_model(&twin, 0, STEPS);
    CHECK(same_reals(m.params, twin.params, DIM));
    free_model(&m);
    free_model(&twin);
}

static void a_saved_state_has_it(int number)
{
    const lmada_config_t config = averaging(number, 0.75);
    model m = new_model(&config, DIM), loaded = new_model(&config, DIM);
    real *average = zeros(DIM), *found = zeros(DIM);
    size_t bytes;
    unsigned char *state;
    AT("variant %d, saved", number);
    step_model(&m, 0, 5);
    state = saved_state(m.opt, &bytes);
    CHECK_OK(lmada_state_load(loaded.opt, state, bytes));
    CHECK_OK(real_averaged_params(m.opt, average, DIM));
    CHECK_OK(real_averaged_params(loaded.opt, found, DIM));
    CHECK(same_reals(average, found, DIM));
    memcpy(loaded.params, m.params, DIM * sizeof(real));
    step_model(&m, 5, 3);
    step_model(&loaded, 5, 3);
    CHECK_OK(real_averaged_params(m.opt, average, DIM));
    CHECK_OK(real_averaged_params(loaded.opt, found, DIM));
    CHECK(same_reals(average, found, DIM));
    CHECK(same_model(&m, &loaded));
    free(state);
    free(average);
    free(found);
    free_model(&m);
    free_model(&loaded);
}

/* ---- refusals ---- */

static void refuse(const model *m, lmada_status_t status, const char *words)
{
    real *out = new_gradient(m->dim, 3), *before = new_gradient(m->dim, 3);
    CHECK_REFUSED(real_averaged_params(m->opt, out, m->dim), status, words);
    CHECK(same_reals(out, before, m->dim));
    free(out);
    free(before);
}

static void there_is_no_average(model *m) { refuse(m, LMADA_ERROR_WRONG_PHASE, "lmada_averaged_params"); }

static void there_is_no_average_yet(void)
{
    const lmada_config_t config = averaging(0, 0.5);
    model m = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 1);
    AT("no average yet");
    refuse(&m, LMADA_ERROR_WRONG_PHASE, "lmada_averaged_params");
    CHECK_OK(real_observe(m.opt, grads, DIM));
    refuse(&m, LMADA_ERROR_WRONG_PHASE, "lmada_averaged_params");
    step_model(&m, 1, 1);
    CHECK_OK(lmada_begin(m.opt));
    refuse(&m, LMADA_ERROR_WRONG_PHASE, "lmada_averaged_params");
    CHECK_OK(lmada_cancel(m.opt));
    CHECK_OK(lmada_reset(m.opt));
    refuse(&m, LMADA_ERROR_WRONG_PHASE, "lmada_averaged_params");
    free(grads);
    free_model(&m);
}

static void arguments_are_bad(void)
{
    const lmada_config_t config = averaging(0, 0.5);
    model m = new_model(&config, TWIN_DIM);
    real scratch[TWIN_DIM + 1];
    other others[TWIN_DIM];
    AT("bad arguments");
    step_model(&m, 0, 1);
    CHECK_REFUSED(real_averaged_params(NULL, scratch, TWIN_DIM), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(real_averaged_params(m.opt, NULL, TWIN_DIM), LMADA_ERROR_NULL_POINTER, "out");
    CHECK_REFUSED(real_averaged_params(m.opt, scratch, TWIN_DIM - 1), LMADA_ERROR_DIMENSION_MISMATCH, "dim is 11:");
    CHECK_REFUSED(real_averaged_params(m.opt, scratch, SIZE_MAX), LMADA_ERROR_DIMENSION_MISMATCH, "dim is");
    CHECK_REFUSED(real_averaged_params(m.opt, one_byte_into(scratch), TWIN_DIM), LMADA_ERROR_INVALID_ARGUMENT, "out");
    CHECK_REFUSED(other_averaged_params(m.opt, others, TWIN_DIM), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    free_model(&m);
}

/* Directions are refused with an average: only the caller knows the parameters then. */
static void directions_are_refused(void)
{
    const lmada_config_t config = averaging(0, 0.5);
    model m = new_model(&config, TWIN_DIM), twin = new_model(&config, TWIN_DIM);
    real grads[TWIN_DIM], direction[TWIN_DIM] = {7};
    AT("directions");
    step_model(&m, 0, 2);
    step_model(&twin, 0, 2);
    fill_gradient(grads, TWIN_DIM, 9);
    CHECK_REFUSED(real_direction(m.opt, direction, grads, TWIN_DIM), LMADA_ERROR_INVALID_ARGUMENT,
                  "average_beta is 0.5");
    CHECK_OK(lmada_begin(m.opt));
    CHECK_OK(real_feed(m.opt, 0, grads, TWIN_DIM));
    CHECK_OK(lmada_solve(m.opt));
    CHECK_REFUSED(real_apply_direction(m.opt, 0, direction, grads, TWIN_DIM), LMADA_ERROR_INVALID_ARGUMENT,
                  "average_beta is 0.5");
    CHECK(direction[0] == 7 && direction[1] == 0);
    CHECK_OK(lmada_cancel(m.opt)); /* nothing was applied */
    CHECK(same_model(&m, &twin));
    free_model(&m);
    free_model(&twin);
}

int main(void)
{
    const refusal refusals[] = {{"no average", there_is_no_average}};
    for (int number = 0; number < VARIANTS; number++) {
        the_average_is_the_formula(number, 0.5, false);
        the_average_is_the_formula(number, 0.99, true);
        averaging_changes_nothing_else(number);
        a_saved_state_has_it(number);
    }
    a_constant_is_its_own_average();
    all_leave_no_trace(refusals, 1);
    there_is_no_average_yet();
    arguments_are_bad();
    directions_are_refused();
    return 0;
}

/* Gradients near the ends of the exponent range, repeated gradients, zeros, and a large learning rate give finite steps
 * of the length that the update rule says. */
#include "model.h"

#include <float.h>
#include <math.h>

enum { DIM = 50, STEPS = 15 };

static double norm(const real *array)
{
    double sum = 0;
    for (size_t i = 0; i < DIM; i++) sum += (double)array[i] * (double)array[i];
    return sqrt(sum);
}

static void scaled_gradients_step(int number, double scale, double eps)
{
    lmada_config_t config = variant(number);
    /* With diagonal preconditioning the bound on a step is its length times the largest possible scale. */
    const bool may_be_refused = config.diagonal_beta > 0 && scale > 1e30;
    uint64_t refused = 0;
    model m;
    AT("variant %d, scale %g, eps %g", number, scale, eps);
    config.eps = eps;
    m = new_model(&config, DIM);
    for (uint64_t step = 0; step < STEPS; step++) {
        real *grads = new_gradient(DIM, step % 3); /* cyclic: repeated directions */
        lmada_status_t status;
        for (size_t i = 0; i < DIM; i++) grads[i] = (real)((double)grads[i] * scale);
        status = real_step(m.opt, m.params, grads, DIM);
        if (may_be_refused && status == LMADA_ERROR_NON_FINITE) refused++;
        else CHECK_OK(status);
        for (size_t i = 0; i < DIM; i++) CHECK(isfinite(m.params[i]));
        CHECK(isfinite(stats_of(m.opt).update_norm) && stats_of(m.opt).update_norm >= 0);
        free(grads);
    }
    CHECK(stats_of(m.opt).steps == STEPS - refused);
    free_model(&m);
}

/* The first update is g/sqrt(|g|^2 + eps). */
static void the_first_update_has_the_length_of_the_rule(double scale, double eps)
{
    lmada_config_t config = base_config();
    real *grads = new_gradient(DIM, 1);
    double length, expected;
    model m;
    AT("scale %g, eps %g", scale, eps);
    config.eps = eps;
    m = new_model(&config, DIM);
    for (size_t i = 0; i < DIM; i++) grads[i] = (real)((double)grads[i] * scale);
    length = norm(grads);
    expected = length / sqrt(length * length + eps);
    CHECK_OK(real_step(m.opt, m.params, grads, DIM));
    CHECK(fabs(stats_of(m.opt).update_norm / expected - 1) < 1e-12);
    CHECK(fabs(stats_of(m.opt).grad_norm / length - 1) < 1e-12);
    CHECK(fabs(norm(m.params) / (config.lr * expected) - 1) < 10 * REAL_EPSILON);
    free(grads);
    free_model(&m);
}

static void a_zero_gradient_moves_nothing(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM);
    real *grads = zeros(DIM);
    AT("variant %d", number);
    for (int step = 0; step < 7; step++) {
        CHECK_OK(real_step(m.opt, m.params, grads, DIM));
        CHECK(stats_of(m.opt).update_norm == 0);
        CHECK(stats_of(m.opt).grad_norm == 0);
        for (size_t i = 0; i < DIM; i++) CHECK(m.params[i] == 0);
    }
    step_model(&m, 0, 7);
    CHECK(stats_of(m.opt).steps == 14);
    CHECK(norm(m.params) > 0);
    free(grads);
    free_model(&m);
}

static void a_large_learning_rate_is_taken_while_the_step_is_finite(void)
{
    const double largest = REAL_DTYPE == LMADA_F32 ? (double)FLT_MAX : DBL_MAX, lr = 0.49 * largest;
    lmada_config_t config = base_config();
    real *grads = zeros(DIM), *before = zeros(DIM);
    model m;
    config.lr = lr;
    m = new_model(&config, DIM);
    step_model(&m, 0, 1);
    for (size_t i = 0; i < DIM; i++) m.params[i] = (real)((double)m.params[i] / lr); /* whose norm is no number */
    CHECK(fabs(norm(m.params) - 1) < 1e-5);
    /* The same gradient again: |u| is the root of 1/2. */
    memcpy(before, m.params, DIM * sizeof(real));
    fill_gradient(grads, DIM, 0);
    CHECK_OK(lmada_set_lr(m.opt, 0.75 * largest));
    CHECK_STATUS(real_step(m.opt, m.params, grads, DIM), LMADA_ERROR_NON_FINITE);
    CHECK(same_reals(before, m.params, DIM));
    CHECK_OK(lmada_set_lr(m.opt, 0.65 * largest));
    CHECK_OK(real_step(m.opt, m.params, grads, DIM));
    free(grads);
    free(before);
    free_model(&m);
}

int main(void)
{
    const double scales[] = {1e30, 1, 1e-30}, epses[] = {1e-6, 0};
    /* Near the largest numbers whose sum of squares is finite, and where numbers or their squares are subnormal or
     * 0. */
#ifdef TEST_F64
    const double ends[] = {1e150, 1e-150, 1e-158, 1e-161, 1e-170, 1e-310};
#else
    const double ends[] = {1e37, 1e-37, 1e-44};
#endif
    for (int eps = 0; eps < 2; eps++) {
        for (int scale = 0; scale < 3; scale++) {
            for (int number = 0; number < VARIANTS; number++) scaled_gradients_step(number, scales[scale], epses[eps]);
            the_first_update_has_the_length_of_the_rule(scales[scale], epses[eps]);
        }
        for (size_t end = 0; end < sizeof ends / sizeof *ends; end++) {
            for (int number = 0; number < VARIANTS; number++) scaled_gradients_step(number, ends[end], epses[eps]);
        }
    }
    for (int number = 0; number < VARIANTS; number++) a_zero_gradient_moves_nothing(number);
    a_large_learning_rate_is_taken_while_the_step_is_finite();
    return 0;
}

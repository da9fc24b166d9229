/* Update rules of a caller: lmada_observe and lmada_precondition of the gradient give lmada_direction without clip and
 * momentum. lmada_precondition of any vector gives the formula, which the test computes from a dense matrix, and
 * changes no state. */
#include "twins.h"

#include <math.h>

enum { DIM = 9000, SMALL = 7, STEPS = 7 };

/* Relative to the norm of the preconditioned vector. */
static const double tolerance = REAL_DTYPE == LMADA_F64 ? 1e-8 : 1e-5;

/* ---- the direction ---- */

/* Numbers that every format stores exactly: whole numbers, and the largest of each group of 256 is 127. */
static void fill_whole(real *grads, size_t dim, uint64_t number)
{
    fill_gradient(grads, dim, number);
    for (size_t i = 0; i < dim; i++) grads[i] = i % 256 == 0 ? 127 : (real)(int)(grads[i] * 127);
}

static lmada_config_t plain(int32_t format, double diagonal_beta)
{
    lmada_config_t config = base_config();
    config.history_size = 4;
    config.history_format = format;
    config.density = 1;
    config.diagonal_beta = diagonal_beta;
    return config;
}

static void observe_and_precondition_are_direction(const lmada_config_t *config, bool blocks)
{
    model m = blocks ? new_blocks_model(config, DIM) : new_model(config, DIM);
    model twin = blocks ? new_blocks_model(config, DIM) : new_model(config, DIM);
    real *grads = zeros(DIM), *u = zeros(DIM), *direction = zeros(DIM);
    for (uint64_t step = 0; step < STEPS; step++) {
        double length = 0, error = 0;
        lmada_stats_t stats, twins;
        fill_whole(grads, DIM, step);
        CHECK_OK(real_observe(m.opt, grads, DIM));
        CHECK_OK(real_precondition(m.opt, u, grads, DIM));
        CHECK_OK(real_direction(twin.opt, direction, grads, DIM));
        for (int i = 0; i < DIM; i++) {
            length += (double)direction[i] * (double)direction[i];
            error += ((double)u[i] - (double)direction[i]) * ((double)u[i] - (double)direction[i]);
        }
        CHECK(length > 0.1);
        CHECK(error <= tolerance * tolerance * length);
        stats = stats_of(m.opt);
        twins = stats_of(twin.opt);
        CHECK(memcmp(&stats, &twins, sizeof stats) == 0);
    }
    CHECK(same_state(m.opt, twin.opt)); /* lmada_observe changes the state as lmada_direction does */
    free(grads);
    free(u);
    free(direction);
    free_model(&m);
    free_model(&twin);
}

/* With clip and momentum the state is that of a twin that wrote directions. */
static void observing_leaves_the_state_of_a_step(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM), twin = new_model(&config, DIM);
    real *grads = zeros(DIM), *direction = zeros(DIM);
    AT("variant %d", number);
    for (uint64_t step = 0; step < STEPS; step++) {
        fill_gradient(grads, DIM, step);
        CHECK_OK(real_observe(m.opt, grads, DIM));
        CHECK_OK(real_direction(twin.opt, direction, grads, DIM));
    }
    CHECK(same_state(m.opt, twin.opt));
    free(grads);
    free(direction);
    free_model(&m);
    free_model(&twin);
}

/* ---- the formula ---- */

/* Computes eigenvalues (into the diagonal) and eigenvectors (into the columns of `vectors`) of a symmetric matrix, by
 * Jacobi's method. */
static void jacobi(double a[SMALL][SMALL], double vectors[SMALL][SMALL])
{
    for (int i = 0; i < SMALL; i++) {
        for (int j = 0; j < SMALL; j++) vectors[i][j] = i == j;
    }
    for (int sweep = 0; sweep < 30; sweep++) {
        for (int p = 0; p < SMALL; p++) {
            for (int q = p + 1; q < SMALL; q++) {
                const double angle = 0.5 * atan2(2 * a[p][q], a[q][q] - a[p][p]), c = cos(angle), s = sin(angle);
                for (int i = 0; i < SMALL; i++) {
                    const double x = a[i][p], y = a[i][q], v = vectors[i][p], w = vectors[i][q];
                    a[i][p] = c * x - s * y;
                    a[i][q] = s * x + c * y;
                    vectors[i][p] = c * v - s * w;
                    vectors[i][q] = s * v + c * w;
                }
                for (int i = 0; i < SMALL; i++) {
                    const double x = a[p][i], y = a[q][i];
                    a[p][i] = c * x - s * y;
                    a[q][i] = s * x + c * y;
                }
            }
        }
    }
}

/* Computes U f(S^2) U'v + orthogonal_scale*(v - U U'v) with the eigenvectors of the dense MM'. */
static void dense(const lmada_config_t *config, const real *columns, int count, const real *v, double *u)
{
    double a[SMALL][SMALL] = {{0}}, vectors[SMALL][SMALL], mean[SMALL] = {0}, largest = 0;
    for (int i = 0; i < SMALL; i++) {
        for (int c = 0; c < count; c++) mean[i] += config->centered ? (double)columns[c * SMALL + i] / count : 0;
    }
    for (int c = 0; c < count; c++) {
        for (int i = 0; i < SMALL; i++) {
            for (int j = 0; j < SMALL; j++) {
                a[i][j] += ((double)columns[c * SMALL + i] - mean[i]) * ((double)columns[c * SMALL + j] - mean[j]);
            }
        }
    }
    jacobi(a, vectors);
    for (int i = 0; i < SMALL; i++) largest = fmax(largest, a[i][i]);
    for (int i = 0; i < SMALL; i++) u[i] = config->orthogonal_scale * (double)v[i];
    for (int e = 0; e < SMALL; e++) {
        const double x = a[e][e], eps = config->eps + config->eps_relative * largest;
        double along = 0;
        if (x < 1e-9 * largest) continue; /* not in the span */
        for (int i = 0; i < SMALL; i++) along += vectors[i][e] * (double)v[i];
        for (int i = 0; i < SMALL; i++) {
            u[i] += vectors[i][e] * along * (pow(x + eps, -config->power) - config->orthogonal_scale);
        }
    }
}

static void any_vector_is_preconditioned_by_the_formula(const lmada_config_t *config, int steps)
{
    const int k = (int)config->history_size, count = steps < k ? steps : k;
    real grads[SMALL * 20], v[SMALL], u[SMALL];
    double expected[SMALL], length = 0, error = 0;
    model m = new_model(config, SMALL);
    CHECK(steps <= 20);
    for (int step = 0; step < steps; step++) {
        fill_gradient(grads + step * SMALL, SMALL, (uint64_t)step);
        CHECK_OK(real_observe(m.opt, grads + step * SMALL, SMALL));
    }
    fill_gradient(v, SMALL, 99); /* outside the span of fewer than seven */
    CHECK_OK(real_precondition(m.opt, u, v, SMALL));
    dense(config, grads + (steps - count) * SMALL, count, v, expected);
    for (int i = 0; i < SMALL; i++) {
        length += expected[i] * expected[i];
        error += ((double)u[i] - expected[i]) * ((double)u[i] - expected[i]);
    }
    CHECK(error <= 100 * tolerance * tolerance * length);
    free_model(&m);
}

static void the_formula_holds(void)
{
    const double powers[] = {0.5, 1, 0.25}, scales[] = {0, 0.5, 3};
    for (int k = 1; k <= 8; k++) {
        for (int option = 0; option < 9; option++) {
            for (int steps = 1; steps <= 12; steps += option % 3 + 1) {
                lmada_config_t config = base_config();
                config.history_size = (uint32_t)k;
                config.power = powers[option % 3];
                config.orthogonal_scale = scales[option / 3];
                config.eps = option % 2 ? 1e-6 : 0.25;
                config.eps_relative = option % 4 == 3 ? 0.125 : 0;
                config.centered = option >= 6 && k > 1 && steps > 1;
                config.rank_tol = 1e-9;
                AT("k = %d, option %d, %d steps", k, option, steps);
                any_vector_is_preconditioned_by_the_formula(&config, steps);
            }
        }
    }
}

/* ---- nothing changes ---- */

static void preconditioning_changes_nothing(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM), twin = new_model(&config, DIM);
    real *v = new_gradient(DIM, 5), *u = zeros(DIM), *again = zeros(DIM);
    AT("variant %d", number);
    for (uint64_t step = 0; step < STEPS; step++) {
        lmada_stats_t before, after;
        step_model(&m, step, 1);
        step_model(&twin, step, 1);
        before = stats_of(twin.opt);
        CHECK_OK(real_precondition(m.opt, u, v, DIM));
        CHECK_OK(real_precondition(m.opt, again, v, DIM));
        CHECK(same_reals(u, again, DIM));
        after = stats_of(m.opt);
        CHECK(memcmp(&before, &after, sizeof before) == 0);
        CHECK(same_model(&m, &twin));
    }
    free(v);
    free(u);
    free(again);
    free_model(&m);
    free_model(&twin);
}

/* ---- refusals ---- */

static void refuse(model *m, const real *v, size_t dim, lmada_status_t status, const char *words)
{
    real *out = new_gradient(m->dim, 50), *before = new_gradient(m->dim, 50);
    CHECK_REFUSED(real_precondition(m->opt, out, v, dim), status, words);
    CHECK(same_reals(out, before, m->dim));
    free(out);
    free(before);
}

static void arguments_are_bad(model *m)
{
    real *scratch = new_gradient(2 * m->dim, 7), *unaligned = one_byte_into(scratch);
    other others[TWIN_DIM] = {1}, other_out[TWIN_DIM] = {0};
    const uint64_t refused = stats_of(m->opt).refused;
    refuse(m, NULL, m->dim, LMADA_ERROR_NULL_POINTER, "v");
    refuse(m, scratch, 0, LMADA_ERROR_DIMENSION_MISMATCH, "dim is 0:");
    refuse(m, scratch, SIZE_MAX, LMADA_ERROR_DIMENSION_MISMATCH, "dim is");
    refuse(m, unaligned, m->dim, LMADA_ERROR_INVALID_ARGUMENT, "v");
    CHECK_REFUSED(real_precondition(NULL, scratch, scratch + m->dim, m->dim), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(real_precondition(m->opt, NULL, scratch, m->dim), LMADA_ERROR_NULL_POINTER, "out");
    CHECK_REFUSED(real_precondition(m->opt, unaligned, scratch + m->dim, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "out");
    for (size_t shift = 0; shift < m->dim; shift++) {
        CHECK_REFUSED(real_precondition(m->opt, scratch, scratch + shift, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "out");
        CHECK_REFUSED(real_precondition(m->opt, scratch + shift, scratch, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "out");
    }
    CHECK_REFUSED(other_precondition(m->opt, other_out, others, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    CHECK_REFUSED(other_observe(m->opt, others, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    CHECK_REFUSED(real_observe(NULL, scratch, m->dim), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(real_observe(m->opt, NULL, m->dim), LMADA_ERROR_NULL_POINTER, "grads");
    CHECK_REFUSED(real_observe(m->opt, unaligned, m->dim), LMADA_ERROR_INVALID_ARGUMENT, "grads");
    CHECK_REFUSED(real_observe(m->opt, scratch, m->dim + 1), LMADA_ERROR_DIMENSION_MISMATCH, "dim is 13:");
    CHECK(stats_of(m->opt).refused == refused);
    free(scratch);
}

static void values_are_not_finite(model *m)
{
    const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    const uint64_t refused = stats_of(m->opt).refused;
    if (stats_of(m->opt).steps == 0) return;
    for (size_t place = 0; place < m->dim; place++) {
        real *v = new_gradient(m->dim, 9);
        char words[80];
        v[place] = (real)values[place % 3];
        snprintf(words, sizeof words, "v has 1 NaN or infinite value, element %zu;", place);
        refuse(m, v, m->dim, LMADA_ERROR_NON_FINITE, words);
        free(v);
    }
    CHECK(stats_of(m->opt).refused == refused); /* a precondition is no step */
}

static void observed_values_are_not_finite(model *m)
{
    real *grads = new_gradient(m->dim, 9);
    grads[7] = (real)NAN;
    CHECK_REFUSED(real_observe(m->opt, grads, m->dim), LMADA_ERROR_NON_FINITE, "element 7;");
    CHECK(stats_of(m->opt).refused == 1);
    free(grads);
}

static void there_is_no_window_yet(void)
{
    const lmada_config_t config = variant(0);
    model m = new_model(&config, TWIN_DIM);
    real *v = new_gradient(TWIN_DIM, 9);
    AT("no window");
    refuse(&m, v, TWIN_DIM, LMADA_ERROR_WRONG_PHASE, "lmada_precondition");
    step_model(&m, 0, 1);
    CHECK_OK(lmada_begin(m.opt));
    refuse(&m, v, TWIN_DIM, LMADA_ERROR_WRONG_PHASE, "lmada_precondition");
    CHECK_STATUS(real_observe(m.opt, v, TWIN_DIM), LMADA_ERROR_WRONG_PHASE);
    CHECK_OK(lmada_reset(m.opt));
    refuse(&m, v, TWIN_DIM, LMADA_ERROR_WRONG_PHASE, "lmada_precondition");
    free(v);
    free_model(&m);
}

/* ---- an update rule of the caller ---- */

/* Computes Rosenbrock's function of two parameters, and its gradient. */
static double rosenbrock(const real *w, real *grads)
{
    const double x = (double)w[0], y = (double)w[1], off = y - x * x;
    grads[0] = (real)(-2 * (1 - x) - 400 * x * off);
    grads[1] = (real)(200 * off);
    return (1 - x) * (1 - x) + 100 * off * off;
}

/* Trains with Adam, on preconditioned gradients. */
static double train_by_adam_on_top(int steps)
{
    lmada_config_t config = base_config();
    double m1[2] = {0}, m2[2] = {0}, loss;
    real w[2] = {-1, 1}, grads[2], u[2];
    lmada_t *opt;
    config.eps = 0;
    config.eps_relative = 1e-3;
    CHECK_OK(lmada_create(&config, 2, &opt));
    for (int step = 1; step <= steps; step++) {
        const double rate = lmada_schedule(LMADA_SCHEDULE_COSINE, 0.02, (uint64_t)step, 0, (uint64_t)steps);
        rosenbrock(w, grads);
        CHECK_OK(real_observe(opt, grads, 2));
        CHECK_OK(real_precondition(opt, u, grads, 2));
        for (int i = 0; i < 2; i++) {
            m1[i] = 0.9 * m1[i] + 0.1 * (double)u[i];
            m2[i] = 0.999 * m2[i] + 0.001 * (double)u[i] * (double)u[i];
            w[i] -= (real)(rate * m1[i] / (1 - pow(0.9, step)) / (sqrt(m2[i] / (1 - pow(0.999, step))) + 1e-8));
        }
    }
    loss = rosenbrock(w, grads);
    lmada_free(opt);
    return loss;
}

int main(void)
{
    const refusal refusals[] = {
        {"bad arguments", arguments_are_bad},
        {"values that are not finite", values_are_not_finite},
    };
    const refusal counted = {"an observed value that is not finite", observed_values_are_not_finite};
    for (int32_t format = 0; format < (REAL_DTYPE == LMADA_F32 ? 5 : 1); format++) {
        for (int blocks = 0; blocks < 2; blocks++) {
            const lmada_config_t config = plain(format, 0);
            AT("format %d, %d", (int)format, blocks);
            observe_and_precondition_are_direction(&config, blocks);
        }
    }
    for (int blocks = 0; blocks < 2; blocks++) {
        const lmada_config_t config = plain(LMADA_HISTORY_FULL, 0.9);
        AT("diagonal, %d", blocks);
        observe_and_precondition_are_direction(&config, blocks);
    }
    for (int number = 0; number < VARIANTS; number++) {
        observing_leaves_the_state_of_a_step(number);
        preconditioning_changes_nothing(number);
    }
    the_formula_holds();
    all_leave_no_trace(refusals, 2);
    leaves_no_trace(&counted, 0, false, TWIN_PAST);
    there_is_no_window_yet();
    AT("Adam on top: loss %g", train_by_adam_on_top(2000));
    CHECK(train_by_adam_on_top(2000) < 1e-4);
    return 0;
}

/* grad_scale multiplies every gradient, grad_clip_norm bounds its norm over all blocks. The optimizer works with the
 * scaled gradient, whose squared norm is the only eigenvalue of a window of one. A single gradient that is orders of
 * magnitude too long then does no harm. */
#include "model.h"

#include <math.h>

enum { DIM = 4500, STEPS = 9 };

static bool near(double found, double expected, double tolerance)
{
    return fabs(found - expected) <= tolerance * fabs(expected);
}

static double norm_of(const real *vector, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++) sum += (double)vector[i] * (double)vector[i];
    return sqrt(sum);
}

/* ---- scale ---- */

typedef enum { AT_CREATE, IN_FLIGHT, BY_CONFIG, WAYS } way_of_setting;

/* With a power of two, the parameters have the bits of a run whose gradients were multiplied before. */
static void a_scale_is_a_factor_on_gradients(int number, double scale, way_of_setting way, bool blocks)
{
    const lmada_config_t config = variant(number);
    lmada_config_t scaled = config;
    model m, twin;
    real *grads = check_alloc(DIM * sizeof *grads);
    AT("scale %g, variant %d, way %d%s", scale, number, (int)way, blocks ? ", in blocks" : "");
    scaled.grad_scale = scale;
    m = blocks ? new_blocks_model(way == AT_CREATE ? &scaled : &config, DIM)
               : new_model(way == AT_CREATE ? &scaled : &config, DIM);
    twin = blocks ? new_blocks_model(&config, DIM) : new_model(&config, DIM);
    leave_zero(&m);
    leave_zero(&twin);
    if (way == IN_FLIGHT) CHECK_OK(lmada_set_grad_scale(m.opt, scale));
    if (way == BY_CONFIG) CHECK_OK(lmada_set_config(m.opt, &scaled));
    for (uint64_t step = 0; step < STEPS; step++) {
        double norm;
        if (step == STEPS - 2) CHECK_OK(lmada_set_grad_scale(m.opt, scale / 4));
        fill_gradient(grads, DIM, step);
        norm = norm_of(grads, DIM);
        CHECK_OK(real_step(m.opt, m.params, grads, DIM));
        CHECK(near(stats_of(m.opt).grad_norm, norm, 1e-6)); /* as given */
        for (int i = 0; i < DIM; i++) grads[i] *= (real)(step >= STEPS - 2 ? scale / 4 : scale);
        CHECK_OK(real_step(twin.opt, twin.params, grads, DIM));
        CHECK(same_reals(m.params, twin.params, DIM));
    }
    free(grads);
    free_model(&m);
    free_model(&twin);
}

/* With grad_scale 0 gradients are zeros: parameters only decay. */
static void a_scale_of_zero_makes_zeros(int number)
{
    lmada_config_t config = variant(number);
    model m;
    AT("scale 0, variant %d", number);
    config.grad_scale = 0;
    config.weight_decay = 0;
    m = new_model(&config, DIM);
    leave_zero(&m);
    step_model(&m, 0, 3);
    for (int i = 0; i < DIM; i++) CHECK(m.params[i] == (real)(i % 5 + 1));
    CHECK(stats_of(m.opt).eig_max == 0);
    free_model(&m);
}

/* ---- clip ---- */

/* In a window of one the eigenvalue is the squared norm of the scaled gradient. */
static void the_norm_seen_is_at_most_the_clip(double scale, double clip, bool blocks)
{
    lmada_config_t config = base_config();
    model m;
    AT("scale %g, clip %g%s", scale, clip, blocks ? ", in blocks" : "");
    config.history_size = 1;
    config.grad_scale = scale;
    config.grad_clip_norm = clip;
    m = blocks ? new_blocks_model(&config, DIM) : new_model(&config, DIM);
    for (uint64_t step = 0; step < 4; step++) {
        real *grads = new_gradient(DIM, step);
        const size_t first = blocks ? DIM / 3 : 0;
        double norm, largest, factor;
        for (int i = 0; i < DIM; i++) grads[i] *= (real)(step == 2 ? 1e4 : 1);
        norm = norm_of(grads, DIM);
        largest = norm_of(grads + first, DIM - first); /* of the longer block */
        factor = clip > 0 && scale * norm > clip ? clip / norm : scale;
        CHECK_OK(real_step(m.opt, m.params, grads, DIM));
        CHECK(near(stats_of(m.opt).eig_max, factor * largest * factor * largest, 1e-5));
        CHECK(near(stats_of(m.opt).grad_norm, norm, 1e-6));
        free(grads);
    }
    free_model(&m);
}

/* Returns the trace of the Gram matrix of two clipped gradients, from its two eigenvalues. */
static void each_column_keeps_its_clip(void)
{
    lmada_config_t config = base_config();
    model m;
    double sum = 0;
    AT("two columns");
    config.history_size = 2;
    config.grad_clip_norm = 3;
    m = new_model(&config, DIM);
    for (uint64_t step = 0; step < 2; step++) {
        real *grads = new_gradient(DIM, step);
        for (int i = 0; i < DIM; i++) grads[i] *= (real)(step ? 1e-3 : 1e5);
        sum += step ? norm_of(grads, DIM) * norm_of(grads, DIM) : 9;
        CHECK_OK(real_step(m.opt, m.params, grads, DIM));
        free(grads);
    }
    CHECK(near(stats_of(m.opt).eig_max + stats_of(m.opt).eig_min, sum, 1e-5));
    free_model(&m);
}

/* ---- one gradient that is too long ---- */

enum { SMALL = 50, K = 30 };

static lmada_config_t momentum_config(double clip)
{
    lmada_config_t config = base_config();
    config.history_size = K;
    config.momentum_kind = LMADA_MOMENTUM_GRADIENT;
    config.grad_clip_norm = clip;
    return config;
}

/* Returns the longest update within two windows after the long gradient. */
static double longest_update(double clip)
{
    const lmada_config_t config = momentum_config(clip);
    model m = new_model(&config, SMALL);
    double longest = 0;
    for (uint64_t step = 0; step < 100; step++) {
        real *grads = new_gradient(SMALL, step);
        const double norm = norm_of(grads, SMALL);
        for (int i = 0; i < SMALL; i++) grads[i] *= (real)((step == 20 ? 1e6 : 1) / norm);
        CHECK_OK(real_step(m.opt, m.params, grads, SMALL));
        if (step > 20) longest = fmax(longest, stats_of(m.opt).update_norm);
        free(grads);
    }
    free_model(&m);
    return longest;
}

/* Least squares, the sum of h(i)*w(i)^2/2, with noisy gradients. The 20th gradient is 1e6 times too long. */
static double largest_loss(double clip, double *last)
{
    lmada_config_t config = momentum_config(clip);
    model m;
    double largest = 0;
    m = new_model(&config, SMALL);
    for (int i = 0; i < SMALL; i++) m.params[i] = 1;
    for (uint64_t step = 1; step <= 400; step++) {
        real *grads = new_gradient(SMALL, step);
        double loss = 0;
        for (int i = 0; i < SMALL; i++) {
            const double h = 1.0 / (1 + i), w = (double)m.params[i];
            loss += h * w * w / 2;
            grads[i] = (real)((h * w + 1e-3 * (double)grads[i]) * (step == 20 ? 1e6 : 1));
        }
        largest = fmax(largest, step > 20 ? loss : 0);
        *last = loss;
        CHECK_OK(lmada_set_lr(m.opt, lmada_schedule(LMADA_SCHEDULE_LINEAR, 0.3, step, 0, 400)));
        CHECK_OK(real_step(m.opt, m.params, grads, SMALL));
        free(grads);
    }
    free_model(&m);
    return largest;
}

static void one_long_gradient_does_no_harm(void)
{
    double last, last_clipped;
    const double largest = largest_loss(0, &last), largest_clipped = largest_loss(1, &last_clipped);
    AT("updates of up to %g, clipped %g; losses of up to %g, %g in the end; clipped %g, %g", longest_update(0),
       longest_update(1), largest, last, largest_clipped, last_clipped);
    CHECK(longest_update(0) > 1e3); /* 0.1*0.9^30*1e6 = 4e3 of it is left when it leaves the window */
    CHECK(longest_update(1) < 1);
    CHECK(largest > 1e3);
    CHECK(largest_clipped < 3);
    CHECK(last_clipped < 1e-3);
}

int main(int argc, char **argv)
{
    const double scales[] = {0.0078125, 1024, 0.5};
    (void)argv;
    EACH_VARIANT (number, argc > 1) {
        for (int i = 0; i < 3; i++) {
            for (int way = 0; way < WAYS; way++) {
                a_scale_is_a_factor_on_gradients(number, scales[i], (way_of_setting)way, i == 2);
            }
        }
        a_scale_of_zero_makes_zeros(number);
    }
    for (int blocks = 0; blocks < 2; blocks++) {
        the_norm_seen_is_at_most_the_clip(1, 0, blocks);
        the_norm_seen_is_at_most_the_clip(1, 2.5, blocks);
        the_norm_seen_is_at_most_the_clip(0.3, 25, blocks); /* clips only the long gradient */
        the_norm_seen_is_at_most_the_clip(7, 1e9, blocks);
        the_norm_seen_is_at_most_the_clip(1e-3, 1e-4, blocks);
    }
    each_column_keeps_its_clip();
    one_long_gradient_does_no_harm();
    return 0;
}

/* No call that returns LMADA_OK makes a finite parameter infinite, with any learning rate. */
#include "twins.h"

#include <float.h>
#include <math.h>

enum { DIM = 12 };

static void all_finite(const model *m)
{
    for (size_t i = 0; i < m->dim; i++) CHECK(isfinite(m->params[i]));
}

/* The average of past updates is long although the update is 0. */
static void momentum_of_updates_is_too_long(void)
{
    lmada_config_t config = base_config();
    real w = 1, g = 16;
    lmada_t *opt;
    config.momentum_kind = LMADA_MOMENTUM_UPDATE;
    config.power = 0.25; /* an update of length 4 */
    CHECK_OK(lmada_create(&config, 1, &opt));
    CHECK_OK(real_step(opt, &w, &g, 1));
    const real before = w;
    g = 0;
    CHECK_OK(lmada_set_lr(opt, REAL_DTYPE == LMADA_F32 ? 1e40 : DBL_MAX));
    CHECK_REFUSED(real_step(opt, &w, &g, 1), LMADA_ERROR_NON_FINITE, "the step");
    CHECK(w == before);
    CHECK_OK(lmada_set_lr(opt, 0.5));
    CHECK_OK(real_step(opt, &w, &g, 1));
    CHECK(isfinite(w) && w < before);
    lmada_free(opt);
}

static void rate_does_not_go_with_the_decay(model *m)
{
    CHECK_REFUSED(lmada_set_lr(m->opt, 10.5), LMADA_ERROR_INVALID_ARGUMENT, "lr is 10.5:");
    CHECK_REFUSED(lmada_set_lr(m->opt, 1e40), LMADA_ERROR_INVALID_ARGUMENT, "lr is 1e40:");
}

static void a_rate_that_does_not_go_with_the_decay_leaves_no_trace(void)
{
    const refusal refusal = {"rate_does_not_go_with_the_decay", rate_does_not_go_with_the_decay};
    leaves_no_trace(&refusal, 2, false, TWIN_PAST); /* the variant with weight decay 0.1 */
    leaves_no_trace(&refusal, 2, true, TWIN_PAST);
}

/* A state whose learning rate is too large for the handle's weight decay. */
static void a_loaded_rate_goes_with_the_decay(void)
{
    lmada_config_t config = base_config();
    const size_t first = 0;
    model source, target;
    size_t bytes;
    config.lr = 1;
    source = new_model(&config, DIM);
    config.lr = 0.01;
    config.weight_decay = 2;
    target = new_model(&config, DIM);
    step_model(&source, 0, 3);
    unsigned char *state = saved_state(source.opt, &bytes);
    const void *states[] = {state};
    CHECK_REFUSED(lmada_state_load(target.opt, state, bytes), LMADA_ERROR_INVALID_ARGUMENT, "lr is 1.0:");
    CHECK_REFUSED(lmada_state_load_shares(target.opt, &first, states, &bytes, 1), LMADA_ERROR_INVALID_ARGUMENT,
                  "lr is 1.0:");
    CHECK(stats_of(target.opt).steps == 0);
    step_model(&target, 0, 3);
    all_finite(&target);
    free(state);
    free_model(&source);
    free_model(&target);
}

/* Gradients and learning rates of any size: a step is refused, or everything stays finite. */
static void parameters_stay_finite(int number)
{
    const double rates[] = {1e-3, 1e30, 1e38, 1e40, 1e300, DBL_MAX};
    lmada_config_t config = variant(number);
    config.weight_decay = 0;
    AT("variant %d", number);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        model m = new_model(&config, DIM);
        real *grads = new_gradient(DIM, i);
        for (int step = 0; step < 12; step++) {
            if (step % 3 == 2) memset(grads, 0, DIM * sizeof *grads);
            else fill_gradient(grads, DIM, (uint64_t)step / 6);
            CHECK_OK(lmada_set_lr(m.opt, step % 4 < 2 ? 0.01 : rates[i]));
            const lmada_status_t status = real_step(m.opt, m.params, grads, DIM);
            CHECK(status == LMADA_OK || status == LMADA_ERROR_NON_FINITE);
            all_finite(&m);
            for (size_t j = 0; j < DIM; j++) m.params[j] = 1; /* far from overflow */
        }
        free(grads);
        free_model(&m);
    }
}

int main(void)
{
    momentum_of_updates_is_too_long();
    a_rate_that_does_not_go_with_the_decay_leaves_no_trace();
    a_loaded_rate_goes_with_the_decay();
    for (int number = 0; number < VARIANTS; number++) parameters_stay_finite(number);
    return 0;
}

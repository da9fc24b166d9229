/* lmada_set_lr takes effect from the next step on. It refuses invalid rates and changes nothing then. */
#include "twins.h"

#include <float.h>
#include <math.h>

enum { DIM = 12 };

static void rate_is_none(model *m)
{
    const struct {
        double lr;
        const char *words;
    } bad[] = {
        {(double)NAN, "lr is NaN:"}, {(double)INFINITY, "lr is inf:"}, {-(double)INFINITY, "lr is -inf:"},
        {-1, "lr is -1.0:"},         {-5e-324, "lr is -5e-324:"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_REFUSED(lmada_set_lr(m->opt, bad[i].lr), LMADA_ERROR_INVALID_ARGUMENT, bad[i].words);
    }
    CHECK_REFUSED(lmada_set_lr(NULL, 0.1), LMADA_ERROR_NULL_POINTER, "opt");
}

static void rates_at_the_edge_are_taken(void)
{
    const double good[] = {0, -0.0, 5e-324, 1, DBL_MAX};
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) CHECK_OK(lmada_set_lr(m.opt, good[i]));
    free_model(&m);
}

/* A rate set at creation and a rate set later have the same effect. */
static void a_rate_set_later_is_as_one_set_at_creation(int number)
{
    lmada_config_t config = variant(number), other_config = variant(number);
    model set, created;
    AT("variant %d", number);
    other_config.lr = 0.3;
    set = new_model(&config, DIM);
    created = new_model(&other_config, DIM);
    CHECK_OK(lmada_set_lr(set.opt, 0.3));
    step_model(&set, 0, 8);
    step_model(&created, 0, 8);
    CHECK(same_model(&set, &created));
    free_model(&set);
    free_model(&created);
}

static void a_rate_of_zero_moves_nothing_but_the_state(int number)
{
    const lmada_config_t config = variant(number);
    model moved = new_model(&config, DIM), still = new_model(&config, DIM);
    AT("variant %d", number);
    CHECK_OK(lmada_set_lr(still.opt, 0));
    step_model(&still, 0, 8);
    for (size_t i = 0; i < DIM; i++) CHECK(still.params[i] == 0);
    step_model(&moved, 0, 8);
    CHECK(!same_state(moved.opt, still.opt)); /* the state contains the rate */
    CHECK_OK(lmada_set_lr(still.opt, config.lr));
    CHECK(same_state(moved.opt, still.opt));
    free_model(&moved);
    free_model(&still);
}

int main(void)
{
    const refusal refusals[] = {{"rate_is_none", rate_is_none}};
    all_leave_no_trace(refusals, 1);
    rates_at_the_edge_are_taken();
    for (int number = 0; number < VARIANTS; number++) {
        a_rate_set_later_is_as_one_set_at_creation(number);
        a_rate_of_zero_moves_nothing_but_the_state(number);
    }
    return 0;
}

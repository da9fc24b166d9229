/* After lmada_reset a handle is as just created, with the same options and the learning rate that was set last. */
#include "model.h"

enum { DIM = 30, STEPS = 9 };

static void the_future_is_that_of_a_new_handle(int number, bool blocks, uint64_t past)
{
    const lmada_config_t config = variant(number);
    model used = blocks ? new_blocks_model(&config, DIM) : new_model(&config, DIM);
    model fresh = blocks ? new_blocks_model(&config, DIM) : new_model(&config, DIM);
    AT("variant %d, %d steps before", number, (int)past);
    step_model(&used, 100, past);
    CHECK_OK(lmada_reset(used.opt));
    memcpy(fresh.params, used.params, DIM * sizeof(real));
    CHECK(same_model(&used, &fresh));
    for (uint64_t step = 0; step < STEPS; step++) { /* the window fills again */
        step_model(&used, step, 1);
        step_model(&fresh, step, 1);
        CHECK(same_model(&used, &fresh));
    }
    free_model(&used);
    free_model(&fresh);
}

static void the_rate_set_last_is_kept(int number)
{
    const lmada_config_t config = variant(number);
    model used = new_model(&config, DIM), fresh = new_model(&config, DIM);
    AT("variant %d", number);
    step_model(&used, 100, 5);
    CHECK_OK(lmada_set_lr(used.opt, 0.7));
    CHECK_OK(lmada_reset(used.opt));
    CHECK(!same_state(used.opt, fresh.opt));
    CHECK_OK(lmada_set_lr(fresh.opt, 0.7));
    memcpy(fresh.params, used.params, DIM * sizeof(real));
    step_model(&used, 0, STEPS);
    step_model(&fresh, 0, STEPS);
    CHECK(same_model(&used, &fresh));
    free_model(&used);
    free_model(&fresh);
}

int main(void)
{
    CHECK_REFUSED(lmada_reset(NULL), LMADA_ERROR_NULL_POINTER, "opt");
    for (int number = 0; number < VARIANTS; number++) {
        for (uint64_t past = 0; past < 12; past += 3) {
            the_future_is_that_of_a_new_handle(number, false, past);
            the_future_is_that_of_a_new_handle(number, true, past);
        }
        the_rate_set_last_is_kept(number);
    }
    return 0;
}

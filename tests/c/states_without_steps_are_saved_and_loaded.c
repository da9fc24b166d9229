/* A handle without steps is saved and loaded like any other: the loading handle is then as new. */
#include "model.h"

enum { DIM = 300, STEPS = 7 };

static model of(int number, bool blocks)
{
    const lmada_config_t config = variant(number);
    return blocks ? new_blocks_model(&config, DIM) : new_model(&config, DIM);
}

static void load(model *m, const unsigned char *state, size_t bytes)
{
    const lmada_config_t config = base_config();
    CHECK_OK(lmada_state_load(m->opt, state, bytes));
    CHECK(stats_of(m->opt).steps == 0 && stats_of(m->opt).history_len == 0);
    CHECK_OK(lmada_set_lr(m->opt, config.lr));
}

static void the_loaded_are_as_new(int number, bool blocks)
{
    model saved = of(number, blocks), used = of(number, blocks), fresh = of(number, blocks);
    size_t bytes, used_bytes;
    unsigned char *state = saved_state(saved.opt, &bytes), *again;
    AT("variant %d%s", number, blocks ? " in blocks" : "");
    CHECK_OK(lmada_state_size(used.opt, &used_bytes));
    CHECK(used_bytes == bytes);
    step_model(&used, 100, STEPS);
    CHECK_OK(lmada_state_size(used.opt, &used_bytes));
    CHECK(used_bytes == bytes);
    load(&used, state, bytes);
    load(&saved, state, bytes); /* its own */
    again = saved_state(used.opt, &bytes);
    CHECK(memcmp(state, again, bytes) == 0);
    memcpy(fresh.params, used.params, DIM * sizeof(real));
    memcpy(saved.params, used.params, DIM * sizeof(real));
    for (uint64_t step = 0; step < STEPS; step++) {
        step_model(&used, step, 1);
        step_model(&saved, step, 1);
        step_model(&fresh, step, 1);
        CHECK(same_model(&used, &fresh));
        CHECK(same_model(&saved, &fresh));
    }
    free(state);
    free(again);
    free_model(&saved);
    free_model(&used);
    free_model(&fresh);
}

/* A share loaded from states without steps. */
static void shares_are_put_together(int number)
{
    model whole = of(number, false), one = of(number, false);
    size_t bytes;
    const size_t first = 0;
    unsigned char *state = saved_state(whole.opt, &bytes);
    const void *states[1];
    AT("variant %d", number);
    states[0] = state;
    step_model(&one, 3, STEPS);
    CHECK_OK(lmada_state_load_shares(one.opt, &first, states, &bytes, 1));
    CHECK(same_state(one.opt, whole.opt));
    free(state);
    free_model(&whole);
    free_model(&one);
}

int main(void)
{
    for (int number = 0; number < VARIANTS; number++) {
        the_loaded_are_as_new(number, false);
        the_loaded_are_as_new(number, true);
        shares_are_put_together(number);
    }
    return 0;
}

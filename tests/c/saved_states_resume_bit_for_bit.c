/* A run that saves its state and loads it, into a new or a used handle, continues with the bits of a run without a
 * save. */
#include "model.h"

enum { DIM = 33, FUTURE = 12 };

static model make(int number, bool blocks)
{
    const lmada_config_t config = variant(number);
    return blocks ? new_blocks_model(&config, DIM) : new_model(&config, DIM);
}

/* Saves after `past` steps, fewer or more than the window holds, and loads into a handle with `used` steps of another
 * run. */
static void resume(int number, bool blocks, uint64_t past, uint64_t used)
{
    model run = make(number, blocks), resumed = make(number, blocks);
    size_t bytes;
    unsigned char *state;
    AT("variant %d%s, %d steps over %d", number, blocks ? " in blocks" : "", (int)past, (int)used);
    step_model(&run, 0, past);
    state = saved_state(run.opt, &bytes);
    step_model(&resumed, 100, used);
    CHECK_OK(lmada_state_load(resumed.opt, state, bytes));
    memcpy(resumed.params, run.params, DIM * sizeof(real));
    CHECK(same_model(&run, &resumed));
    CHECK(stats_of(resumed.opt).steps == past);
    step_model(&run, past, FUTURE);
    step_model(&resumed, past, FUTURE);
    CHECK(same_model(&run, &resumed));
    CHECK(stats_of(resumed.opt).steps == past + FUTURE);
    free(state);
    free_model(&run);
    free_model(&resumed);
}

static void saving_changes_nothing(int number)
{
    model saved = make(number, false), twin = make(number, false);
    AT("variant %d", number);
    for (uint64_t step = 0; step < FUTURE; step++) {
        size_t bytes;
        free(saved_state(saved.opt, &bytes));
        step_model(&saved, step, 1);
        step_model(&twin, step, 1);
    }
    CHECK(same_model(&saved, &twin));
    free_model(&saved);
    free_model(&twin);
}

static void the_size_does_not_depend_on_the_steps(int number)
{
    model m = make(number, true);
    size_t first, later;
    AT("variant %d", number);
    CHECK_OK(lmada_state_size(m.opt, &first));
    step_model(&m, 0, 9);
    CHECK_OK(lmada_state_size(m.opt, &later));
    CHECK(first == later);
    free_model(&m);
}

/* The handle takes the learning rate of the state. Options that do not affect the layout may differ; the handle keeps
 * its own. */
static void the_rate_is_restored_and_other_options_stay(int number)
{
    lmada_config_t config = variant(number), other_config = variant(number);
    model run, resumed;
    size_t bytes;
    unsigned char *state;
    AT("variant %d", number);
    other_config.lr = 7;
    run = new_model(&config, DIM);
    resumed = new_model(&other_config, DIM);
    CHECK_OK(lmada_set_lr(run.opt, 0.25));
    step_model(&run, 0, 6);
    state = saved_state(run.opt, &bytes);
    CHECK_OK(lmada_state_load(resumed.opt, state, bytes));
    memcpy(resumed.params, run.params, DIM * sizeof(real));
    step_model(&run, 6, FUTURE);
    step_model(&resumed, 6, FUTURE);
    CHECK(same_model(&run, &resumed));
    CHECK_OK(lmada_reset(resumed.opt));
    step_model(&resumed, 0, 6); /* a reset keeps the loaded rate */
    {
        unsigned char *again = saved_state(resumed.opt, &bytes);
        CHECK(memcmp(state, again, bytes) == 0);
        free(again);
    }
    free_model(&resumed);

    other_config = variant(number);
    other_config.eps *= 2;
    other_config.eps += 1e-3;
    other_config.threads = 2;
    other_config.weight_decay = 0.5;
    resumed = new_model(&other_config, DIM);
    CHECK_OK(lmada_state_load(resumed.opt, state, bytes));
    step_model(&resumed, 6, FUTURE);
    CHECK(!same_reals(run.params, resumed.params, DIM));
    free(state);
    free_model(&run);
    free_model(&resumed);
}

/* A state is bytes: it needs no alignment. */
static void buffers_need_no_alignment(void)
{
    model m = make(1, true);
    size_t bytes;
    unsigned char *aligned, *room;
    step_model(&m, 0, 6);
    aligned = saved_state(m.opt, &bytes);
    for (size_t shift = 1; shift < 16; shift++) {
        room = check_alloc(bytes + shift);
        AT("shift %zu", shift);
        CHECK_OK(lmada_state_save(m.opt, room + shift, bytes));
        CHECK(memcmp(aligned, room + shift, bytes) == 0);
        CHECK_OK(lmada_reset(m.opt));
        CHECK_OK(lmada_state_load(m.opt, room + shift, bytes));
        CHECK_OK(lmada_state_save(m.opt, room + shift, bytes));
        CHECK(memcmp(aligned, room + shift, bytes) == 0);
        free(room);
    }
    free(aligned);
    free_model(&m);
}

static void an_empty_share_has_a_state_too(void)
{
    const lmada_config_t config = base_config();
    const size_t none = 0;
    model m = {NULL, zeros(0), 0};
    size_t bytes;
    unsigned char *state;
    CHECK_OK(lmada_create_blocks(&config, &none, 1, &m.opt));
    step_model(&m, 0, 3);
    state = saved_state(m.opt, &bytes);
    CHECK(bytes > 0);
    CHECK_OK(lmada_reset(m.opt));
    CHECK_OK(lmada_state_load(m.opt, state, bytes));
    CHECK(stats_of(m.opt).steps == 3);
    free(state);
    free_model(&m);
}

int main(void)
{
    const uint64_t pasts[] = {0, 1, 3, 4, 5, 11};
    for (int number = 0; number < VARIANTS; number++) {
        for (size_t i = 0; i < sizeof pasts / sizeof *pasts; i++) {
            resume(number, false, pasts[i], 0);
            resume(number, true, pasts[i], 2);
            resume(number, false, pasts[i], 9);
        }
        saving_changes_nothing(number);
        the_size_does_not_depend_on_the_steps(number);
        the_rate_is_restored_and_other_options_stay(number);
    }
    buffers_need_no_alignment();
    an_empty_share_has_a_state_too();
    return 0;
}

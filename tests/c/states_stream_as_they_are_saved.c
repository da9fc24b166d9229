/* A state written to a callback has the bytes of a saved state. The handle created from it equals the saved handle:
 * options, blocks, learning rate, and every later step. */
#include "model.h"
#include "stream.h"

enum { DIM = 9001, SMALL = 33, FUTURE = 9 };

static unsigned char *written_state(const lmada_t *opt, size_t *bytes)
{
    stream s = {NULL, 0, 0, 0, 0};
    CHECK_OK(lmada_state_size(opt, bytes));
    s.bytes = check_alloc(*bytes);
    s.size = *bytes;
    CHECK_OK(lmada_state_write(opt, stream_write, &s));
    CHECK(s.at == *bytes);
    return s.bytes;
}

static void the_handle_is_made_anew(int number, bool blocks, size_t dim, uint64_t past)
{
    lmada_config_t config = variant(number);
    model run, anew = {NULL, NULL, dim};
    size_t bytes, written_bytes, again_bytes;
    unsigned char *saved, *written, *again;
    AT("variant %d%s, %zu parameters, %d steps", number, blocks ? " in blocks" : "", dim, (int)past);
    config.lr = 0.5; /* changed before the save */
    config.threads = 2;
    run = blocks ? new_blocks_model(&config, dim) : new_model(&config, dim);
    step_model(&run, 0, past);
    CHECK_OK(lmada_set_lr(run.opt, 0.125));
    saved = saved_state(run.opt, &bytes);
    written = written_state(run.opt, &written_bytes);
    CHECK(written_bytes == bytes && memcmp(saved, written, bytes) == 0);

    anew.opt = handle_of(written, bytes);
    anew.params = zeros(dim);
    memcpy(anew.params, run.params, dim * sizeof(real));
    /* The state contains the options. */
    again = saved_state(anew.opt, &again_bytes);
    CHECK(again_bytes == bytes && memcmp(saved, again, bytes) == 0);
    CHECK(stats_of(anew.opt).steps == past);
    CHECK(stats_of(anew.opt).state_bytes == stats_of(run.opt).state_bytes);
    step_model(&run, past, FUTURE);
    step_model(&anew, past, FUTURE);
    CHECK(same_model(&run, &anew));
    CHECK_OK(lmada_reset(run.opt));
    CHECK_OK(lmada_reset(anew.opt));
    step_model(&run, 0, FUTURE);
    step_model(&anew, 0, FUTURE);
    CHECK(same_model(&run, &anew));
    free(saved);
    free(written);
    free(again);
    free_model(&run);
    free_model(&anew);
}

/* Every option at another value than its default. */
static void every_option_is_restored(void)
{
    lmada_config_t config = base_config();
    model run, anew = {NULL, NULL, SMALL};
    size_t bytes;
    unsigned char *state;
    config.history_size = 3;
    config.density = 0.25;
    config.eps = 1e-5;
    config.eps_relative = 1e-4;
    config.power = 0.75;
    config.eps_on_root = true;
    config.rank_tol = 1e-9;
    config.centered = true;
    config.history_decay = 0.9;
    config.orthogonal_scale = 0.25;
    config.momentum_kind = LMADA_MOMENTUM_GRADIENT;
    config.momentum = 0.7;
    config.bias_correction = false;
    config.clip_kind = LMADA_CLIP_EMA_NORM;
    config.clip_norm = 3;
    config.clip_factor = 0.5;
    config.clip_beta = 0.8;
    config.weight_decay = 0.05;
    config.lr = 0.03;
    AT("every option");
    run = new_model(&config, SMALL);
    state = saved_state(run.opt, &bytes); /* before the first step: later steps depend on the options only */
    anew.opt = handle_of(state, bytes);
    anew.params = zeros(SMALL);
    leave_zero(&run);
    leave_zero(&anew);
    for (uint64_t step = 0; step < FUTURE; step++) {
        step_model(&run, step, 1);
        step_model(&anew, step, 1);
        CHECK(same_model(&run, &anew));
    }
    free(state);
    free_model(&run);
    free_model(&anew);
}

/* Several states in one stream: none is read beyond its end. */
static void states_follow_each_other(void)
{
    unsigned char *states[VARIANTS], *all;
    size_t sizes[VARIANTS], total = 0;
    stream s = {NULL, 0, 0, 0, 0};
    AT("several in a stream");
    for (int number = 0; number < VARIANTS; number++) {
        const lmada_config_t config = variant(number);
        model m = new_model(&config, SMALL);
        step_model(&m, 0, 5);
        states[number] = saved_state(m.opt, &sizes[number]);
        total += sizes[number];
        free_model(&m);
    }
    all = check_alloc(total);
    for (int number = 0; number < VARIANTS; number++) {
        memcpy(all + s.size, states[number], sizes[number]);
        s.size += sizes[number];
    }
    s.bytes = all;
    for (int number = 0; number < VARIANTS; number++) {
        lmada_t *opt;
        unsigned char *again;
        size_t bytes;
        CHECK_OK(lmada_create_from_state(stream_read, &s, &opt));
        again = saved_state(opt, &bytes);
        CHECK(bytes == sizes[number] && memcmp(again, states[number], bytes) == 0);
        free(again);
        free(states[number]);
        lmada_free(opt);
    }
    CHECK(s.at == total);
    free(all);
}

/* Short pieces are gathered, and long pieces are not cut. */
static void pieces_are_few(void)
{
    for (int number = 0; number < VARIANTS; number++) {
        const lmada_config_t config = variant(number);
        model m = new_model(&config, DIM);
        stream s = {NULL, 0, 0, 0, 0};
        size_t bytes;
        AT("pieces of variant %d", number);
        step_model(&m, 0, 3);
        s.bytes = written_state(m.opt, &bytes);
        s.size = bytes;
        CHECK_OK(lmada_state_write(m.opt, stream_write, &s));
        CHECK(s.calls <= bytes / 1000 + 10);
        s.at = s.calls = 0;
        lmada_free(m.opt);
        CHECK_OK(lmada_create_from_state(stream_read, &s, &m.opt));
        CHECK(s.calls <= bytes / 1000 + 20);
        free(s.bytes);
        free_model(&m);
    }
}

int main(void)
{
    const uint64_t pasts[] = {0, 1, 4, 11};
    for (int number = 0; number < VARIANTS; number++) {
        for (size_t i = 0; i < sizeof pasts / sizeof *pasts; i++) {
            the_handle_is_made_anew(number, false, SMALL, pasts[i]);
            the_handle_is_made_anew(number, true, SMALL, pasts[i]);
        }
        the_handle_is_made_anew(number, number % 2, DIM, 5);
    }
    every_option_is_restored();
    states_follow_each_other();
    pieces_are_few();
    return 0;
}

/* States of shares are loaded into other shares and back, bit for bit. States that do not fit are refused, and nothing
 * changes. */
#include "split.h"

enum { DIM = 12288 + 300, PAST = 6, FUTURE = 5 };

/* Starts of shares that cut no group of any format. */
static const size_t four[] = {0, 4096, 4096, 8192, DIM}, three[] = {0, 0, 8192, DIM}, one[] = {0, DIM};
static const size_t uneven[] = {0, 1, 5000, DIM};

typedef struct {
    void *states[MOST];
    size_t bytes[MOST];
    size_t count;
} saved;

static saved save_split(const split *s)
{
    saved all = {{NULL}, {0}, 0};
    for (int i = 0; i < s->count; i++) all.states[i] = saved_state(s->models[i].opt, &all.bytes[i]);
    all.count = (size_t)s->count;
    return all;
}

static void free_saved(saved *all)
{
    for (size_t i = 0; i < all->count; i++) free(all->states[i]);
}

static lmada_status_t load(lmada_t *opt, size_t first, const saved *all)
{
    const void *states[MOST];
    for (size_t i = 0; i < all->count; i++) states[i] = all->states[i];
    return lmada_state_load_shares(opt, &first, states, all->bytes, all->count);
}

static void load_split(split *s, const saved *all)
{
    for (int i = 0; i < s->count; i++) CHECK_OK(load(s->models[i].opt, s->starts[i], all));
}

/* Loads `count` shares into others and back, then steps the others. */
static void a_round_trip_is_exact(int number, int count, const size_t *starts)
{
    const lmada_config_t config = variant(number);
    split source = new_split(&config, 4, four), others = new_split(&config, count, starts);
    split back = new_split(&config, 4, four);
    saved all, all_others;
    AT("variant %d, from 4 to %d", number, count);
    for (uint64_t step = 0; step < PAST; step++) step_split(&source, step, &config);
    all = save_split(&source);
    load_split(&others, &all);
    all_others = save_split(&others);
    load_split(&back, &all_others);
    for (int i = 0; i < 4; i++) CHECK(same_state(source.models[i].opt, back.models[i].opt));
    for (uint64_t step = PAST; step < PAST + FUTURE; step++) step_split(&others, step, &config);
    CHECK(stats_of(others.models[0].opt).steps == PAST + FUTURE);
    free_saved(&all);
    free_saved(&all_others);
    free_split(&source);
    free_split(&others);
    free_split(&back);
}

/* A share needs only the states that have a part of it; its place is then counted from the first of them. */
static void some_of_the_states_will_do(int number)
{
    const lmada_config_t config = variant(number);
    split source = new_split(&config, 4, four);
    const size_t dim = DIM - 8192;
    model from_all = new_model(&config, dim), from_one = new_model(&config, dim);
    saved all, last = {{NULL}, {0}, 1};
    AT("variant %d", number);
    for (uint64_t step = 0; step < PAST; step++) step_split(&source, step, &config);
    all = save_split(&source);
    last.states[0] = all.states[3];
    last.bytes[0] = all.bytes[3];
    CHECK_OK(load(from_all.opt, 8192, &all));
    CHECK_OK(load(from_one.opt, 0, &last));
    CHECK(same_state(from_all.opt, from_one.opt) && same_state(from_all.opt, source.models[3].opt));
    free_saved(&all);
    free_split(&source);
    free_model(&from_all);
    free_model(&from_one);
}

/* Refusals do not change the handle. */
static void what_does_not_fit_is_refused(int number)
{
    const lmada_config_t config = variant(number);
    split source = new_split(&config, 4, four), ahead = new_split(&config, 4, four), other = new_split(&config, 4, four);
    model m = new_model(&config, 8192), twin = new_model(&config, 8192), two = new_blocks_model(&config, 9);
    const size_t first = 0, places[3] = {0};
    const void *states[2];
    saved all, mixed;
    AT("variant %d", number);
    step_model(&m, 90, 3);
    step_model(&twin, 90, 3);
    for (uint64_t step = 0; step < PAST; step++) step_split(&source, step, &config);
    for (uint64_t step = 0; step < PAST + 1; step++) step_split(&ahead, step, &config);
    for (uint64_t step = 50; step < 50 + PAST; step++) step_split(&other, step, &config);
    mixed = all = save_split(&source);
    states[0] = all.states[0];
    states[1] = NULL;
#define REFUSED(call, status, words)         \
    do {                                     \
        CHECK_REFUSED(call, status, words);  \
        CHECK(same_state(m.opt, twin.opt));  \
    } while (0)
    REFUSED(lmada_state_load_shares(NULL, &first, states, all.bytes, 1), LMADA_ERROR_NULL_POINTER, "opt");
    REFUSED(lmada_state_load_shares(m.opt, NULL, states, all.bytes, 1), LMADA_ERROR_NULL_POINTER, "firsts");
    REFUSED(lmada_state_load_shares(m.opt, &first, NULL, all.bytes, 1), LMADA_ERROR_NULL_POINTER, "states");
    REFUSED(lmada_state_load_shares(m.opt, &first, states, NULL, 1), LMADA_ERROR_NULL_POINTER, "bytes");
    REFUSED(lmada_state_load_shares(m.opt, &first, states, all.bytes, 2), LMADA_ERROR_NULL_POINTER, "states[1]");
    REFUSED(lmada_state_load_shares(m.opt, &first, states, all.bytes, 0), LMADA_ERROR_INVALID_ARGUMENT, "count is 0");
    REFUSED(lmada_state_load_shares(m.opt, &first, states, all.bytes, SIZE_MAX), LMADA_ERROR_INVALID_ARGUMENT,
            "states");
    REFUSED(load(m.opt, DIM, &all), LMADA_ERROR_INVALID_ARGUMENT, "firsts[0] is 12588");
    REFUSED(load(m.opt, 8192, &all), LMADA_ERROR_INVALID_ARGUMENT, "firsts[0] is 8192");
    REFUSED(load(m.opt, SIZE_MAX, &all), LMADA_ERROR_INVALID_ARGUMENT, "firsts[0] is ");
    CHECK_REFUSED(lmada_state_load_shares(two.opt, places, (const void *const *)all.states, all.bytes, 1),
                  LMADA_ERROR_DIMENSION_MISMATCH, "blocks");
    for (size_t i = 0; i < all.count; i++) {
        char words[40];
        unsigned char *bytes = all.states[i];
        AT("variant %d, state %zu", number, i);
        snprintf(words, sizeof words, "states[%zu]", i);
        bytes[all.bytes[i] / 2] ^= 1;
        REFUSED(load(m.opt, 0, &all), LMADA_ERROR_BAD_STATE, words);
        bytes[all.bytes[i] / 2] ^= 1;
        mixed.bytes[i]--;
        REFUSED(load(m.opt, 0, &mixed), LMADA_ERROR_BAD_STATE, words);
        mixed.bytes[i]++;
    }
    mixed.states[2] = saved_state(ahead.models[2].opt, &mixed.bytes[2]);
    REFUSED(load(m.opt, 0, &mixed), LMADA_ERROR_INVALID_ARGUMENT, "states[2] is 7: expected a state of the same step");
    free(mixed.states[2]);
    mixed.states[2] = saved_state(other.models[2].opt, &mixed.bytes[2]);
    REFUSED(load(m.opt, 0, &mixed), LMADA_ERROR_INVALID_ARGUMENT, "states[2] is of other gradients");
    free(mixed.states[2]);
    CHECK_OK(lmada_begin(m.opt));
    CHECK_REFUSED(load(m.opt, 0, &all), LMADA_ERROR_WRONG_PHASE, "lmada_state_load_shares");
    CHECK_OK(lmada_cancel(m.opt));
    if (number >= FULL_VARIANTS && config.history_format != LMADA_HISTORY_BF16) {
        REFUSED(load(m.opt, 100, &all), LMADA_ERROR_INVALID_ARGUMENT, "cut no group");
        REFUSED(load(m.opt, 4096 - 100, &all), LMADA_ERROR_INVALID_ARGUMENT, "cut no group");
    }
    CHECK_OK(load(m.opt, 4096, &all));
    CHECK(!same_state(m.opt, twin.opt));
    free_saved(&all);
    free_split(&source);
    free_split(&ahead);
    free_split(&other);
    free_model(&m);
    free_model(&twin);
    free_model(&two);
}

int main(void)
{
    for (int number = 0; number < VARIANTS; number++) {
        a_round_trip_is_exact(number, 3, three);
        a_round_trip_is_exact(number, 1, one);
        a_round_trip_is_exact(number, 4, four);
        if (number < FULL_VARIANTS) a_round_trip_is_exact(number, 3, uneven);
        some_of_the_states_will_do(number);
        what_does_not_fit_is_refused(number);
    }
    return 0;
}

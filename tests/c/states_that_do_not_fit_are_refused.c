/* Damaged, truncated and foreign states are refused, and nothing changes. Wrong sizes are refused too, and states of
 * another layout, whose message names the option that differs. */
#include "twins.h"

enum { DIM = TWIN_DIM };

/* The state of the model, which the refusals below damage. */
static unsigned char *good_state(model *m, size_t *bytes)
{
    return saved_state(m->opt, bytes);
}

static void pointers_are_null(model *m)
{
    size_t bytes = 77;
    unsigned char *state = good_state(m, &bytes);
    CHECK_REFUSED(lmada_state_load(m->opt, NULL, bytes), LMADA_ERROR_NULL_POINTER, "buffer");
    CHECK_REFUSED(lmada_state_load(m->opt, NULL, 0), LMADA_ERROR_NULL_POINTER, "buffer");
    CHECK_REFUSED(lmada_state_load(NULL, state, bytes), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(lmada_state_save(m->opt, NULL, bytes), LMADA_ERROR_NULL_POINTER, "buffer");
    CHECK_REFUSED(lmada_state_save(NULL, state, bytes), LMADA_ERROR_NULL_POINTER, "opt");
    CHECK_REFUSED(lmada_state_size(m->opt, NULL), LMADA_ERROR_NULL_POINTER, "bytes");
    CHECK_REFUSED(lmada_state_size(NULL, &bytes), LMADA_ERROR_NULL_POINTER, "opt");
    free(state);
}

static void place_for_the_size_is_unaligned(model *m)
{
    size_t room[2] = {7, 7};
    CHECK_REFUSED(lmada_state_size(m->opt, one_byte_into(room)), LMADA_ERROR_INVALID_ARGUMENT, "bytes is ");
    CHECK(room[0] == 7 && room[1] == 7);
}

static void room_to_save_is_of_another_size(model *m)
{
    size_t bytes;
    unsigned char *state = good_state(m, &bytes), *room = check_alloc(bytes + 8);
    const size_t sizes[] = {0, 1, bytes - 1, bytes + 1, bytes + 8};
    memset(room, 0xA5, bytes + 8);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char words[40];
        snprintf(words, sizeof words, "bytes is %zu:", sizes[i]);
        CHECK_REFUSED(lmada_state_save(m->opt, room, sizes[i]), LMADA_ERROR_DIMENSION_MISMATCH, words);
    }
    for (size_t i = 0; i < bytes + 8; i++) CHECK(room[i] == 0xA5);
    free(state);
    free(room);
}

/* Tries every wrong length, each in memory of exactly that length. */
static void state_is_cut_short_or_too_long(model *m)
{
    size_t bytes;
    unsigned char *state = good_state(m, &bytes);
    for (size_t length = 0; length < bytes + 9; length++) {
        unsigned char *cut = check_alloc(length);
        memset(cut, 0, length);
        memcpy(cut, state, length < bytes ? length : bytes);
        if (length != bytes) CHECK_STATUS(lmada_state_load(m->opt, cut, length), LMADA_ERROR_BAD_STATE);
        free(cut);
    }
    free(state);
}

static void any_bit_is_flipped(model *m)
{
    size_t bytes;
    unsigned char *state = good_state(m, &bytes);
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        state[bit / 8] ^= (unsigned char)(1u << bit % 8);
        CHECK_STATUS(lmada_state_load(m->opt, state, bytes), LMADA_ERROR_BAD_STATE);
        state[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    CHECK(strlen(lmada_last_error()) > 0);
    CHECK_OK(lmada_state_load(m->opt, state, bytes)); /* its own state changes nothing */
    free(state);
}

static void state_is_something_else(model *m)
{
    size_t bytes;
    unsigned char *state = good_state(m, &bytes);
    for (int filling = 0; filling < 256; filling += 51) {
        memset(state, filling, bytes);
        CHECK_STATUS(lmada_state_load(m->opt, state, bytes), LMADA_ERROR_BAD_STATE);
    }
    for (size_t seed = 1; seed < 50; seed++) {
        for (size_t i = 0; i < bytes; i++) state[i] = (unsigned char)((i * i * 31 + i * seed * 7 + seed) >> 2);
        CHECK_STATUS(lmada_state_load(m->opt, state, bytes), LMADA_ERROR_BAD_STATE);
    }
    free(state);
}

/* Loads the state of an optimizer that differs in one option. */
static void load_another(model *m, const lmada_config_t *config, const size_t *dims, size_t count,
                         lmada_status_t status, const char *words)
{
    lmada_t *another;
    size_t bytes;
    unsigned char *state;
    CHECK_OK(lmada_create_blocks(config, dims, count, &another));
    state = saved_state(another, &bytes);
    CHECK_REFUSED(lmada_state_load(m->opt, state, bytes), status, words);
    free(state);
    lmada_free(another);
}

/* Variant 0 in one block: each option that affects the layout, with its name in the message. */
static void shape_differs(model *m)
{
    const size_t same[] = {DIM}, shorter[] = {DIM - 1}, longer[] = {DIM + 1}, more[] = {DIM, 0}, halves[] = {6, 6};
    const lmada_config_t config = variant(0);
    lmada_config_t changed = config;
    changed.history_size = config.history_size + 1;
    load_another(m, &changed, same, 1, LMADA_ERROR_DIMENSION_MISMATCH, "history_size");
    changed.history_size = config.history_size - 1;
    load_another(m, &changed, same, 1, LMADA_ERROR_DIMENSION_MISMATCH, "history_size");
    changed = config;
    changed.dtype = REAL_DTYPE == LMADA_F32 ? LMADA_F64 : LMADA_F32;
    load_another(m, &changed, same, 1, LMADA_ERROR_INVALID_ARGUMENT, "dtype");
    changed = config;
    changed.density = 0.5;
    load_another(m, &changed, same, 1, LMADA_ERROR_INVALID_ARGUMENT, "density");
    changed = config;
    changed.momentum_kind = LMADA_MOMENTUM_GRADIENT;
    load_another(m, &changed, same, 1, LMADA_ERROR_INVALID_ARGUMENT, "momentum_kind");
    changed.momentum_kind = LMADA_MOMENTUM_UPDATE;
    load_another(m, &changed, same, 1, LMADA_ERROR_INVALID_ARGUMENT, "momentum_kind");
    changed = config;
    changed.clip_kind = LMADA_CLIP_NORM;
    load_another(m, &changed, same, 1, LMADA_ERROR_INVALID_ARGUMENT, "clip_kind");
    changed.clip_kind = LMADA_CLIP_EMA_VECTOR;
    load_another(m, &changed, same, 1, LMADA_ERROR_INVALID_ARGUMENT, "clip_kind");
    changed = config;
    changed.diagonal_beta = 0.9;
    load_another(m, &changed, same, 1, LMADA_ERROR_INVALID_ARGUMENT, "diagonal_beta");
    for (int32_t format = LMADA_HISTORY_BF16; REAL_DTYPE == LMADA_F32 && format <= LMADA_HISTORY_SPARSE; format++) {
        changed = config;
        changed.history_format = format;
        load_another(m, &changed, same, 1, LMADA_ERROR_INVALID_ARGUMENT, "history_format");
    }
    load_another(m, &config, shorter, 1, LMADA_ERROR_DIMENSION_MISMATCH, "");
    load_another(m, &config, longer, 1, LMADA_ERROR_DIMENSION_MISMATCH, "");
    load_another(m, &config, more, 2, LMADA_ERROR_DIMENSION_MISMATCH, "");
    load_another(m, &config, halves, 2, LMADA_ERROR_DIMENSION_MISMATCH, "");
}

/* The last variant, which is sparse: another format, another density. */
static void format_differs(model *m)
{
    const size_t same[] = {DIM};
    const lmada_config_t config = variant(VARIANTS - 1);
    lmada_config_t changed = config;
    for (int32_t format = LMADA_HISTORY_FULL; format < config.history_format; format++) {
        changed.history_format = format;
        load_another(m, &changed, same, 1, LMADA_ERROR_INVALID_ARGUMENT, "history_format");
    }
    changed = config;
    changed.density = config.density + 0.01; /* at this length it keeps as many entries */
    load_another(m, &changed, same, 1, LMADA_ERROR_INVALID_ARGUMENT, "density");
}

#define REFUSAL(name) {#name, name}

int main(void)
{
    const refusal all_variants[] = {
        REFUSAL(pointers_are_null),
        REFUSAL(place_for_the_size_is_unaligned),
        REFUSAL(room_to_save_is_of_another_size),
        REFUSAL(state_is_cut_short_or_too_long),
        REFUSAL(state_is_something_else),
    };
    const refusal flips = REFUSAL(any_bit_is_flipped), shapes = REFUSAL(shape_differs);
    const refusal formats = REFUSAL(format_differs);
    all_leave_no_trace(all_variants, sizeof all_variants / sizeof *all_variants);
    leaves_no_trace(&flips, 0, false, TWIN_PAST);
    leaves_no_trace(&flips, 1, true, 2);
    leaves_no_trace(&flips, 2, true, TWIN_PAST);
    leaves_no_trace(&shapes, 0, false, TWIN_PAST);
    leaves_no_trace(&shapes, 0, false, 0);
    if (VARIANTS > FULL_VARIANTS) leaves_no_trace(&formats, VARIANTS - 1, false, TWIN_PAST);
    for (int number = FULL_VARIANTS; number < VARIANTS; number++) leaves_no_trace(&flips, number, true, TWIN_PAST);
    return 0;
}

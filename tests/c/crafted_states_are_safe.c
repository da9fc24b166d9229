/* A changed state with a matching checksum, as from an attacker or a defect elsewhere, is either refused with nothing
 * changed, or accepted. After that every call returns a status, and memory stays safe. */
#include "twins.h"

#include <math.h>

static void the_form_is_that_of_this_test(model *m)
{
    size_t bytes;
    unsigned char *state = saved_state(m->opt, &bytes), *sealed = check_alloc(bytes);
    const saved_form form = form_of(state, bytes);
    memcpy(sealed, state, bytes);
    for (int part = 0; part < FORM_PARTS; part++) memset(sealed + form.ends[part], 0, FORM_CHECKSUM);
    CHECK(memcmp(state, sealed, bytes) != 0);
    seal(sealed, bytes, form);
    CHECK(memcmp(state, sealed, bytes) == 0);
    free(state);
    free(sealed);
}

static void version_is_unknown(model *m)
{
    size_t bytes;
    unsigned char *state = saved_state(m->opt, &bytes);
    const saved_form form = form_of(state, bytes);
    for (int byte = FORM_VERSION; byte < FORM_OPTIONS; byte++) {
        state[byte] ^= 4;
        seal(state, bytes, form);
        CHECK_REFUSED(lmada_state_load(m->opt, state, bytes), LMADA_ERROR_BAD_STATE, "version");
        state[byte] ^= 4;
    }
    free(state);
}

/* Tries every wrong length, from that of the magic number on. */
static void length_is_another(model *m)
{
    size_t bytes;
    unsigned char *state = saved_state(m->opt, &bytes);
    const saved_form form = form_of(state, bytes);
    for (size_t length = FORM_VERSION; length < bytes + 17; length++) {
        unsigned char *other_state = check_alloc(length);
        memset(other_state, 0, length);
        memcpy(other_state, state, length < bytes ? length : bytes);
        seal(other_state, length, form);
        if (length != bytes) CHECK_STATUS(lmada_state_load(m->opt, other_state, length), LMADA_ERROR_BAD_STATE);
        free(other_state);
    }
    free(state);
}

/* Takes steps, in one call and in phases, and reads the stats: each call returns a status. */
static void go_on(model *m)
{
    real *grads = new_gradient(m->dim, 50);
    size_t bytes;
    for (int step = 0; step < 3; step++) {
        const lmada_status_t status = real_step(m->opt, m->params, grads, m->dim);
        if (status != LMADA_ERROR_NON_FINITE) CHECK_OK(status);
    }
    stats_of(m->opt);
    free(saved_state(m->opt, &bytes));
    free(grads);
}

/* Changes each `stride`-th byte of the state in turn. */
static void every_byte_is_another(int number, bool blocks, size_t stride)
{
    const unsigned char masks[] = {0x01, 0x80, 0xFF};
    model twin = new_twin(number, blocks), m = new_twin(number, blocks);
    size_t bytes, taken = 0, refused = 0;
    unsigned char *state, *changed;
    saved_form form;
    step_model(&twin, 0, TWIN_PAST);
    the_form_is_that_of_this_test(&twin);
    state = saved_state(twin.opt, &bytes);
    form = form_of(state, bytes);
    changed = check_alloc(bytes);
    for (size_t byte = FORM_VERSION; byte < bytes; byte += stride) {
        for (size_t mask = 0; mask < sizeof masks; mask++) {
            lmada_status_t status;
            AT("byte %zu, mask %x, variant %d", byte, masks[mask], number);
            CHECK_OK(lmada_state_load(m.opt, state, bytes));
            memcpy(changed, state, bytes);
            changed[byte] ^= masks[mask];
            seal(changed, bytes, form);
            status = lmada_state_load(m.opt, changed, bytes);
            if (status == LMADA_OK) {
                taken++;
                go_on(&m);
            } else {
                refused++;
                CHECK(status == LMADA_ERROR_BAD_STATE || status == LMADA_ERROR_DIMENSION_MISMATCH ||
                      status == LMADA_ERROR_INVALID_ARGUMENT);
                CHECK(same_state(m.opt, twin.opt));
            }
        }
    }
    CHECK(taken > 0 && refused > 0);
    free(state);
    free(changed);
    free_model(&m);
    free_model(&twin);
}

/* A saved state, and the offsets of its parts. */
typedef struct {
    unsigned char *state, *changed;
    size_t bytes;
    saved_form form;
    uint32_t history_size;
} gram_state;

static gram_state new_gram_state(model *m)
{
    gram_state g;
    g.state = saved_state(m->opt, &g.bytes);
    g.form = form_of(g.state, g.bytes);
    g.changed = check_alloc(g.bytes);
    memcpy(&g.history_size, option_of(g.state, OPTION_HISTORY_SIZE), sizeof g.history_size);
    memcpy(g.changed, g.state, g.bytes);
    return g;
}

static unsigned char *product(const gram_state *g, size_t row, size_t column)
{
    return g->changed + contents_of(&g->form) + 8 * (row * g->history_size + column);
}

static void check_gram_is_refused(model *m, gram_state *g)
{
    seal(g->changed, g->bytes, g->form);
    CHECK_REFUSED(lmada_state_load(m->opt, g->changed, g->bytes), LMADA_ERROR_BAD_STATE, "no state can hold");
    memcpy(g->changed, g->state, g->bytes);
}

static void free_gram_state(gram_state *g)
{
    free(g->state);
    free(g->changed);
}

/* A product of two gradients that is larger than the product of their norms. */
static void products_exceed_norms(model *m)
{
    const double sizes[] = {1e10, -1e10, 1e300};
    gram_state g = new_gram_state(m);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t entry = 1; entry < g.history_size; entry++) {
            memcpy(product(&g, 0, entry), &sizes[i], sizeof sizes[i]);
            memcpy(product(&g, entry, 0), &sizes[i], sizeof sizes[i]);
            check_gram_is_refused(m, &g);
        }
    }
    free_gram_state(&g);
}

/* A matrix that is not symmetric, in the last bit of a product. */
static void products_are_not_symmetric(model *m)
{
    gram_state g = new_gram_state(m);
    for (size_t row = 0; row < g.history_size; row++) {
        for (size_t column = 0; column < g.history_size; column++) {
            if (row == column) continue;
            *product(&g, row, column) ^= 1;
            check_gram_is_refused(m, &g);
        }
    }
    free_gram_state(&g);
}

/* Bytes to write into a column, or, from `rest` on, into the bytes after the columns. */
typedef struct {
    const char *what;
    int32_t format;
    bool rest;
    size_t offset, count;
    const char *bytes;
} hostile;

/* Two groups that share a scale; for sparse one group, of which five entries are kept. Numbers are little-endian. */
enum { UNITS_DIM = 300, SCALE = 8, SECOND_UNIT = 256, KEPT = 5, U16 = 2 };
#define IN_FIRST_UNIT(index, size) (SCALE + (index) * (size))
#define IN_SECOND_UNIT(index, size) (2 * SCALE + (SECOND_UNIT + (index)) * (size))
#define SECOND_SCALE(size) (SCALE + SECOND_UNIT * (size))
#define NAN_64 "\0\0\0\0\0\0\xF8\x7F"
#define INFINITY_64 "\0\0\0\0\0\0\xF0\x7F"
#define MINUS_ONE_64 "\0\0\0\0\0\0\xF0\xBF"
#define TWO_TO_1000_64 "\0\0\0\0\0\0\x70\x7E"
#define TWO_TO_MINUS_1000_64 "\0\0\0\0\0\0\x70\x01"
#define ONE_AND_A_HALF_64 "\0\0\0\0\0\0\xF8\x3F"
#define A_THIRD_64 "\x55\x55\x55\x55\x55\x55\xD5\x3F"

static const hostile contents[] = {
    {"an infinity", LMADA_HISTORY_BF16, false, 0, 2, "\x80\x7F"},
    {"minus infinity, the last", LMADA_HISTORY_BF16, false, U16 * (UNITS_DIM - 1), 2, "\x80\xFF"},
    {"a NaN", LMADA_HISTORY_BF16, false, U16 * 17, 2, "\xC0\x7F"},

    {"an infinity", LMADA_HISTORY_F16, false, IN_FIRST_UNIT(0, U16), 2, "\x00\x7C"},
    {"minus infinity, the last", LMADA_HISTORY_F16, false, IN_SECOND_UNIT(43, U16), 2, "\x00\xFC"},
    {"a NaN", LMADA_HISTORY_F16, false, IN_FIRST_UNIT(255, U16), 2, "\x01\x7C"},
    {"scale NaN", LMADA_HISTORY_F16, false, 0, 8, NAN_64},
    {"scale infinite", LMADA_HISTORY_F16, false, SECOND_SCALE(U16), 8, INFINITY_64},
    {"scale negative", LMADA_HISTORY_F16, false, SECOND_SCALE(U16), 8, MINUS_ONE_64},
    {"scale too large", LMADA_HISTORY_F16, false, 0, 8, TWO_TO_1000_64},
    {"scale too small", LMADA_HISTORY_F16, false, 0, 8, TWO_TO_MINUS_1000_64},
    {"scale no power of two", LMADA_HISTORY_F16, false, 0, 8, ONE_AND_A_HALF_64},

    {"scale NaN", LMADA_HISTORY_INT8, false, 0, 8, NAN_64},
    {"scale infinite", LMADA_HISTORY_INT8, false, SECOND_SCALE(1), 8, INFINITY_64},
    {"scale negative", LMADA_HISTORY_INT8, false, SECOND_SCALE(1), 8, MINUS_ONE_64},
    {"scale too large", LMADA_HISTORY_INT8, false, 0, 8, TWO_TO_1000_64},
    {"scale too small", LMADA_HISTORY_INT8, false, 0, 8, TWO_TO_MINUS_1000_64},
    {"scale of too many bits", LMADA_HISTORY_INT8, false, 0, 8, A_THIRD_64},

    {"index beyond the end", LMADA_HISTORY_SPARSE, false, U16 * (KEPT - 1), 2, "\x2C\x01"},
    {"index far beyond the end", LMADA_HISTORY_SPARSE, false, U16 * (KEPT - 1), 2, "\xFF\xFF"},
    {"indices not ascending", LMADA_HISTORY_SPARSE, false, 0, 4, "\x05\x00\x04\x00"},
    {"an index twice", LMADA_HISTORY_SPARSE, false, 0, 4, "\x00\x00\x00\x00"},
    {"an infinity", LMADA_HISTORY_SPARSE, false, U16 * KEPT, 2, "\x80\x7F"},
    {"a NaN", LMADA_HISTORY_SPARSE, false, U16 * (2 * KEPT - 1), 2, "\xC0\xFF"},
    {"feedback NaN", LMADA_HISTORY_SPARSE, true, 0, 4, "\x00\x00\xC0\x7F"},
    {"feedback infinite, the last", LMADA_HISTORY_SPARSE, true, 4 * (UNITS_DIM - 1), 4, "\x00\x00\x80\xFF"},
};

static size_t column_bytes(int32_t format)
{
    switch (format) {
    case LMADA_HISTORY_BF16: return 2 * UNITS_DIM;
    case LMADA_HISTORY_F16: return 2 * SCALE + 2 * UNITS_DIM;
    case LMADA_HISTORY_INT8: return 2 * SCALE + UNITS_DIM;
    default: return 2 * U16 * KEPT;
    }
}

/* Changes each column in turn. */
static void compressed_contents_are_no_numbers(const hostile *hostile)
{
    lmada_config_t config = base_config();
    const size_t column = column_bytes(hostile->format);
    const size_t rest = hostile->format == LMADA_HISTORY_SPARSE ? 4 * UNITS_DIM : 0;
    size_t bytes;
    unsigned char *state, *changed;
    saved_form form;
    model m, twin;
    config.history_format = hostile->format;
    config.history_size = 3;
    config.density = 5.0 / UNITS_DIM;
    m = new_model(&config, UNITS_DIM);
    twin = new_model(&config, UNITS_DIM);
    step_model(&m, 0, 5);
    step_model(&twin, 0, 5);
    state = saved_state(twin.opt, &bytes);
    form = form_of(state, bytes);
    changed = check_alloc(bytes);
    for (size_t slot = 0; slot < (hostile->rest ? 1 : config.history_size); slot++) {
        unsigned char *place = changed + bytes - FORM_CHECKSUM - rest + hostile->offset;
        if (!hostile->rest) place -= (config.history_size - slot) * column;
        AT("%s, format %d, slot %zu", hostile->what, (int)hostile->format, slot);
        memcpy(changed, state, bytes);
        memcpy(place, hostile->bytes, hostile->count);
        seal(changed, bytes, form);
        CHECK_STATUS(lmada_state_load(m.opt, changed, bytes), LMADA_ERROR_BAD_STATE);
        CHECK(same_model(&m, &twin));
    }
    step_model(&m, 5, 7);
    step_model(&twin, 5, 7);
    CHECK(same_model(&m, &twin));
    free(state);
    free(changed);
    free_model(&m);
    free_model(&twin);
}

#define REFUSAL(name) {#name, name}

int main(int argc, char **argv)
{
    const bool reduced = argc > 1;
    const refusal refusals[] = {
        REFUSAL(version_is_unknown), REFUSAL(length_is_another), REFUSAL(products_exceed_norms),
        REFUSAL(products_are_not_symmetric)};
    (void)argv;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        EACH_VARIANT (number, reduced) leaves_no_trace(&refusals[i], number, number % 2, TWIN_PAST);
    }
    EACH_VARIANT (number, reduced) every_byte_is_another(number, number % 2, reduced ? 5 : 1);
    for (size_t i = 0; REAL_DTYPE == LMADA_F32 && i < sizeof contents / sizeof *contents; i++) {
        compressed_contents_are_no_numbers(&contents[i]);
    }
    return 0;
}

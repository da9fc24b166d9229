/* lmada_step_bf16, lmada_feed_bf16 and lmada_apply_bf16 take the steps that the same gradients as float give, bit for
 * bit. The copy of the parameters is rounded to the nearest bfloat16, ties to even. */
#define _DEFAULT_SOURCE
#include "twins.h"

#include <float.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DIM = 2 * 4096 + 256 + 11, SMALL_DIM = 300, STEPS = 6 };

static size_t dim;

/* ---- bfloat16 by its definition ---- */

static float widened(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Returns the nearest bfloat16, by distance. The candidates are the upper half of the bits and the next number away
 * from 0. */
static uint16_t nearest(float value)
{
    uint32_t bits;
    uint16_t lower, upper;
    double to_lower, to_upper;
    memcpy(&bits, &value, sizeof bits);
    lower = (uint16_t)(bits >> 16);
    upper = (uint16_t)(lower + 1);
    if (!isfinite(widened(upper))) return lower; /* the largest */
    to_lower = fabs((double)value - (double)widened(lower));
    to_upper = fabs((double)widened(upper) - (double)value);
    if (to_lower != to_upper) return to_lower < to_upper ? lower : upper;
    return lower % 2 == 0 ? lower : upper;
}

static void fill_half(uint16_t *half, float *wide, uint64_t number)
{
    fill_gradient(wide, dim, number);
    for (size_t i = 0; i < dim; i++) {
        half[i] = nearest(wide[i] * (i % 7 == 0 ? 1e-38f : i % 11 == 0 ? 1e3f : 1)); /* some of them subnormal */
        wide[i] = widened(half[i]);
    }
}

static uint16_t *halves(void)
{
    uint16_t *array = check_alloc(dim * sizeof *array);
    memset(array, 0xA5, dim * sizeof *array);
    return array;
}

/* ---- steps ---- */

typedef enum { WITH_COPY, WITHOUT_COPY, IN_PIECES, IN_PIECES_WITHOUT_COPY, WAYS } way_of_step;

static void step_by(way_of_step way, const model *m, uint16_t *copy, const uint16_t *grads)
{
    const size_t cut = dim / 2 + 1;
    const bool copies = way == WITH_COPY || way == IN_PIECES;
    if (way < IN_PIECES) {
        CHECK_OK(lmada_step_bf16(m->opt, m->params, copies ? copy : NULL, grads, dim));
        return;
    }
    CHECK_OK(lmada_begin(m->opt));
    CHECK_OK(lmada_feed_bf16(m->opt, 0, grads, dim));
    CHECK_OK(lmada_feed_bf16(m->opt, dim, NULL, 0));
    CHECK_OK(lmada_solve(m->opt));
    CHECK_OK(lmada_apply_bf16(m->opt, cut, m->params + cut, copies ? copy + cut : NULL, grads + cut, dim - cut));
    CHECK_OK(lmada_apply_bf16(m->opt, 0, NULL, NULL, NULL, 0));
    CHECK_OK(lmada_apply_bf16(m->opt, 0, m->params, copies ? copy : NULL, grads, cut));
    CHECK_OK(lmada_end(m->opt));
}

static void the_bits_are_those_of_float(int number, way_of_step way, bool blocks, bool grouped)
{
    const lmada_group_t groups[] = {{dim / 4, dim / 3, 0.5, 0}, {dim - 20, 20, 0, 1}};
    const lmada_config_t config = variant(number);
    model m = blocks ? new_blocks_model(&config, dim) : new_model(&config, dim);
    model twin = blocks ? new_blocks_model(&config, dim) : new_model(&config, dim);
    uint16_t *half = halves(), *copy = halves();
    float *wide = check_alloc(dim * sizeof *wide);
    AT("variant %d, way %d, %d, %d", number, (int)way, blocks, grouped);
    leave_zero(&m);
    leave_zero(&twin);
    if (grouped) CHECK_OK(lmada_set_groups(m.opt, groups, sizeof *groups, 2));
    if (grouped) CHECK_OK(lmada_set_groups(twin.opt, groups, sizeof *groups, 2));
    for (uint64_t step = 0; step < STEPS; step++) {
        fill_half(half, wide, step);
        step_by(way, &m, copy, half);
        CHECK_OK(lmada_step(twin.opt, twin.params, wide, dim));
        CHECK(same_reals(m.params, twin.params, dim));
        for (size_t i = 0; i < dim; i++) {
            CHECK(copy[i] == (way == WITH_COPY || way == IN_PIECES ? nearest(m.params[i]) : 0xA5A5));
        }
    }
    CHECK(same_state(m.opt, twin.opt));
    free(half);
    free(copy);
    free(wide);
    free_model(&m);
    free_model(&twin);
}

/* Parameters that a step with learning rate 0 does not change, with ties, subnormal numbers and the largest number. */
static void copies_are_rounded_to_the_nearest(void)
{
    lmada_config_t config = base_config();
    uint32_t bits[] = {0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF, 0xBF808000, 0xBF818000, 0x00000001, 0x00008000,
                       0x00018000, 0x00008001, 0x80008001, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F7F8000, 0x7F7F7FFF, 0x7F7E8000,
                       0x007FFFFF, 0x3FFF8000}; /* no zeros: valgrind's 0 - 0*x may be -0 */
    const uint16_t expected[] = {0x3F80, 0x3F82, 0x3F81, 0x3F80, 0xBF80, 0xBF82, 0x0000, 0x0000, 0x0002, 0x0001,
                                 0x8001, 0x7F7F, 0xFF7F, 0x7F7F, 0x7F7F, 0x7F7E, 0x0080, 0x4000};
    enum { COUNT = sizeof bits / sizeof *bits };
    float params[COUNT];
    uint16_t copy[COUNT], grads[COUNT] = {0x3F80};
    lmada_t *opt;
    config.lr = 0;
    CHECK_OK(lmada_create(&config, COUNT, &opt));
    memcpy(params, bits, sizeof params);
    CHECK_OK(lmada_step_bf16(opt, params, copy, grads, COUNT));
    CHECK(memcmp(params, bits, sizeof params) == 0);
    for (int i = 0; i < COUNT; i++) {
        AT("%08x", (unsigned)bits[i]);
        CHECK(copy[i] == expected[i]);
        CHECK(copy[i] == nearest(params[i]));
    }
    lmada_free(opt);
}

/* A frozen gradient is not read in bfloat16 either. */
static void frozen_gradients_are_not_read(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), len = page / sizeof(uint16_t);
    const lmada_group_t frozen = {len, len, 0, 1};
    const lmada_config_t config = variant(2);
    model m = new_model(&config, 3 * len);
    uint16_t *grads = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint16_t *copy = check_alloc(3 * page);
    AT("a page that may not be read");
    CHECK(grads != MAP_FAILED);
    for (size_t i = 0; i < 3 * len; i++) grads[i] = 0x3F80;
    CHECK(mprotect(grads + len, page, PROT_NONE) == 0);
    CHECK_OK(lmada_set_groups(m.opt, &frozen, sizeof frozen, 1));
    CHECK_OK(lmada_step_bf16(m.opt, m.params, copy, grads, m.dim));
    CHECK_OK(lmada_step_bf16(m.opt, m.params, copy, grads, m.dim));
    for (size_t i = 0; i < m.dim; i++) {
        CHECK((m.params[i] == 0) == (i >= len && i < 2 * len));
        CHECK(copy[i] == nearest(m.params[i]));
    }
    CHECK(munmap(grads, 3 * page) == 0);
    free(copy);
    free_model(&m);
}

/* ---- refusals ---- */

enum { SCRATCH = 4 * TWIN_DIM };

static union {
    float wide[SCRATCH];
    uint16_t half[2 * SCRATCH];
} scratch;

static void refuse(model *m, float *params, uint16_t *copy, const uint16_t *grads, lmada_status_t status,
                   const char *words)
{
    unsigned char before[sizeof scratch];
    memcpy(before, &scratch, sizeof scratch);
    CHECK_REFUSED(lmada_step_bf16(m->opt, params, copy, grads, TWIN_DIM), status, words);
    CHECK(memcmp(before, &scratch, sizeof scratch) == 0);
}

static void arguments_are_bad(model *m)
{
    uint16_t *const half = scratch.half + 2 * TWIN_DIM, *const copy = half + TWIN_DIM;
    const struct {
        size_t len;
    } bad[] = {{0}, {TWIN_DIM - 1}, {TWIN_DIM + 1}, {SIZE_MAX}};
    CHECK_REFUSED(lmada_step_bf16(NULL, scratch.wide, copy, half, TWIN_DIM), LMADA_ERROR_NULL_POINTER, "opt");
    refuse(m, NULL, copy, half, LMADA_ERROR_NULL_POINTER, "params");
    refuse(m, scratch.wide, copy, NULL, LMADA_ERROR_NULL_POINTER, "grads_bf16");
    refuse(m, one_byte_into(scratch.wide), copy, half, LMADA_ERROR_INVALID_ARGUMENT, "params");
    refuse(m, scratch.wide, one_byte_into(copy), half, LMADA_ERROR_INVALID_ARGUMENT, "params_bf16");
    refuse(m, scratch.wide, copy, one_byte_into(half), LMADA_ERROR_INVALID_ARGUMENT, "grads_bf16");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_REFUSED(lmada_step_bf16(m->opt, scratch.wide, copy, half, bad[i].len), LMADA_ERROR_DIMENSION_MISMATCH,
                      "dim is");
    }
    for (size_t shift = 0; shift < TWIN_DIM; shift++) {
        refuse(m, scratch.wide, half + shift, half, LMADA_ERROR_INVALID_ARGUMENT, "params_bf16");
        refuse(m, scratch.wide, half, half + shift, LMADA_ERROR_INVALID_ARGUMENT, "params_bf16");
    }
    for (size_t shift = 0; shift < 2 * TWIN_DIM; shift++) {
        refuse(m, scratch.wide, NULL, scratch.half + shift, LMADA_ERROR_INVALID_ARGUMENT, "params");
        refuse(m, scratch.wide, scratch.half + shift, copy + TWIN_DIM, LMADA_ERROR_INVALID_ARGUMENT, "params_bf16");
    }
    refuse(m, scratch.wide + TWIN_DIM / 2, NULL, scratch.half + 1, LMADA_ERROR_INVALID_ARGUMENT, "params");
    CHECK_STATUS(lmada_feed_bf16(m->opt, 0, half, TWIN_DIM), LMADA_ERROR_WRONG_PHASE);
    CHECK_STATUS(lmada_apply_bf16(m->opt, 0, scratch.wide, copy, half, TWIN_DIM), LMADA_ERROR_WRONG_PHASE);
}

static void pieces_are_bad(model *m)
{
    uint16_t *const half = scratch.half + 2 * TWIN_DIM, *const copy = half + TWIN_DIM;
    unsigned char before[sizeof scratch];
    for (int i = 0; i < TWIN_DIM; i++) half[i] = nearest((float)(i - 3));
    memcpy(before, &scratch, sizeof scratch);
    CHECK_OK(lmada_begin(m->opt));
    CHECK_REFUSED(lmada_feed_bf16(m->opt, 1, half, TWIN_DIM), LMADA_ERROR_INVALID_ARGUMENT, "");
    CHECK_REFUSED(lmada_feed_bf16(m->opt, SIZE_MAX, half, 2), LMADA_ERROR_INVALID_ARGUMENT, "");
    CHECK_REFUSED(lmada_feed_bf16(m->opt, 0, NULL, 1), LMADA_ERROR_NULL_POINTER, "grads_bf16");
    CHECK_REFUSED(lmada_feed_bf16(m->opt, 0, one_byte_into(half), 1), LMADA_ERROR_INVALID_ARGUMENT, "grads_bf16");
    CHECK_OK(lmada_feed_bf16(m->opt, 0, half, 5));
    CHECK_REFUSED(lmada_feed_bf16(m->opt, 4, half, 2), LMADA_ERROR_INVALID_ARGUMENT, "");
    CHECK_OK(lmada_feed_bf16(m->opt, 5, half + 5, TWIN_DIM - 5));
    CHECK_OK(lmada_solve(m->opt));
    CHECK_REFUSED(lmada_apply_bf16(m->opt, 0, scratch.wide, half, half, TWIN_DIM), LMADA_ERROR_INVALID_ARGUMENT,
                  "params_bf16");
    CHECK_REFUSED(lmada_apply_bf16(m->opt, 1, scratch.wide, copy, half, TWIN_DIM), LMADA_ERROR_INVALID_ARGUMENT, "");
    CHECK_REFUSED(lmada_apply_bf16(m->opt, 0, NULL, copy, half, TWIN_DIM), LMADA_ERROR_NULL_POINTER, "params");
    CHECK_OK(lmada_cancel(m->opt));
    CHECK(memcmp(before, &scratch, sizeof scratch) == 0);
}

static void values_are_not_finite(model *m)
{
    const uint16_t values[] = {0x7F80, 0xFF80, 0x7FC0, 0xFFFF};
    uint16_t *const half = scratch.half + 2 * TWIN_DIM, *const copy = half + TWIN_DIM;
    for (int i = 0; i < TWIN_DIM; i++) {
        char words[40];
        for (int j = 0; j < TWIN_DIM; j++) half[j] = 0x3F80;
        half[i] = values[i % 4];
        snprintf(words, sizeof words, "element %d;", i);
        refuse(m, scratch.wide, copy, half, LMADA_ERROR_NON_FINITE, words);
        CHECK(stats_of(m->opt).non_finite_index == (uint64_t)i);
    }
}

static void doubles_are_refused(void)
{
    lmada_config_t config = base_config();
    lmada_t *opt;
    float params[3] = {0};
    uint16_t copy[3] = {0}, grads[3] = {0x3F80};
    AT("double");
    config.dtype = LMADA_F64;
    CHECK_OK(lmada_create(&config, 3, &opt));
    CHECK_REFUSED(lmada_step_bf16(opt, params, copy, grads, 3), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    CHECK_REFUSED(lmada_feed_bf16(opt, 0, grads, 3), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    CHECK_REFUSED(lmada_apply_bf16(opt, 0, params, copy, grads, 3), LMADA_ERROR_INVALID_ARGUMENT, "opt");
    CHECK(params[0] == 0 && copy[0] == 0);
    lmada_free(opt);
}

int main(int argc, char **argv)
{
    const refusal refusals[] = {
        {"bad arguments", arguments_are_bad},
        {"bad pieces", pieces_are_bad},
        {"values that are not finite", values_are_not_finite},
    };
    (void)argv;
    dim = argc > 1 ? SMALL_DIM : DIM;
    EACH_VARIANT (number, argc > 1) {
        for (int way = 0; way < WAYS; way++) {
            the_bits_are_those_of_float(number, (way_of_step)way, false, false);
            the_bits_are_those_of_float(number, (way_of_step)way, true, true);
        }
    }
    copies_are_rounded_to_the_nearest();
    frozen_gradients_are_not_read();
    all_leave_no_trace(refusals, sizeof refusals / sizeof *refusals);
    doubles_are_refused();
    return 0;
}

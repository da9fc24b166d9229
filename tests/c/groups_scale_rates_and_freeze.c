/* A parameter group has its own factors on learning rate and weight decay: the test computes the parameters from the
 * direction of a twin. A group with lr_scale 0 is frozen: its gradient counts as zeros and is not read, and its
 * parameters keep their bits. */
#define _DEFAULT_SOURCE
#include "twins.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DIM = 5000, GROUPS = 5, PAST = 3, FUTURE = 4 };

/* Groups inside a tile of 4,096, across its end, side by side, and up to the end. Other parameters are in no group. */
static const lmada_group_t groups[GROUPS] = {
    {4990, 10, 0.25, 2}, {100, 200, 2, 1}, {300, 5, 0, 1}, {305, 1, 1, 0}, {3000, 1500, 0, 0.5},
};

static const lmada_group_t *group_of(size_t i)
{
    for (int g = 0; g < GROUPS; g++) {
        if (i >= groups[g].offset && i - groups[g].offset < groups[g].len) return &groups[g];
    }
    return NULL;
}

static bool is_frozen(size_t i) { return group_of(i) && group_of(i)->lr_scale == 0; }

static void set(const model *m) { CHECK_OK(lmada_set_groups(m->opt, groups, sizeof *groups, GROUPS)); }

static model made(int number, bool blocks, const lmada_config_t *config)
{
    model m = blocks ? new_blocks_model(config, DIM) : new_model(config, DIM);
    AT("variant %d%s", number, blocks ? ", in blocks" : "");
    leave_zero(&m);
    return m;
}

/* Returns the gradient of a step, with zeros or NaNs for frozen parameters. */
static real *frozen_gradient(uint64_t number, double value)
{
    real *grads = new_gradient(DIM, number);
    for (size_t i = 0; i < DIM; i++) grads[i] = is_frozen(i) ? (real)value : grads[i];
    return grads;
}

typedef enum { IN_ONE_CALL, IN_TENSORS, IN_PIECES, ENTRIES } entry;

/* Takes a step whose tensors or pieces cut the groups. */
static void step_by(entry entry, const model *m, const real *grads)
{
    const size_t cuts[] = {0, 150, 303, 3500, 4097, DIM};
    real *params[5];
    const real *gradients[5];
    size_t lens[5];
    for (int i = 0; i < 5; i++) {
        params[i] = m->params + cuts[i];
        gradients[i] = grads + cuts[i];
        lens[i] = cuts[i + 1] - cuts[i];
    }
    if (entry == IN_ONE_CALL) CHECK_OK(real_step(m->opt, m->params, grads, DIM));
    if (entry == IN_TENSORS) CHECK_OK(real_step_tensors(m->opt, params, gradients, lens, 5));
    if (entry != IN_PIECES) return;
    CHECK_OK(lmada_begin(m->opt));
    for (int i = 5; i-- > 0;) CHECK_OK(real_feed(m->opt, cuts[i], gradients[i], lens[i]));
    CHECK_OK(lmada_solve(m->opt));
    for (int i = 0; i < 5; i++) CHECK_OK(real_apply(m->opt, cuts[i], params[i], gradients[i], lens[i]));
    CHECK_OK(lmada_end(m->opt));
}

/* w becomes (1 - lr*lr_scale*weight_decay*weight_decay_scale)*w - lr*lr_scale*u. In pieces, sums are rounded in another
 * order. */
static void parameters_move_by_the_formula(int number, bool blocks, entry entry)
{
    lmada_config_t config = variant(number);
    model m, twin;
    const double slack = entry == IN_PIECES ? 2e3 : 4;
    config.lr = 0.5;
    config.weight_decay = 0.25;
    m = made(number, blocks, &config);
    twin = made(number, blocks, &config);
    set(&m);
    for (uint64_t step = 0; step < PAST; step++) {
        real *grads = frozen_gradient(step, (double)NAN), *zeroed = frozen_gradient(step, 0);
        real *before = check_alloc(DIM * sizeof(real)), *direction = zeros(DIM);
        memcpy(before, m.params, DIM * sizeof(real));
        step_by(entry, &m, grads);
        CHECK_OK(real_direction(twin.opt, direction, zeroed, DIM));
        for (size_t i = 0; i < DIM; i++) {
            const lmada_group_t *group = group_of(i);
            const double scale = group ? group->lr_scale : 1, decay = group ? group->weight_decay_scale : 1;
            const double move = 0.5 * scale * (double)direction[i];
            const double kept = (1 - 0.5 * scale * (0.25 * decay)) * (double)before[i];
            if (is_frozen(i)) CHECK(same_reals(&before[i], &m.params[i], 1));
            CHECK(fabs((double)m.params[i] - (kept - move)) <= slack * REAL_EPSILON * (fabs(kept) + fabs(move)));
        }
        free(grads);
        free(zeroed);
        free(before);
        free(direction);
    }
    free_model(&m);
    free_model(&twin);
}

/* For the state and for other parameters a frozen gradient is zeros. Afterwards the group can be unfrozen. */
static void frozen_gradients_count_as_zeros(int number, bool blocks)
{
    const lmada_group_t frozen[] = {{3000, 1500, 0, 1}, {300, 5, 0, 7}};
    lmada_config_t config = variant(number);
    model m, twin;
    config.lr = 2;
    m = made(number, blocks, &config);
    twin = made(number, blocks, &config);
    CHECK_OK(lmada_set_groups(m.opt, frozen, sizeof *frozen, 2));
    for (uint64_t step = 0; step < PAST + FUTURE; step++) {
        const bool thawed = step >= PAST;
        size_t moved = 0;
        real *grads = thawed ? new_gradient(DIM, step) : frozen_gradient(step, (double)INFINITY);
        real *zeroed = thawed ? new_gradient(DIM, step) : frozen_gradient(step, 0);
        if (step == PAST) CHECK_OK(lmada_set_groups(m.opt, NULL, sizeof *frozen, 0));
        CHECK_OK(real_step(m.opt, m.params, grads, DIM));
        CHECK_OK(real_step(twin.opt, twin.params, zeroed, DIM));
        for (size_t i = 0; i < DIM; i++) {
            if (!is_frozen(i)) CHECK(same_reals(&m.params[i], &twin.params[i], 1));
            else if (!thawed) CHECK(m.params[i] == (real)(i % 5 + 1));
            else moved += m.params[i] != (real)(i % 5 + 1);
        }
        CHECK(thawed ? moved > 1400 : moved == 0);
        free(grads);
        free(zeroed);
    }
    CHECK(same_state(m.opt, twin.opt));
    free_model(&m);
    free_model(&twin);
}

/* Every kind of step with a frozen page of the gradient that cannot be read. */
static void frozen_gradients_are_not_read(int number)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), len = page / sizeof(real), dim = 3 * len;
    const lmada_group_t frozen = {len, len, 0, 1};
    const size_t lens[] = {len / 2, len, len + len / 2};
    const lmada_config_t config = variant(number);
    model m = new_model(&config, dim), twin = new_model(&config, dim);
    real *grads = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    real *zeroed = new_gradient(dim, 5), *out = zeros(dim);
    real *const params[] = {m.params, m.params + lens[0], m.params + lens[0] + lens[1]};
    const real *const gradients[] = {grads, grads + lens[0], grads + lens[0] + lens[1]};
    AT("variant %d, a page that may not be read", number);
    CHECK(grads != MAP_FAILED);
    for (size_t i = len; i < 2 * len; i++) zeroed[i] = 0;
    memcpy(grads, zeroed, dim * sizeof(real));
    CHECK(mprotect(grads + len, page, PROT_NONE) == 0);
    leave_zero(&m);
    leave_zero(&twin);
    CHECK_OK(lmada_set_groups(m.opt, &frozen, sizeof frozen, 1));
    CHECK_OK(real_step(m.opt, m.params, grads, dim));
    CHECK_OK(real_step_tensors(m.opt, params, gradients, lens, 3));
    CHECK_OK(real_direction(m.opt, out, grads, dim));
    CHECK_OK(real_observe(m.opt, grads, dim));
    CHECK_OK(lmada_begin(m.opt));
    CHECK_OK(real_feed(m.opt, 0, grads, dim));
    CHECK_OK(lmada_solve(m.opt));
    CHECK_OK(real_apply(m.opt, 0, m.params, grads, len + len / 3));
    CHECK_OK(real_apply(m.opt, len + len / 3, m.params + len + len / 3, grads + len + len / 3, dim - len - len / 3));
    CHECK_OK(lmada_end(m.opt));
    for (int step = 0; step < 5; step++) {
        if (step == 2 || step == 3) CHECK_OK(real_direction(twin.opt, out, zeroed, dim));
        else CHECK_OK(real_step(twin.opt, twin.params, zeroed, dim));
    }
    CHECK(same_reals(m.params, twin.params, len));
    CHECK(same_reals(m.params + 2 * len, twin.params + 2 * len, len));
    for (size_t i = len; i < 2 * len; i++) CHECK(m.params[i] == (real)(i % 5 + 1));
    CHECK_OK(lmada_set_groups(m.opt, NULL, sizeof frozen, 0));
    CHECK(same_state(m.opt, twin.opt));
    CHECK(munmap(grads, 3 * page) == 0);
    free(zeroed);
    free(out);
    free_model(&m);
    free_model(&twin);
}

/* ---- tensors without a gradient ---- */

static void tensors_without_gradient_are_left_alone(int number, unsigned without, bool grouped)
{
    enum { TENSORS = 5 };
    const size_t cuts[TENSORS + 1] = {0, 150, 150, 3500, 4097, DIM};
    const lmada_config_t config = variant(number);
    model m = made(number, false, &config), twin = made(number, false, &config);
    AT("variant %d, without %x%s", number, without, grouped ? ", in groups" : "");
    if (grouped) set(&m);
    if (grouped) set(&twin);
    step_model(&m, 90, 2);
    step_model(&twin, 90, 2);
    for (uint64_t step = 0; step < PAST; step++) {
        real *grads = new_gradient(DIM, step), *params[TENSORS], *kept = check_alloc(DIM * sizeof(real));
        const real *gradients[TENSORS];
        size_t lens[TENSORS];
        memcpy(kept, m.params, DIM * sizeof(real));
        for (int i = 0; i < TENSORS; i++) {
            lens[i] = cuts[i + 1] - cuts[i];
            params[i] = m.params + cuts[i];
            gradients[i] = without >> i & 1 ? NULL : grads + cuts[i];
        }
        CHECK_OK(real_step_tensors(m.opt, params, gradients, lens, TENSORS));
        for (int i = 0; i < TENSORS; i++) {
            for (size_t j = cuts[i]; j < cuts[i + 1]; j++) grads[j] = without >> i & 1 ? 0 : grads[j];
        }
        CHECK_OK(real_step(twin.opt, twin.params, grads, DIM));
        for (int i = 0; i < TENSORS; i++) {
            const real *expected = without >> i & 1 ? kept : twin.params;
            CHECK(same_reals(m.params + cuts[i], expected + cuts[i], lens[i]));
        }
        free(grads);
        free(kept);
    }
    CHECK(same_state(m.opt, twin.opt));
    free_model(&m);
    free_model(&twin);
}

/* ---- groups in the state ---- */

static const lmada_group_t others[] = {{0, 400, 0.5, 0}, {400, 4600, 0, 1}};

static void order_does_not_matter(void)
{
    const lmada_config_t config = variant(2);
    model m = made(2, false, &config), twin = made(2, false, &config);
    lmada_group_t turned[GROUPS + 2] = {{DIM, 0, 0, 0}, {300, 0, 9, 9}}; /* groups of length 0 are ignored */
    for (int i = 0; i < GROUPS; i++) turned[GROUPS + 1 - i] = groups[i];
    set(&m);
    CHECK_OK(lmada_set_groups(twin.opt, others, sizeof *others, 2)); /* all of them are replaced */
    CHECK_OK(lmada_set_groups(twin.opt, turned, sizeof *turned, GROUPS + 2));
    step_model(&m, 0, PAST);
    step_model(&twin, 0, PAST);
    CHECK(same_model(&m, &twin));
    free_model(&m);
    free_model(&twin);
}

/* An older program's struct may end after any number of fields; the missing factors are 1. */
static void shorter_groups_have_factors_of_one(void)
{
    const struct {
        size_t offset, len;
        double lr_scale;
    } shorter[] = {{10, 20, 0.5}, {100, 7, 0}};
    const lmada_group_t whole[] = {{10, 20, 0.5, 1}, {100, 7, 0, 1}};
    const lmada_config_t config = variant(2);
    model m = made(2, false, &config), twin = made(2, false, &config);
    CHECK_OK(lmada_set_groups(m.opt, (const lmada_group_t *)(const void *)shorter, sizeof *shorter, 2));
    CHECK_OK(lmada_set_groups(twin.opt, whole, sizeof *whole, 2));
    step_model(&m, 0, PAST);
    step_model(&twin, 0, PAST);
    CHECK(same_model(&m, &twin));
    free_model(&m);
    free_model(&twin);
}

static void groups_are_saved_and_loaded(int number)
{
    const lmada_config_t config = variant(number);
    model m = made(number, true, &config), loaded = made(number, true, &config);
    size_t with, without;
    unsigned char *state;
    CHECK_OK(lmada_state_size(m.opt, &without));
    set(&m);
    CHECK_OK(lmada_state_size(m.opt, &with));
    CHECK(with > without);
    step_model(&m, 0, PAST);
    state = saved_state(m.opt, &with);
    CHECK_OK(lmada_set_groups(loaded.opt, others, sizeof *others, 2));
    step_model(&loaded, 50, 1);
    CHECK_OK(lmada_state_load(loaded.opt, state, with));
    memcpy(loaded.params, m.params, DIM * sizeof(real));
    step_model(&m, PAST, FUTURE);
    step_model(&loaded, PAST, FUTURE);
    CHECK(same_model(&m, &loaded));
    CHECK_OK(lmada_reset(m.opt)); /* keeps the groups */
    CHECK_OK(lmada_reset(loaded.opt));
    set(&loaded);
    CHECK(same_state(m.opt, loaded.opt));
    free(state);
    free_model(&m);
    free_model(&loaded);
}

/* Loading states of shares keeps the handle's groups: the groups in these states have offsets of other shares. */
static void groups_are_not_those_of_shares(void)
{
    const lmada_config_t config = variant(2);
    const size_t start = 0;
    model m = made(2, false, &config), twin = made(2, false, &config);
    size_t bytes;
    unsigned char *state;
    const void *states[1];
    set(&m);
    step_model(&m, 0, PAST);
    state = saved_state(m.opt, &bytes);
    states[0] = state;
    CHECK_OK(lmada_set_groups(twin.opt, others, sizeof *others, 2));
    CHECK_OK(lmada_state_load_shares(twin.opt, &start, states, &bytes, 1));
    memcpy(twin.params, m.params, DIM * sizeof(real));
    CHECK_OK(lmada_set_groups(m.opt, others, sizeof *others, 2));
    step_model(&m, PAST, FUTURE);
    step_model(&twin, PAST, FUTURE);
    CHECK(same_model(&m, &twin));
    free(state);
    free_model(&m);
    free_model(&twin);
}

/* ---- refusals ---- */

static void refuse(model *m, const lmada_group_t *bad, size_t count, const char *words)
{
    CHECK_REFUSED(lmada_set_groups(m->opt, bad, sizeof *bad, count), LMADA_ERROR_INVALID_ARGUMENT, words);
}

static void groups_are_bad(model *m)
{
    const lmada_group_t good = {0, 3, 0.5, 0.5};
    const double factors[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, -1, -5e-324};
    const struct {
        size_t offset, len;
    } ranges[] = {{0, 1},  {2, 1},        {1, 1},        {0, 13},             {13, 0},
                  {12, 1}, {SIZE_MAX, 2}, {1, SIZE_MAX}, {SIZE_MAX, SIZE_MAX}};
    const size_t sizes[] = {0, 8, 15, 17, 33, 40, SIZE_MAX, SIZE_MAX - 7};
    lmada_group_t two[2], scratch[3];
    CHECK(m->dim == 12);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        two[0] = two[1] = good;
        two[1].offset = ranges[i].offset;
        two[1].len = ranges[i].len;
        refuse(m, two, 2, "groups[");
    }
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        two[0] = two[1] = good;
        two[1].offset = 3;
        two[1].lr_scale = factors[i];
        refuse(m, two, 2, "groups[1] is");
        two[1].lr_scale = 1;
        two[1].weight_decay_scale = factors[i];
        refuse(m, two, 2, "groups[1] is");
    }
    memset(scratch, 0, sizeof scratch);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK_REFUSED(lmada_set_groups(m->opt, scratch, sizes[i], 1), LMADA_ERROR_INVALID_ARGUMENT, "group_size is");
        CHECK_REFUSED(lmada_set_groups(m->opt, NULL, sizes[i], 0), LMADA_ERROR_INVALID_ARGUMENT, "group_size is");
    }
    refuse(m, scratch, SIZE_MAX, "count is");
    CHECK_STATUS(lmada_set_groups(m->opt, scratch, sizeof *scratch, SIZE_MAX / sizeof *scratch),
                 LMADA_ERROR_INVALID_ARGUMENT);
    refuse(m, one_byte_into(scratch), 1, "groups is");
    CHECK_REFUSED(lmada_set_groups(m->opt, NULL, sizeof good, 1), LMADA_ERROR_NULL_POINTER, "groups");
    CHECK_REFUSED(lmada_set_groups(NULL, &good, sizeof good, 1), LMADA_ERROR_NULL_POINTER, "opt");
}

/* lr*lr_scale*weight_decay*weight_decay_scale above 1 is refused, whichever of the four is set last. */
static void weight_decay_takes_at_most_all_of_a_parameter(void)
{
    const lmada_group_t edge = {2, 3, 4, 0.5}, beyond = {2, 3, 4, 0.625}, product_overflows = {2, 3, 1e300, 1e300};
    lmada_config_t config = base_config(), more;
    model m, stronger;
    size_t bytes;
    unsigned char *state;
    AT("weight decay in a group");
    config.lr = 0.5;
    config.weight_decay = 1;
    m = new_model(&config, 12);
    CHECK_OK(lmada_set_groups(m.opt, &edge, sizeof edge, 1));
    refuse(&m, &beyond, 1, "groups[0] is 1.25:");
    refuse(&m, &product_overflows, 1, "groups[0] is inf:");
    CHECK_REFUSED(lmada_set_lr(m.opt, 0.625), LMADA_ERROR_INVALID_ARGUMENT, "lr is 0.625:");
    more = config;
    more.weight_decay = 1.25;
    CHECK_REFUSED(lmada_set_config(m.opt, &more), LMADA_ERROR_INVALID_ARGUMENT, "config.weight_decay is 1.25:");
    state = saved_state(m.opt, &bytes);
    stronger = new_model(&more, 12);
    CHECK_STATUS(lmada_state_load(stronger.opt, state, bytes), LMADA_ERROR_INVALID_ARGUMENT);
    leave_zero(&m);
    step_model(&m, 0, 1); /* nothing changed but the step */
    for (int i = 2; i < 5; i++) CHECK(fabs((double)m.params[i]) <= 2);
    CHECK_OK(lmada_set_groups(m.opt, NULL, sizeof edge, 0));
    CHECK_OK(lmada_set_lr(m.opt, 0.625));
    CHECK_OK(lmada_state_size(m.opt, &bytes));
    free(state);
    free_model(&m);
    free_model(&stronger);
}

int main(int argc, char **argv)
{
    const refusal refusals[] = {{"bad groups", groups_are_bad}};
    const bool reduced = argc > 1;
    (void)argv;
    EACH_VARIANT (number, reduced) {
        for (int blocks = 0; blocks < 2; blocks++) {
            for (int entry = 0; entry < ENTRIES; entry++) parameters_move_by_the_formula(number, blocks, entry);
            frozen_gradients_count_as_zeros(number, blocks);
        }
        frozen_gradients_are_not_read(number);
        for (unsigned without = 0; without < 32; without += reduced ? 11 : 3) {
            tensors_without_gradient_are_left_alone(number, without, false);
        }
        tensors_without_gradient_are_left_alone(number, 9, true);
        tensors_without_gradient_are_left_alone(number, 31, false);
        groups_are_saved_and_loaded(number);
    }
    order_does_not_matter();
    shorter_groups_have_factors_of_one();
    groups_are_not_those_of_shares();
    all_leave_no_trace(refusals, 1);
    weight_decay_takes_at_most_all_of_a_parameter();
    return 0;
}

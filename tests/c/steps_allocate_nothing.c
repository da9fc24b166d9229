/* Create reserves everything that steps need. Later calls allocate no memory and start no thread, with two documented
 * exceptions: a tensor list longer than any before, and pieces in more than 256 separate runs.
 *
 * Not run under valgrind: it would replace the allocator that this test replaces. */
#include "failing_allocator.h"
#include "model.h"

#include <math.h>

enum { DIM = 30000, PIECES = 256, TENSORS = 20 };

static model m;
static real *grads, *room;
static unsigned char *state;
static size_t bytes;
/* Pieces of a step in phases that are given out of order. */
static size_t together;

static lmada_status_t step(void) { return real_step(m.opt, m.params, grads, m.dim); }
static lmada_status_t direction(void) { return real_direction(m.opt, room, grads, m.dim); }
static lmada_status_t save(void) { return lmada_state_save(m.opt, state, bytes); }
static lmada_status_t load(void) { return lmada_state_load(m.opt, state, bytes); }
static lmada_status_t set_lr(void) { return lmada_set_lr(m.opt, 0.1); }
static lmada_status_t reset(void) { return lmada_reset(m.opt); }

/* All functions other than steps, except lmada_set_groups: the number of groups may grow. */
static lmada_status_t around(void)
{
    static uint16_t halves[DIM], copy[DIM];
    lmada_config_t config;
    CHECK_OK(lmada_get_config(m.opt, &config, sizeof config));
    CHECK_OK(lmada_set_grad_scale(m.opt, 0.5));
    CHECK_OK(lmada_set_config(m.opt, &config));
    CHECK_OK(real_observe(m.opt, grads, m.dim));
    CHECK_OK(real_precondition(m.opt, room, grads, m.dim));
    if (REAL_DTYPE == LMADA_F32) {
        for (size_t i = 0; i < m.dim; i++) halves[i] = (uint16_t)(0x3F80 + i % 64);
        CHECK_OK(lmada_step_bf16(m.opt, (float *)(void *)m.params, copy, halves, m.dim));
    }
    return LMADA_OK;
}

static lmada_status_t averaged(void) { return real_averaged_params(m.opt, room, m.dim); }

static lmada_status_t look(void)
{
    lmada_stats_t stats;
    size_t size;
    CHECK_OK(lmada_state_size(m.opt, &size));
    return lmada_stats(m.opt, &stats, sizeof stats);
}

static lmada_status_t step_tensors(void)
{
    real *params[TENSORS];
    const real *gradients[TENSORS];
    size_t lens[TENSORS];
    for (size_t i = 0; i < TENSORS; i++) {
        lens[i] = m.dim / TENSORS;
        params[i] = m.params + i * lens[i];
        gradients[i] = grads + i * lens[i];
    }
    return real_step_tensors(m.opt, params, gradients, lens, TENSORS);
}

/* Every second piece first: half as many runs as are reserved. A compressed format gets eight pieces, in a few of its
 * groups. */
static lmada_status_t phases(void)
{
    double *values;
    size_t count;
    CHECK_OK(lmada_begin(m.opt));
    CHECK_OK(lmada_cancel(m.opt));
    CHECK_OK(lmada_begin(m.opt));
    for (size_t first = 0; first < PIECES; first += together) {
        for (int odd = 0; odd < 2; odd++) {
            for (size_t i = first + (odd ? 0 : 1); i < first + together; i += 2) {
                const size_t start = m.dim * i / PIECES, end = m.dim * (i + 1) / PIECES;
                CHECK_OK(real_feed(m.opt, start, grads + start, end - start));
            }
        }
    }
    CHECK_OK(lmada_partials(m.opt, &values, &count));
    CHECK_OK(lmada_solve(m.opt));
    for (size_t i = PIECES; i-- > 0;) {
        const size_t start = m.dim * i / PIECES, end = m.dim * (i + 1) / PIECES;
        CHECK_OK(real_apply(m.opt, start, m.params + start, grads + start, end - start));
    }
    return lmada_end(m.opt);
}

static lmada_status_t refused_calls(void)
{
    CHECK_STATUS(real_step(m.opt, m.params, m.params, m.dim), LMADA_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(real_step(m.opt, m.params, grads, 1), LMADA_ERROR_DIMENSION_MISMATCH);
    CHECK_STATUS(lmada_end(m.opt), LMADA_ERROR_WRONG_PHASE);
    CHECK_STATUS(lmada_state_load(m.opt, grads, 8), LMADA_ERROR_BAD_STATE);
    grads[5] = (real)NAN;
    CHECK_STATUS(step(), LMADA_ERROR_NON_FINITE);
    grads[5] = 1;
    return LMADA_OK;
}

static const struct {
    const char *name;
    lmada_status_t (*call)(void);
} calls[] = {
    {"around", around}, {"step", step},     {"step again", step},      {"direction", direction}, {"save", save},
    {"load", load},     {"phases", phases},        {"look", look},           {"refused calls", refused_calls},
    {"reset", reset},   {"direction", direction},  {"phases", phases},       {"set_lr", set_lr},
};

static void asks_for_nothing(lmada_status_t (*call)(void))
{
    lmada_status_t status;
    allocator_watch(0, FAIL_ONCE);
    status = call();
    allocator_unwatch();
    CHECK_OK(status);
    CHECK(allocator_requests() == 0);
}

/* With groups, some of them frozen, and an average of the parameters. */
static void check_with_groups_and_average(int number, uint32_t threads, size_t dim)
{
    const lmada_group_t groups[] = {{0, 1, 0, 1}, {dim / 3, dim / 4, 0, 1}, {1, 3, 0.5, 0}, {dim - 2, 2, 0, 0}};
    lmada_config_t config = variant(number);
    config.threads = threads;
    config.average_beta = 0.9;
    m = new_model(&config, dim);
    together = config.history_format == LMADA_HISTORY_FULL ? PIECES : 8;
    CHECK_OK(lmada_set_groups(m.opt, groups, sizeof *groups, 4));
    CHECK_OK(lmada_state_size(m.opt, &bytes));
    state = check_alloc(bytes);
    CHECK_OK(step_tensors()); /* the first list of this length */
    for (size_t call = 0; call < sizeof calls / sizeof *calls; call++) {
        AT("%s, variant %d, %zu parameters in groups, %u threads", calls[call].name, number, dim, (unsigned)threads);
        if (calls[call].call == direction || calls[call].call == load) continue; /* a state may have more groups */
        asks_for_nothing(calls[call].call);
    }
    asks_for_nothing(averaged);
    asks_for_nothing(step_tensors);
    free(state);
    free_model(&m);
}

static void check(const lmada_config_t *config, int number, bool blocks, size_t dim)
{
    m = blocks ? new_blocks_model(config, dim) : new_model(config, dim);
    together = config->history_format == LMADA_HISTORY_FULL ? PIECES : 8;
    CHECK_OK(lmada_state_size(m.opt, &bytes));
    state = check_alloc(bytes);
    for (size_t call = 0; call < sizeof calls / sizeof *calls; call++) {
        AT("%s, variant %d, %zu parameters, k = %u, %u threads%s", calls[call].name, number, dim,
           (unsigned)config->history_size, (unsigned)config->threads, blocks ? ", in blocks" : "");
        asks_for_nothing(calls[call].call);
    }
    CHECK_OK(step_tensors()); /* the first list of this length */
    AT("a tensor list no longer than one before, variant %d", number);
    asks_for_nothing(step_tensors);
    free(state);
    free_model(&m);
}

int main(void)
{
    const uint32_t history_sizes[] = {10, 30, 100}, threads[] = {1, 3};
    room = zeros(DIM);
    grads = new_gradient(DIM, 1);
    for (int number = 0; number < VARIANTS; number++) {
        for (int k = 0; k < 3; k++) {
            for (int t = 0; t < 2; t++) {
                lmada_config_t config = variant(number);
                config.history_size = history_sizes[k];
                config.threads = threads[t];
                check(&config, number, t == 1, DIM);
            }
        }
        for (int dim = 0; dim < 3; dim++) { /* one group of a compressed format, or a few */
            const size_t dims[] = {TENSORS, 300, 5000};
            const lmada_config_t config = variant(number);
            check(&config, number, false, dims[dim]);
            check(&config, number, true, dims[dim]);
            check_with_groups_and_average(number, (uint32_t)dim + 1, dims[dim]);
        }
        check_with_groups_and_average(number, 3, DIM);
    }
    free(room);
    free(grads);
    return 0;
}

/* If a request for memory fails, the call returns LMADA_ERROR_OUT_OF_MEMORY, and nothing changes, leaks or ends. If a
 * worker cannot be created (no thread or no memory), the call works without it. The test makes every request of every
 * call fail in turn: that request alone, and that request with all later ones.
 *
 * Not run under valgrind: it would replace the allocator that this test replaces. */
#define _GNU_SOURCE
#include "failing_allocator.h"
#include "model.h"
#include "stream.h"
#include "process.h"

/* UNITS: more cut groups of the history format than a handle has reserved memory for. */
enum { LONG = 60000, TENSORS = 500, RUNS = 700, UNITS = 20, LARGEST_UNIT = 4096, PAST = 6, FUTURE = 6 };

/* ---- create ---- */

/* Number of failed requests that did not make the last create fail. */
static size_t done_without;

/* A handle created without some of its workers gives the same bits. */
static void step_without_workers(const lmada_config_t *config, const size_t *dims, size_t count, lmada_t *opt)
{
    model whole = {NULL, NULL, 0}, m = {opt, NULL, 0};
    for (size_t i = 0; i < (count ? count : 1); i++) whole.dim += dims[i];
    m.dim = whole.dim;
    m.params = zeros(m.dim);
    whole.params = zeros(m.dim);
    CHECK_OK(count ? lmada_create_blocks(config, dims, count, &whole.opt) : lmada_create(config, *dims, &whole.opt));
    step_model(&m, 0, 3);
    step_model(&whole, 0, 3);
    CHECK(same_model(&m, &whole));
    free_model(&whole);
    free(m.params);
}

/* One length and a count of 0 mean lmada_create. Returns the number of requests. */
static size_t create_fails_cleanly(const lmada_config_t *config, const size_t *dims, size_t count, failure_mode mode)
{
    const size_t live = allocator_live_blocks(), mapped = allocator_live_mapped();
    done_without = 0;
    for (size_t request = 1;; request++) {
        lmada_t *out = (lmada_t *)(uintptr_t)0x5A5A5A5A;
        lmada_status_t status;
        size_t failed;
        AT("create, request %zu, mode %d", request, (int)mode);
        allocator_watch(request, mode);
        status = count ? lmada_create_blocks(config, dims, count, &out) : lmada_create(config, *dims, &out);
        failed = allocator_unwatch();
        if (failed == 0) {
            CHECK_OK(status);
            lmada_free(out);
        } else if (status == LMADA_OK && config->threads > 1) {
            done_without++;
            step_without_workers(config, dims, count, out);
            lmada_free(out);
        } else {
            CHECK_REFUSED(status, LMADA_ERROR_OUT_OF_MEMORY, "out of memory");
            CHECK(out == NULL);
        }
        CHECK(allocator_live_blocks() == live && allocator_live_mapped() == mapped);
        if (failed == 0) return request - 1;
    }
}

static void each_request_of_create_may_fail(void)
{
    const size_t small[] = {7}, blocks[] = {3, 0, 20000, 9}, large[] = {LONG};
    for (int number = 0; number < VARIANTS; number++) {
        lmada_config_t config = variant(number);
        for (int mode = FAIL_ONCE; mode <= FAIL_EVER_AFTER; mode++) {
            size_t alone, together;
            config.threads = 1;
            CHECK(create_fails_cleanly(&config, small, 0, (failure_mode)mode) > 3);
            CHECK(create_fails_cleanly(&config, small, 1, (failure_mode)mode) > 3);
            CHECK(create_fails_cleanly(&config, blocks, 4, (failure_mode)mode) > 10);
            config.history_size = 8;
            alone = create_fails_cleanly(&config, large, 0, (failure_mode)mode);
            config.threads = 4;
            together = create_fails_cleanly(&config, large, 0, (failure_mode)mode);
            if (processors() == 1) {
                printf("NOT CHECKED: workers that cannot be had, on a machine of one processor\n");
            } else {
                CHECK(together >= alone + 3); /* the pool, a worker and its thread were among the failures */
                CHECK(mode == FAIL_EVER_AFTER || done_without >= 3);
            }
            CHECK(create_fails_cleanly(&config, blocks, 4, (failure_mode)mode) > 13);
        }
    }
}

/* Long buffers are mapped: with small pages from 1 MiB on, and with huge pages from 2 MiB on. */
static void each_mapping_of_create_may_fail(void)
{
    const size_t dims[] = {200000};
    const uint32_t history_sizes[] = {40, 100};
    for (int k = 0; k < 2; k++) {
        const size_t mapped = allocator_live_mapped();
        lmada_config_t config = variant(0);
        model m;
        config.history_size = history_sizes[k];
        m = new_model(&config, *dims);
        CHECK(allocator_live_mapped() > mapped); /* otherwise this test needs longer buffers */
        free_model(&m);
        CHECK(allocator_live_mapped() == mapped);
        create_fails_cleanly(&config, dims, 1, FAIL_ONCE);
        create_fails_cleanly(&config, dims, 1, FAIL_EVER_AFTER);
    }
}

/* ---- calls on a handle ---- */

static real *grads;

static lmada_status_t step(model *m) { return real_step(m->opt, m->params, grads, m->dim); }
static lmada_status_t set_lr(model *m) { return lmada_set_lr(m->opt, 0.02); }
static lmada_status_t reset(model *m) { return lmada_reset(m->opt); }

static lmada_status_t direction(model *m)
{
    static real out[LONG];
    return real_direction(m->opt, out, grads, m->dim);
}

static lmada_status_t step_tensors(model *m)
{
    real *params[TENSORS];
    const real *gradients[TENSORS];
    size_t lens[TENSORS];
    for (size_t i = 0; i < TENSORS; i++) {
        const size_t start = m->dim * i / TENSORS;
        lens[i] = m->dim * (i + 1) / TENSORS - start;
        params[i] = m->params + start;
        gradients[i] = grads + start;
    }
    return real_step_tensors(m->opt, params, gradients, lens, TENSORS);
}

static lmada_status_t save_and_load(model *m)
{
    static unsigned char state[1 << 23];
    size_t bytes;
    lmada_status_t status = lmada_state_size(m->opt, &bytes);
    CHECK(bytes <= sizeof state);
    if (status == LMADA_OK) status = lmada_state_save(m->opt, state, bytes);
    if (status == LMADA_OK) status = lmada_state_load(m->opt, state, bytes);
    return status;
}

static lmada_status_t load_shares(model *m)
{
    static unsigned char state[1 << 23];
    const void *const states[] = {state};
    const size_t first = 0;
    size_t bytes;
    lmada_status_t status = lmada_state_size(m->opt, &bytes);
    CHECK(bytes <= sizeof state);
    if (status == LMADA_OK) status = lmada_state_save(m->opt, state, bytes);
    if (status == LMADA_OK) status = lmada_state_load_shares(m->opt, &first, states, &bytes, 1);
    return status;
}

/* Writes the state to memory and continues with a handle created from it. */
static lmada_status_t create_from_state(model *m)
{
    static unsigned char state[1 << 23];
    stream s = {state, sizeof state, 0, 0, 0};
    lmada_t *opt;
    lmada_status_t status = lmada_state_write(m->opt, stream_write, &s);
    s.at = 0;
    if (status == LMADA_OK) {
        status = lmada_create_from_state(stream_read, &s, &opt);
        CHECK((status == LMADA_OK) == (opt != NULL));
    }
    if (status == LMADA_OK) {
        lmada_free(m->opt);
        m->opt = opt;
    }
    return status;
}

static lmada_status_t set_groups(model *m)
{
    const lmada_group_t groups[] = {{0, m->dim / 3, 0, 1}, {m->dim / 2, 3, 2, 0}};
    return lmada_set_groups(m->opt, groups, sizeof *groups, 2);
}

/* More threads and another clip: with scratch for both. */
static lmada_status_t set_config(model *m)
{
    lmada_config_t config;
    CHECK_OK(lmada_get_config(m->opt, &config, sizeof config));
    config.threads = 2;
    config.eps = 0.5;
    return lmada_set_config(m->opt, &config);
}

/* Every third tensor has no gradient. */
static lmada_status_t step_some_tensors(model *m)
{
    real *params[TENSORS];
    const real *gradients[TENSORS];
    size_t lens[TENSORS];
    for (size_t i = 0; i < TENSORS; i++) {
        const size_t start = m->dim * i / TENSORS;
        lens[i] = m->dim * (i + 1) / TENSORS - start;
        params[i] = m->params + start;
        gradients[i] = i % 3 ? grads + start : NULL;
    }
    return real_step_tensors(m->opt, params, gradients, lens, TENSORS);
}

static lmada_status_t own_rule(model *m)
{
    static real out[LONG];
    const lmada_status_t status = real_observe(m->opt, grads, m->dim);
    return status == LMADA_OK ? real_precondition(m->opt, out, grads, m->dim) : status;
}

static lmada_status_t stats(model *m)
{
    lmada_stats_t found;
    return lmada_stats(m->opt, &found, sizeof found);
}

/* Makes the calls of a step in phases. The first refusal ends the sequence, and the step is cancelled. */
static lmada_status_t phases(model *m)
{
    const size_t cut = m->dim / 3;
    double *values;
    size_t count;
    lmada_status_t status = lmada_begin(m->opt);
    if (status == LMADA_OK) status = lmada_cancel(m->opt);
    if (status == LMADA_OK) status = lmada_begin(m->opt);
    if (status != LMADA_OK) return status;
    status = real_feed(m->opt, cut, grads + cut, m->dim - cut);
    if (status == LMADA_OK) status = real_feed(m->opt, 0, grads, cut);
    if (status == LMADA_OK) status = lmada_partials(m->opt, &values, &count);
    if (status == LMADA_OK) status = lmada_solve(m->opt);
    if (status != LMADA_OK) {
        CHECK_OK(lmada_cancel(m->opt));
        return status;
    }
    /* Nothing is refused from here on. */
    CHECK_OK(real_apply(m->opt, cut, m->params + cut, grads + cut, m->dim - cut));
    CHECK_OK(real_apply(m->opt, 0, m->params, grads, cut));
    return lmada_end(m->opt);
}

static const struct {
    const char *name;
    lmada_status_t (*call)(model *);
} calls[] = {
    {"step", step},     {"direction", direction},         {"step_tensors", step_tensors}, {"phases", phases},
    {"set_lr", set_lr}, {"save and load", save_and_load}, {"load shares", load_shares},   {"stats", stats},
    {"set_groups", set_groups}, {"set_config", set_config}, {"own rule", own_rule},
    {"step some tensors", step_some_tensors},
    {"reset", reset},   {"create from state", create_from_state},
};

static model new_past(int number, size_t dim, uint32_t threads)
{
    lmada_config_t config = variant(number);
    model m;
    config.threads = threads;
    m = new_model(&config, dim);
    step_model(&m, 0, PAST);
    return m;
}

/* Makes one request of the call fail. The model must then equal its twin, on which nothing was called; after a second
 * call it must equal its twin after the call. Returns whether there was such a request. */
static bool request_may_fail(size_t call, int number, size_t dim, uint32_t threads, size_t request, failure_mode mode)
{
    const size_t live = allocator_live_blocks(), mapped = allocator_live_mapped();
    model m = new_past(number, dim, threads), twin = new_past(number, dim, threads);
    lmada_status_t status;
    size_t failed;
    AT("%s, variant %d, %u threads, request %zu", calls[call].name, number, (unsigned)threads, request);
    allocator_watch(request, mode);
    status = calls[call].call(&m);
    failed = allocator_unwatch();
    if (failed > 0) {
        CHECK_REFUSED(status, LMADA_ERROR_OUT_OF_MEMORY, "out of memory");
        CHECK(same_model(&m, &twin));
        CHECK_OK(calls[call].call(&m));
    } else {
        CHECK_OK(status);
    }
    CHECK_OK(calls[call].call(&twin));
    CHECK(same_model(&m, &twin));
    step_model(&m, PAST + 1, FUTURE);
    step_model(&twin, PAST + 1, FUTURE);
    CHECK(same_model(&m, &twin));
    free_model(&m);
    free_model(&twin);
    CHECK(allocator_live_blocks() == live && allocator_live_mapped() == mapped);
    return failed > 0;
}

static size_t each_request_of_a_call_may_fail(size_t call, int number, size_t dim, uint32_t threads)
{
    size_t request = 1;
    while (request_may_fail(call, number, dim, threads, request, FAIL_ONCE)) {
        CHECK(request_may_fail(call, number, dim, threads, request, FAIL_EVER_AFTER));
        request++;
    }
    return request - 1;
}

/* ---- steps in phases ---- */

/* Feeds and applies every second piece first. Repeats a refused piece, with memory available. Returns the number of
 * refusals. */
static size_t step_scattered(model *m, size_t piece)
{
    const size_t pieces = m->dim / piece;
    size_t refused = 0;
    CHECK_OK(lmada_begin(m->opt));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < pieces; i++) {
            const size_t at = piece * (i < pieces / 2 ? 2 * i : 2 * (i - pieces / 2) + 1);
            lmada_status_t status = LMADA_OK;
            for (int attempt = 0; attempt < 2; attempt++) {
                status = pass == 0 ? real_feed(m->opt, at, grads + at, piece)
                                   : real_apply(m->opt, at, m->params + at, grads + at, piece);
                if (status == LMADA_OK) break;
                CHECK_REFUSED(status, LMADA_ERROR_OUT_OF_MEMORY, "out of memory");
                CHECK(allocator_unwatch() > 0);
                refused++;
            }
            CHECK_OK(status);
        }
        if (pass == 0) CHECK_OK(lmada_solve(m->opt));
    }
    CHECK_OK(lmada_end(m->opt));
    return refused;
}

/* Returns the number of requests of the step. */
static size_t each_request_of_a_scattered_step_may_fail(int number, size_t dim, size_t piece)
{
    size_t refused, request = 0;
    do {
        model m = new_past(number, dim, 1), twin = new_past(number, dim, 1);
        request++;
        AT("scattered, variant %d, pieces of %zu, request %zu", number, piece, request);
        allocator_watch(request, request % 2 ? FAIL_ONCE : FAIL_EVER_AFTER);
        refused = step_scattered(&m, piece);
        allocator_unwatch();
        CHECK(refused <= 1);
        step_scattered(&twin, piece);
        CHECK(same_model(&m, &twin));
        step_model(&m, PAST + 1, FUTURE);
        step_model(&twin, PAST + 1, FUTURE);
        CHECK(same_model(&m, &twin));
        free_model(&m);
        free_model(&twin);
    } while (refused > 0);
    return request - 1;
}

static size_t unit_of(int number)
{
    switch (variant(number).history_format) {
    case LMADA_HISTORY_SPARSE: return LARGEST_UNIT;
    case LMADA_HISTORY_F16:
    case LMADA_HISTORY_INT8: return 256;
    default: return 1;
    }
}

int main(void)
{
    grads = new_gradient(UNITS * LARGEST_UNIT, PAST);
    each_request_of_create_may_fail();
    each_mapping_of_create_may_fail();
    for (int number = 0; number < VARIANTS; number++) {
        const size_t unit = unit_of(number);
        for (size_t call = 0; call < sizeof calls / sizeof *calls; call++) {
            const size_t asked = each_request_of_a_call_may_fail(call, number, 2 * RUNS, 1);
            CHECK(asked > 0 || (calls[call].call != step_tensors && calls[call].call != load_shares &&
                               calls[call].call != set_groups && calls[call].call != set_config &&
                               calls[call].call != step_some_tensors &&
                               calls[call].call != create_from_state)); /* need memory */
            /* Creating a large model for each request takes long: once is enough. */
            if (number == 0 || calls[call].call != create_from_state)
                each_request_of_a_call_may_fail(call, number, LONG, 3);
        }
        /* With many runs both passes need memory; with many cut groups the first pass does. */
        CHECK(each_request_of_a_scattered_step_may_fail(number, 2 * RUNS, 1) >= 2);
        if (unit > 1) CHECK(each_request_of_a_scattered_step_may_fail(number, UNITS * unit, unit / 2) >= 2);
    }
    free(grads);
    return 0;
}

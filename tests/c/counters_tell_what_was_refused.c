/* The stats count refused steps, and hold the index of the first non-finite element. The message names this element and
 * its tensor. Both numbers belong to the handle, not to its saved state. The learning rate of the stats is that of the
 * next step. */
#include "model.h"

#include <math.h>

enum { DIM = 9000, PAST = 3, TENSORS = 5 };

static const size_t cuts[TENSORS + 1] = {0, 5, 5, 2000, 8000, DIM};

typedef enum { STEP, DIRECTION, OBSERVE, LIST, PHASES, ENTRIES } entry;

static lmada_status_t enter(entry entry, model *m, const real *grads)
{
    real *params[TENSORS], *out;
    const real *gradients[TENSORS];
    size_t lens[TENSORS];
    lmada_status_t status;
    if (entry == STEP) return real_step(m->opt, m->params, grads, DIM);
    if (entry == OBSERVE) return real_observe(m->opt, grads, DIM);
    if (entry == DIRECTION) {
        out = zeros(DIM);
        status = real_direction(m->opt, out, grads, DIM);
        free(out);
        return status;
    }
    if (entry == LIST) {
        for (int i = 0; i < TENSORS; i++) {
            params[i] = m->params + cuts[i];
            gradients[i] = grads + cuts[i];
            lens[i] = cuts[i + 1] - cuts[i];
        }
        return real_step_tensors(m->opt, params, gradients, lens, TENSORS);
    }
    CHECK_OK(lmada_begin(m->opt));
    CHECK_OK(real_feed(m->opt, 4000, grads + 4000, DIM - 4000));
    CHECK_OK(real_feed(m->opt, 0, grads, 4000));
    status = lmada_solve(m->opt);
    CHECK(status != LMADA_OK);
    CHECK(lmada_solve(m->opt) == status); /* the same step, so it is not counted again */
    CHECK_OK(lmada_cancel(m->opt));
    return status;
}

static void check_stats(const model *m, uint64_t refused, uint64_t index)
{
    const lmada_stats_t stats = stats_of(m->opt);
    CHECK(stats.refused == refused);
    CHECK(stats.non_finite_index == index);
}

static void each_place_is_named(int number, entry entry, bool blocks)
{
    const size_t places[] = {0, 1, 4, 5, 1999, 2999, 3000, 4095, 4096, 7999, 8000, DIM - 1};
    const lmada_config_t config = variant(number);
    model m = blocks ? new_blocks_model(&config, DIM) : new_model(&config, DIM);
    size_t bytes, again;
    unsigned char *before, *after;
    uint64_t refused = 0;
    AT("variant %d, entry %d%s", number, (int)entry, blocks ? ", in blocks" : "");
    check_stats(&m, 0, UINT64_MAX);
    step_model(&m, 0, PAST);
    check_stats(&m, 0, UINT64_MAX);
    before = saved_state(m.opt, &bytes);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        for (int others = 0; others < 2; others++) {
            real *grads = new_gradient(DIM, 7);
            char words[120], where[80];
            int tensor = 0;
            while (places[i] >= cuts[tensor + 1]) tensor++;
            AT("variant %d, entry %d, element %zu", number, (int)entry, places[i]);
            grads[places[i]] = (real)(i % 2 ? (double)NAN : -(double)INFINITY);
            for (size_t j = places[i] + 1; others && j < DIM; j += 1000) grads[j] = (real)INFINITY;
            snprintf(where, sizeof where, entry == LIST ? "element %zu (grads[%d][%zu])" : "element %zu", places[i],
                     tensor, places[i] - cuts[tensor]);
            snprintf(words, sizeof words, others && places[i] < DIM - 1 ? ", the first at %s;" : " value, %s;", where);
            CHECK_REFUSED(enter(entry, &m, grads), LMADA_ERROR_NON_FINITE, words);
            check_stats(&m, ++refused, places[i]);
            free(grads);
        }
    }
    after = saved_state(m.opt, &again);
    CHECK(bytes == again && memcmp(before, after, bytes) == 0); /* the state does not contain the counters */
    step_model(&m, PAST, 1);
    check_stats(&m, refused, DIM - 1); /* a good step resets nothing */
    CHECK_OK(lmada_state_load(m.opt, before, bytes));
    check_stats(&m, refused, DIM - 1);
    CHECK_OK(lmada_reset(m.opt));
    check_stats(&m, 0, UINT64_MAX);
    free(before);
    free(after);
    free_model(&m);
}

/* An update that is too long is refused, without an element at fault. */
static void a_step_that_overflows_is_for_no_element(void)
{
    lmada_config_t config = base_config();
    model m;
    real *grads = new_gradient(DIM, 3);
    AT("overflow");
    config.lr = 1e308;
    m = new_model(&config, DIM);
    grads[9] = (real)NAN;
    CHECK_STATUS(real_step(m.opt, m.params, grads, DIM), LMADA_ERROR_NON_FINITE);
    check_stats(&m, 1, 9);
    grads[9] = 1;
    for (int i = 0; i < DIM; i++) grads[i] *= (real)1e20;
    CHECK_STATUS(real_step(m.opt, m.params, grads, DIM), LMADA_ERROR_NON_FINITE);
    check_stats(&m, 2, UINT64_MAX);
    free(grads);
    free_model(&m);
}

/* A call refused for another reason does not count. */
static void other_refusals_do_not_count(void)
{
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 3);
    AT("other refusals");
    CHECK(real_step(m.opt, m.params, grads, DIM - 1) != LMADA_OK);
    CHECK(real_step(m.opt, m.params, m.params, DIM) != LMADA_OK);
    CHECK(real_step(m.opt, NULL, grads, DIM) != LMADA_OK);
    CHECK(lmada_set_lr(m.opt, (double)NAN) != LMADA_OK);
    CHECK(lmada_end(m.opt) != LMADA_OK);
    check_stats(&m, 0, UINT64_MAX);
    free(grads);
    free_model(&m);
}

/* A step that is refused, cancelled and begun again counts again. */
static void each_step_in_phases_counts_once(void)
{
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 3);
    double *values;
    size_t count;
    AT("phases");
    grads[100] = grads[70] = (real)NAN;
    for (uint64_t step = 1; step <= 3; step++) {
        CHECK_OK(lmada_begin(m.opt));
        CHECK_OK(real_feed(m.opt, 0, grads, DIM));
        CHECK_OK(lmada_partials(m.opt, &values, &count));
        check_stats(&m, step - 1, step == 1 ? UINT64_MAX : 70); /* nothing is refused so far */
        for (int i = 0; i < 3; i++) CHECK_STATUS(lmada_solve(m.opt), LMADA_ERROR_NON_FINITE);
        check_stats(&m, step, 70);
        CHECK_OK(lmada_cancel(m.opt));
        check_stats(&m, step, 70);
    }
    free(grads);
    free_model(&m);
}

/* If the element belongs to another process, the step is refused here too, without an element of this handle. */
static void an_element_of_another_process_is_none_of_this(void)
{
    const lmada_config_t config = base_config();
    model good = new_model(&config, DIM), bad = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 3);
    double *values[2];
    size_t count;
    AT("another process");
    CHECK_OK(lmada_begin(good.opt));
    CHECK_OK(lmada_begin(bad.opt));
    CHECK_OK(real_feed(good.opt, 0, grads, DIM));
    grads[12] = (real)NAN;
    CHECK_OK(real_feed(bad.opt, 0, grads, DIM));
    CHECK_OK(lmada_partials(good.opt, &values[0], &count));
    CHECK_OK(lmada_partials(bad.opt, &values[1], &count));
    for (size_t i = 0; i < count; i++) values[0][i] = values[1][i] = values[0][i] + values[1][i];
    CHECK_REFUSED(lmada_solve(good.opt), LMADA_ERROR_NON_FINITE, "1 NaN or infinite value;");
    CHECK_REFUSED(lmada_solve(bad.opt), LMADA_ERROR_NON_FINITE, "value, element 12;");
    check_stats(&good, 1, UINT64_MAX);
    check_stats(&bad, 1, 12);
    free(grads);
    free_model(&good);
    free_model(&bad);
}

int main(void)
{
    for (int number = 0; number < VARIANTS; number++) {
        for (int entry_point = 0; entry_point < ENTRIES; entry_point++) {
            each_place_is_named(number, (entry)entry_point, number % 2);
        }
    }
    a_step_that_overflows_is_for_no_element();
    other_refusals_do_not_count();
    each_step_in_phases_counts_once();
    an_element_of_another_process_is_none_of_this();
    return 0;
}

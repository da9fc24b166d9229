/* An open step can be cancelled until something is applied; it then was never begun. lmada_reset and lmada_free end it
 * at any time. */
#include "model.h"

#include <math.h>

enum { DIM = 12, CUT = 7, PAST = 6, FUTURE = 9, POINTS = 8, CANCELLABLE = 6 };

static model new_past(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM);
    step_model(&m, 0, PAST);
    return m;
}

/* Takes a step to one of several points. */
static void go(model *m, int point)
{
    real *grads = new_gradient(DIM, 50);
    double *values;
    size_t count;
    if (point == 5) grads[3] = (real)INFINITY;
    CHECK_OK(lmada_begin(m->opt));
    if (point >= 1) CHECK_OK(real_feed(m->opt, CUT, grads + CUT, DIM - CUT));
    if (point >= 2) CHECK_OK(real_feed(m->opt, 0, grads, CUT));
    if (point == 3) CHECK_OK(lmada_partials(m->opt, &values, &count));
    if (point == 3) values[0] = values[count - 1] = 1e9; /* cancelling discards what the caller wrote */
    if (point >= 4) CHECK_STATUS(lmada_solve(m->opt), point == 5 ? LMADA_ERROR_NON_FINITE : LMADA_OK);
    if (point >= 6) CHECK_OK(real_apply(m->opt, 0, m->params, grads, CUT));
    if (point >= 7) CHECK_OK(real_apply(m->opt, CUT, m->params + CUT, grads + CUT, DIM - CUT));
    free(grads);
}

static void cancel_goes_back_to_before(int number, int point)
{
    model m = new_past(number), twin = new_past(number);
    const lmada_stats_t before = described(stats_of(m.opt));
    lmada_stats_t after;
    AT("variant %d, point %d", number, point);
    for (int times = 0; times < 2; times++) {
        go(&m, point);
        CHECK_OK(lmada_cancel(m.opt));
        CHECK(same_model(&m, &twin));
        after = described(stats_of(m.opt));
        CHECK(memcmp(&before, &after, sizeof before) == 0);
    }
    CHECK_STATUS(lmada_cancel(m.opt), LMADA_ERROR_WRONG_PHASE);
    step_model(&m, PAST, FUTURE);
    step_model(&twin, PAST, FUTURE);
    CHECK(same_model(&m, &twin));
    free_model(&m);
    free_model(&twin);
}

static void reset_forgets_the_step_and_all_before(int number, int point)
{
    const lmada_config_t config = variant(number);
    model m = new_past(number), fresh = new_model(&config, DIM);
    AT("variant %d, point %d", number, point);
    go(&m, point);
    CHECK_OK(lmada_reset(m.opt));
    CHECK_STATUS(lmada_solve(m.opt), LMADA_ERROR_WRONG_PHASE);
    memcpy(fresh.params, m.params, DIM * sizeof(real));
    CHECK(same_model(&m, &fresh));
    step_model(&m, 0, FUTURE);
    step_model(&fresh, 0, FUTURE);
    CHECK(same_model(&m, &fresh));
    free_model(&m);
    free_model(&fresh);
}

/* Valgrind reports memory that is left. */
static void free_ends_it(int number, int point)
{
    model m = new_past(number);
    AT("variant %d, point %d", number, point);
    go(&m, point);
    free_model(&m);
}

int main(void)
{
    for (int number = 0; number < VARIANTS; number++) {
        for (int point = 0; point < POINTS; point++) {
            if (point < CANCELLABLE) cancel_goes_back_to_before(number, point);
            reset_forgets_the_step_and_all_before(number, point);
            free_ends_it(number, point);
        }
    }
    return 0;
}

/* A NaN or an infinity in the gradient is refused at every place, by every function, in every format, a thousand times
 * in a row, and leaves no trace. 3e38 gives finite steps, or is refused in the same way. */
#include "twins.h"

#include <math.h>

/* Not a multiple of 4,096, 256 or 8, so that the last tile, group and vector are not full. */
enum { DIM = 2 * 4096 + 256 + 8 + 3, PAST = 2, REFUSALS = 1000, ENTRIES = 4, PLACES_TRIED = 7, VALUES = 6 };

static bool reduced; /* run with fewer places, values and refusals */

static const size_t places[PLACES_TRIED] = {0, 1, DIM / 2, 4095, 4096, DIM - 3, DIM - 1};

/* Takes a step by one of the functions, and returns the status that decides. */
static lmada_status_t enter(int entry, model *m, const real *grads)
{
    lmada_status_t status;
    if (entry == 0) return real_step(m->opt, m->params, grads, DIM);
    if (entry == 1) {
        /* The direction is written to the parameters, so that it is compared with them. */
        return real_direction(m->opt, m->params, grads, DIM);
    }
    if (entry == 2) {
        const size_t first = DIM / 2 + 1;
        real *const params[] = {m->params, NULL, m->params + first};
        const real *const gradients[] = {grads, NULL, grads + first};
        const size_t lens[] = {first, 0, DIM - first};
        return real_step_tensors(m->opt, params, gradients, lens, 3);
    }
    CHECK_OK(lmada_begin(m->opt));
    CHECK_OK(real_feed(m->opt, 4000, grads + 4000, DIM - 4000)); /* cuts a group of every format but full and bf16 */
    CHECK_OK(real_feed(m->opt, 0, grads, 4000));
    status = lmada_solve(m->opt);
    if (status != LMADA_OK) {
        CHECK_OK(lmada_cancel(m->opt));
        return status;
    }
    CHECK_OK(real_apply(m->opt, 0, m->params, grads, DIM));
    CHECK_OK(lmada_end(m->opt));
    return LMADA_OK;
}

static void values_are_refused(int number, int entry)
{
    const double values[VALUES] = {(double)NAN, (double)INFINITY, -(double)INFINITY, -(double)NAN, 3e38, -3e38};
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM), twin = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 77);
    leave_zero(&m);
    leave_zero(&twin);
    step_model(&m, 0, PAST);
    step_model(&twin, 0, PAST);
    for (int place = 0; place < PLACES_TRIED; place += reduced ? 3 : 1) {
        const real good = grads[places[place]];
        for (int value = 0; value < VALUES; value += reduced ? 2 : 1) {
            AT("variant %d, entry point %d, %g at %zu", number, entry, values[value], places[place]);
            grads[places[place]] = (real)values[value];
            if (isfinite(values[value])) {
                const lmada_status_t status = enter(entry, &m, grads);
                CHECK(status == LMADA_OK || status == LMADA_ERROR_NON_FINITE);
                if (status == LMADA_OK) CHECK_OK(enter(entry, &twin, grads));
                for (size_t i = 0; i < DIM; i++) CHECK(isfinite(m.params[i]));
            } else {
                CHECK_STATUS(enter(entry, &m, grads), LMADA_ERROR_NON_FINITE);
            }
        }
        grads[places[place]] = good;
        CHECK(same_model(&m, &twin));
    }
    AT("variant %d, entry point %d, in the end", number, entry);
    CHECK_OK(enter(entry, &m, grads));
    CHECK_OK(enter(entry, &twin, grads));
    CHECK(same_model(&m, &twin));
    free(grads);
    free_model(&m);
    free_model(&twin);
}

static void a_first_step_takes_a_number_however_large(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 5);
    AT("variant %d", number);
    grads[DIM - 1] = (real)3e38;
    CHECK_OK(real_step(m.opt, m.params, grads, DIM));
    for (size_t i = 0; i < DIM; i++) CHECK(isfinite(m.params[i]));
    free(grads);
    free_model(&m);
}

static void a_thousand_refusals_leave_no_trace(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, TWIN_DIM), twin = new_model(&config, TWIN_DIM);
    const lmada_stats_t before = (step_model(&m, 0, PAST), stats_of(m.opt));
    lmada_stats_t after;
    real *grads = new_gradient(TWIN_DIM, 9);
    AT("variant %d", number);
    step_model(&twin, 0, PAST);
    for (int i = 0; i < (reduced ? REFUSALS / 10 : REFUSALS); i++) {
        const int place = i % TWIN_DIM;
        const real good = grads[place];
        grads[place] = (real)(i % 3 == 0 ? (double)NAN : i % 3 == 1 ? (double)INFINITY : -(double)INFINITY);
        CHECK_STATUS(real_step(m.opt, m.params, grads, TWIN_DIM), LMADA_ERROR_NON_FINITE);
        grads[place] = good;
    }
    after = stats_of(m.opt);
    CHECK(after.steps == before.steps && after.rank == before.rank);
    CHECK(after.update_norm == before.update_norm && after.grad_norm == before.grad_norm);
    CHECK(same_model(&m, &twin));
    step_model(&m, PAST, TWIN_FUTURE);
    step_model(&twin, PAST, TWIN_FUTURE);
    CHECK(same_model(&m, &twin));
    free(grads);
    free_model(&m);
    free_model(&twin);
}

int main(int argc, char **argv)
{
    (void)argv;
    reduced = argc > 1;
    EACH_VARIANT(number, reduced)
    {
        for (int entry = 0; entry < ENTRIES; entry++) values_are_refused(number, entry);
        a_first_step_takes_a_number_however_large(number);
        a_thousand_refusals_leave_no_trace(number);
    }
    return 0;
}

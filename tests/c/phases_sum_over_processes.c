/* Handles that each hold a share of the parameters, as processes would, and add up their partials, take the step of one
 * handle that holds all parameters. Handles at different steps refuse. */
#include "split.h"

#include <math.h>

enum { DIM = 8500, STEPS = 9 };

static void the_shares_step_as_the_whole(int number, int count, const size_t *starts)
{
    const lmada_config_t config = variant(number);
    model whole = new_model(&config, DIM);
    split s = new_split(&config, count, starts);
    AT("variant %d, %d shares", number, count);
    for (uint64_t step = 0; step < STEPS; step++) {
        double difference = 0, largest = 0;
        step_model(&whole, step, 1);
        step_split(&s, step, &config);
        for (int i = 0; i < count; i++) {
            for (size_t j = 0; j < s.models[i].dim; j++) {
                const double expected = (double)whole.params[starts[i] + j];
                difference = fmax(difference, fabs((double)s.models[i].params[j] - expected));
                largest = fmax(largest, fabs(expected));
            }
        }
        CHECK(difference <= (REAL_DTYPE == LMADA_F32 ? 1e-5 : 1e-11) * largest);
        CHECK(fabs(stats_of(s.models[0].opt).update_norm / stats_of(whole.opt).update_norm - 1) < 1e-6);
        CHECK(fabs(stats_of(s.models[0].opt).grad_norm / stats_of(whole.opt).grad_norm - 1) < 1e-12);
    }
    free_split(&s);
    free_model(&whole);
}

/* A NaN on one process is refused on all. After cancelling, all continue as if the step had not been. */
static void a_bad_share_is_refused_on_all(int number)
{
    const lmada_config_t config = variant(number);
    const size_t starts[] = {0, 25, 40, DIM};
    split s = new_split(&config, 3, starts), twin = new_split(&config, 3, starts);
    real *grads = new_gradient(DIM, 50);
    AT("variant %d", number);
    for (uint64_t step = 0; step < 3; step++) {
        step_split(&s, step, &config);
        step_split(&twin, step, &config);
    }
    grads[30] = (real)NAN;
    begin_and_feed(&s, grads);
    sum_partials(&s, &config);
    for (int i = 0; i < 3; i++) CHECK_STATUS(lmada_solve(s.models[i].opt), LMADA_ERROR_NON_FINITE);
    for (int i = 0; i < 3; i++) CHECK_OK(lmada_cancel(s.models[i].opt));
    for (uint64_t step = 3; step < STEPS; step++) {
        step_split(&s, step, &config);
        step_split(&twin, step, &config);
    }
    for (int i = 0; i < 3; i++) CHECK(same_model(&s.models[i], &twin.models[i]));
    free(grads);
    free_split(&s);
    free_split(&twin);
}

static void processes_out_of_step_are_refused(int number)
{
    const lmada_config_t config = variant(number);
    const size_t starts[] = {0, 25, DIM};
    split s = new_split(&config, 2, starts);
    real *grads = new_gradient(DIM, 7);
    AT("variant %d", number);
    step_split(&s, 0, &config);
    step_model(&s.models[1], 1, 1); /* one step ahead */
    begin_and_feed(&s, grads);
    sum_partials(&s, &config);
    for (int i = 0; i < 2; i++) CHECK_REFUSED(lmada_solve(s.models[i].opt), LMADA_ERROR_INVALID_ARGUMENT, "step");
    for (int i = 0; i < 2; i++) CHECK_OK(lmada_cancel(s.models[i].opt));
    for (int i = 0; i < 2; i++) CHECK_OK(lmada_reset(s.models[i].opt));
    step_split(&s, 0, &config); /* together again */
    free(grads);
    free_split(&s);
}

/* Sums that no processes can have: a status, and the step can be cancelled. */
static void other_values_are_refused(int number)
{
    const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1e308, -1, 0, 0.5};
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM), twin = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 7);
    step_model(&m, 0, 3);
    step_model(&twin, 0, 3);
    for (size_t value = 0; value < sizeof values / sizeof *values; value++) {
        double *partials;
        size_t count;
        lmada_status_t status;
        AT("variant %d, all partials %g", number, values[value]);
        CHECK_OK(lmada_begin(m.opt));
        CHECK_OK(real_feed(m.opt, 0, grads, DIM));
        CHECK_OK(lmada_partials(m.opt, &partials, &count));
        for (size_t i = 0; i < count; i++) partials[i] = values[value];
        status = lmada_solve(m.opt);
        CHECK(status == LMADA_ERROR_INVALID_ARGUMENT || status == LMADA_ERROR_NON_FINITE);
        CHECK_OK(lmada_cancel(m.opt));
        CHECK(same_model(&m, &twin));
    }
    free(grads);
    step_model(&m, 3, STEPS);
    step_model(&twin, 3, STEPS);
    CHECK(same_model(&m, &twin));
    free_model(&m);
    free_model(&twin);
}

static void a_second_look_is_at_the_same_values(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_blocks_model(&config, DIM);
    real *grads = new_gradient(DIM, 7);
    double *first, *second, *copy;
    size_t first_count, second_count;
    AT("variant %d", number);
    step_model(&m, 0, 3);
    CHECK_OK(lmada_begin(m.opt));
    CHECK_OK(real_feed(m.opt, 0, grads, DIM));
    CHECK_OK(lmada_partials(m.opt, &first, &first_count));
    CHECK(first_count > 0 && first_count <= 3 * most_partials(&config));
    copy = check_alloc(first_count * sizeof *copy);
    memcpy(copy, first, first_count * sizeof *copy);
    CHECK_OK(lmada_partials(m.opt, &second, &second_count));
    CHECK(first == second && first_count == second_count);
    CHECK(memcmp(copy, second, first_count * sizeof *copy) == 0);
    first[0] = 42; /* a second call keeps what the caller wrote */
    CHECK_OK(lmada_partials(m.opt, &second, &second_count));
    CHECK(first == second && second[0] == 42);
    CHECK_OK(lmada_cancel(m.opt));
    free(copy);
    free(grads);
    free_model(&m);
}

int main(void)
{
    const size_t halves[] = {0, 4250, DIM}, thirds[] = {0, 1, 41, DIM}, with_empty[] = {0, 0, 35, 35, DIM};
    /* With compressed formats shares do not cut groups. */
    const size_t whole_halves[] = {0, 4096, DIM}, whole_thirds[] = {0, 4096, 8192, DIM};
    const size_t whole_with_empty[] = {0, 0, 8192, 8192, DIM};
    for (int number = 0; number < VARIANTS; number++) {
        const bool whole = number >= FULL_VARIANTS;
        the_shares_step_as_the_whole(number, 2, whole ? whole_halves : halves);
        the_shares_step_as_the_whole(number, 3, whole ? whole_thirds : thirds);
        the_shares_step_as_the_whole(number, 4, whole ? whole_with_empty : with_empty);
        a_bad_share_is_refused_on_all(number);
        processes_out_of_step_are_refused(number);
        other_values_are_refused(number);
        a_second_look_is_at_the_same_values(number);
    }
    return 0;
}

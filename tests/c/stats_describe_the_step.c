/* lmada_stats fills the size given. Its numbers are correct before the first step, after a step, between solve and end,
 * and over blocks. Reading them changes nothing. */
#include "model.h"

#include <math.h>
#include <stddef.h>

enum { DIM = 12, POISON = 0xA5, BEYOND = 64 };

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fabs(b);
}

static double norm(const real *array, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++) sum += (double)array[i] * (double)array[i];
    return sqrt(sum);
}

static void every_size_is_filled_and_no_more(void)
{
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    lmada_stats_t whole;
    step_model(&m, 0, 3);
    memset(&whole, POISON, sizeof whole);
    CHECK_OK(lmada_stats(m.opt, &whole, sizeof whole));
    CHECK(whole.struct_size == sizeof whole);
    for (size_t size = sizeof(size_t); size <= sizeof whole; size++) {
        union {
            lmada_stats_t stats;
            unsigned char bytes[sizeof(lmada_stats_t) + BEYOND];
        } poisoned;
        AT("size %zu", size);
        memset(&poisoned, POISON, sizeof poisoned);
        CHECK_OK(lmada_stats(m.opt, &poisoned.stats, size));
        CHECK(poisoned.stats.struct_size == size);
        CHECK(memcmp(poisoned.bytes + sizeof size, (unsigned char *)&whole + sizeof size, size - sizeof size) == 0);
        for (size_t i = size; i < sizeof poisoned; i++) CHECK(poisoned.bytes[i] == POISON);
    }
    free_model(&m);
}

static void bad_arguments_are_refused_with_nothing_written(void)
{
    const size_t sizes[] = {0, 1, 7, sizeof(lmada_stats_t) + 1, SIZE_MAX};
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    lmada_stats_t room[2], before[2];
    memset(room, POISON, sizeof room);
    memcpy(before, room, sizeof room);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char words[60];
        snprintf(words, sizeof words, "stats_size is %zu:", sizes[i]);
        CHECK_REFUSED(lmada_stats(m.opt, room, sizes[i]), LMADA_ERROR_INVALID_ARGUMENT, words);
    }
    CHECK_REFUSED(lmada_stats(m.opt, NULL, sizeof *room), LMADA_ERROR_NULL_POINTER, "stats");
    CHECK_REFUSED(lmada_stats(NULL, room, sizeof *room), LMADA_ERROR_NULL_POINTER, "opt");
    for (size_t shift = 1; shift < 8; shift++) {
        lmada_stats_t *unaligned = (lmada_stats_t *)(void *)((unsigned char *)room + shift);
        CHECK_REFUSED(lmada_stats(m.opt, unaligned, sizeof *room), LMADA_ERROR_INVALID_ARGUMENT, "stats");
    }
    CHECK(memcmp(room, before, sizeof room) == 0);
    free_model(&m);
}

static void before_the_first_step_there_is_nothing_to_tell(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM);
    lmada_stats_t stats = stats_of(m.opt);
    AT("variant %d", number);
    for (int after_reset = 0; after_reset < 2; after_reset++) {
        CHECK(stats.steps == 0 && stats.history_len == 0 && stats.rank == 0);
        CHECK(stats.grad_norm == 0 && stats.update_norm == 0 && stats.eig_max == 0 && stats.eig_min == 0);
        CHECK(stats.scale == 1);
        CHECK(stats.state_bytes >= DIM * config.history_size * sizeof(real));
        step_model(&m, 0, 7);
        CHECK_OK(lmada_reset(m.opt));
        stats = stats_of(m.opt);
    }
    free_model(&m);
}

static void the_first_step_is_known_in_closed_form(void)
{
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 0);
    const double length = norm(grads, DIM);
    lmada_stats_t stats;
    step_model(&m, 0, 1);
    stats = stats_of(m.opt);
    CHECK(stats.steps == 1 && stats.history_len == 1 && stats.rank == 1);
    CHECK(near(stats.grad_norm, length));
    CHECK(near(stats.update_norm, length / sqrt(length * length + config.eps)));
    CHECK(near(stats.eig_max, length * length) && near(stats.eig_min, length * length));
    CHECK(stats.scale == 1);
    free(grads);
    free_model(&m);
}

static void steps_and_history_are_counted(void)
{
    lmada_config_t config = base_config();
    uint64_t bytes;
    model m;
    config.history_size = 4;
    m = new_model(&config, DIM);
    bytes = stats_of(m.opt).state_bytes;
    for (uint64_t step = 0; step < 10; step++) {
        lmada_stats_t stats;
        step_model(&m, step, 1);
        stats = stats_of(m.opt);
        CHECK(stats.steps == step + 1);
        CHECK(stats.history_len == (step < 4 ? step + 1 : 4));
        CHECK(stats.rank == stats.history_len);
        CHECK(stats.eig_max >= stats.eig_min && stats.eig_min > 0);
        CHECK(stats.state_bytes == bytes);
    }
    free_model(&m);
}

static void repeated_gradients_are_one_direction(void)
{
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 0);
    for (int step = 0; step < 5; step++) CHECK_OK(real_step(m.opt, m.params, grads, DIM));
    CHECK(stats_of(m.opt).history_len == 5 && stats_of(m.opt).rank == 1);
    CHECK(near(stats_of(m.opt).eig_max, 5 * norm(grads, DIM) * norm(grads, DIM)));
    free(grads);
    free_model(&m);
}

static void the_step_under_way_is_described_once_solved(int number)
{
    const lmada_config_t config = variant(number);
    model m = new_model(&config, DIM), twin = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 5);
    lmada_stats_t before, open, solved, applied, cancelled, ended, expected;
    AT("variant %d", number);
    step_model(&m, 0, 5);
    step_model(&twin, 0, 6);
    expected = stats_of(twin.opt);
    before = stats_of(m.opt);
    CHECK_OK(lmada_begin(m.opt));
    CHECK_OK(real_feed(m.opt, 0, grads, DIM));
    open = stats_of(m.opt);
    CHECK(memcmp(&before, &open, sizeof open) == 0);
    CHECK_OK(lmada_solve(m.opt));
    solved = stats_of(m.opt);
    CHECK(memcmp(&solved, &expected, sizeof solved) == 0);
    CHECK_OK(lmada_cancel(m.opt));
    cancelled = stats_of(m.opt);
    CHECK(memcmp(&before, &cancelled, sizeof before) == 0);
    CHECK_OK(lmada_begin(m.opt));
    CHECK_OK(real_feed(m.opt, 0, grads, DIM));
    CHECK_OK(lmada_solve(m.opt));
    CHECK_OK(real_apply(m.opt, 0, m.params, grads, DIM));
    applied = stats_of(m.opt);
    CHECK(memcmp(&applied, &expected, sizeof applied) == 0);
    CHECK_OK(lmada_end(m.opt));
    ended = stats_of(m.opt);
    CHECK(memcmp(&ended, &expected, sizeof ended) == 0);
    CHECK(same_model(&m, &twin));
    free(grads);
    free_model(&m);
    free_model(&twin);
}

/* Over blocks, norms are root-sum-squares, the scale is the smallest, the rank the sum, and eigenvalues the
 * extremes. */
static void blocks_are_added_up(void)
{
    lmada_config_t config = base_config();
    const size_t dims[] = {5, 0, 7};
    model parts[2], both = {NULL, zeros(DIM), DIM};
    real *grads = new_gradient(DIM, 0);
    lmada_stats_t first, second, sum;
    config.clip_kind = LMADA_CLIP_NORM;
    config.clip_norm = 0.4;
    parts[0] = new_model(&config, 5);
    parts[1] = new_model(&config, 7);
    CHECK_OK(lmada_create_blocks(&config, dims, 3, &both.opt));
    for (uint64_t step = 0; step < 3; step++) {
        fill_gradient(grads, DIM, step);
        for (int i = 5; i < DIM; i++) grads[i] *= (real)0.001; /* of another size */
        CHECK_OK(real_step(both.opt, both.params, grads, DIM));
        CHECK_OK(real_step(parts[0].opt, parts[0].params, grads, 5));
        CHECK_OK(real_step(parts[1].opt, parts[1].params, grads + 5, 7));
        CHECK(same_reals(both.params, parts[0].params, 5));
        CHECK(same_reals(both.params + 5, parts[1].params, 7));
        first = stats_of(parts[0].opt);
        second = stats_of(parts[1].opt);
        sum = stats_of(both.opt);
        CHECK(near(sum.grad_norm, hypot(first.grad_norm, second.grad_norm)));
        CHECK(near(sum.update_norm, hypot(first.update_norm, second.update_norm)));
        CHECK(sum.scale == fmin(first.scale, second.scale) && sum.scale < 1);
        CHECK(sum.rank == first.rank + second.rank);
        CHECK(sum.eig_max == first.eig_max && sum.eig_min == second.eig_min);
        CHECK(sum.history_len == first.history_len && sum.steps == first.steps);
    }
    free(grads);
    free_model(&parts[0]);
    free_model(&parts[1]);
    free_model(&both);
}

static void a_refused_step_is_not_described(void)
{
    const lmada_config_t config = base_config();
    model m = new_model(&config, DIM);
    real *grads = new_gradient(DIM, 50);
    lmada_stats_t before, after;
    step_model(&m, 0, 3);
    before = stats_of(m.opt);
    grads[1] = (real)NAN;
    CHECK_STATUS(real_step(m.opt, m.params, grads, DIM), LMADA_ERROR_NON_FINITE);
    after = stats_of(m.opt);
    CHECK(after.refused == before.refused + 1 && after.non_finite_index == 1);
    after = described(after);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    free(grads);
    free_model(&m);
}

int main(void)
{
    every_size_is_filled_and_no_more();
    bad_arguments_are_refused_with_nothing_written();
    the_first_step_is_known_in_closed_form();
    steps_and_history_are_counted();
    repeated_gradients_are_one_direction();
    for (int number = 0; number < VARIANTS; number++) {
        before_the_first_step_there_is_nothing_to_tell(number);
        the_step_under_way_is_described_once_solved(number);
    }
    blocks_are_added_up();
    a_refused_step_is_not_described();
    return 0;
}

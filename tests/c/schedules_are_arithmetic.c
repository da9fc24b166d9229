/* lmada_schedule computes its formula, which the test computes in long double. It returns NaN for bad arguments, and
 * lmada_set_lr refuses NaN. */
#include "check.h"

#include <math.h>

static const lmada_schedule_t kinds[] = {LMADA_SCHEDULE_CONSTANT, LMADA_SCHEDULE_LINEAR, LMADA_SCHEDULE_COSINE};

static long double expected(lmada_schedule_t kind, long double peak, uint64_t step, uint64_t warmup, uint64_t total)
{
    const long double pi = acosl(-1);
    long double x;
    if (step > total) return 0;
    if (step <= warmup) return peak * (long double)step / (long double)warmup;
    x = ((long double)step - (long double)warmup) / ((long double)total - (long double)warmup);
    if (kind == LMADA_SCHEDULE_LINEAR) return peak * (1 - x);
    return kind == LMADA_SCHEDULE_COSINE ? peak * (1 + cosl(pi * x)) / 2 : peak;
}

static void check(lmada_schedule_t kind, double peak, uint64_t step, uint64_t warmup, uint64_t total)
{
    const double found = lmada_schedule(kind, peak, step, warmup, total);
    AT("kind %d, peak %g, step %llu, warmup %llu, total %llu", (int)kind, peak, (unsigned long long)step,
       (unsigned long long)warmup, (unsigned long long)total);
    CHECK(fabsl(found - expected(kind, peak, step, warmup, total)) <= 4e-16L * (long double)peak + 5e-324L);
    CHECK(found >= 0 && found <= peak);
}

static void schedules_are_their_formulas(void)
{
    const uint64_t runs[][2] = {{0, 1}, {1, 1}, {0, 7}, {3, 7}, {7, 7}, {6, 7}, {1, 100}, {50, 1000}, {1000, 1000}};
    const double peaks[] = {0, 5e-324, 1e-3, 0.1, 3, 1e300};
    for (size_t k = 0; k < 3; k++) {
        for (size_t run = 0; run < sizeof runs / sizeof *runs; run++) {
            const uint64_t warmup = runs[run][0], total = runs[run][1];
            for (size_t p = 0; p < sizeof peaks / sizeof *peaks; p++) {
                for (uint64_t step = 1; step <= total + 3; step++) check(kinds[k], peaks[p], step, warmup, total);
            }
        }
        check(kinds[k], 1, UINT64_C(1) << 62, UINT64_C(1) << 60, UINT64_C(1) << 63);
        check(kinds[k], 1, UINT64_MAX, 0, UINT64_MAX);
        check(kinds[k], 1, UINT64_MAX, 3, 10);
        check(kinds[k], 1, 1, UINT64_MAX, UINT64_MAX);
    }
}

/* The ends are exact, and the rate does not rise after the warm-up. */
static void the_ends_are_exact(void)
{
    for (size_t k = 0; k < 3; k++) {
        const double last = kinds[k] == LMADA_SCHEDULE_CONSTANT ? 0.1 : 0;
        double before = 0.1;
        AT("kind %d", (int)kinds[k]);
        CHECK(lmada_schedule(kinds[k], 0.1, 10, 10, 1000) == 0.1);
        CHECK(lmada_schedule(kinds[k], 0.1, 1000, 10, 1000) == last);
        CHECK(lmada_schedule(kinds[k], 0.1, 1000, 1000, 1000) == 0.1);
        CHECK(lmada_schedule(kinds[k], 0.1, 1001, 10, 1000) == 0);
        CHECK(lmada_schedule(kinds[k], 0.1, 1, 0, 0) == 0);
        for (uint64_t step = 11; step <= 1000; step++) {
            const double rate = lmada_schedule(kinds[k], 0.1, step, 10, 1000);
            CHECK(kinds[k] == LMADA_SCHEDULE_CONSTANT ? rate == before : rate < before);
            before = rate;
        }
    }
}

static void bad_arguments_are_nan(void)
{
    const struct {
        lmada_schedule_t kind;
        double peak;
        uint64_t step, warmup, total;
    } bad[] = {
        {-1, 1, 1, 1, 2},
        {3, 1, 1, 1, 2},
        {INT32_MAX, 1, 1, 1, 2},
        {INT32_MIN, 1, 1, 1, 2},
        {LMADA_SCHEDULE_COSINE, (double)NAN, 1, 1, 2},
        {LMADA_SCHEDULE_COSINE, (double)INFINITY, 1, 1, 2},
        {LMADA_SCHEDULE_LINEAR, -1, 1, 1, 2},
        {LMADA_SCHEDULE_LINEAR, -5e-324, 5, 1, 2}, /* beyond the end, too */
        {LMADA_SCHEDULE_CONSTANT, 1, 0, 1, 2},
        {LMADA_SCHEDULE_CONSTANT, 1, 0, 0, 0},
        {LMADA_SCHEDULE_CONSTANT, 1, 1, 3, 2},
        {LMADA_SCHEDULE_LINEAR, 1, 9, UINT64_MAX, UINT64_MAX - 1},
    };
    lmada_t *opt;
    CHECK_OK(lmada_create(NULL, 5, &opt));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        lmada_config_t config;
        const double rate = lmada_schedule(bad[i].kind, bad[i].peak, bad[i].step, bad[i].warmup, bad[i].total);
        AT("row %zu", i);
        CHECK(isnan(rate));
        CHECK_REFUSED(lmada_set_lr(opt, rate), LMADA_ERROR_INVALID_ARGUMENT, "lr is NaN:");
        CHECK_OK(lmada_get_config(opt, &config, sizeof config));
        CHECK(config.lr == 1e-2);
    }
    lmada_free(opt);
}

int main(void)
{
    schedules_are_their_formulas();
    the_ends_are_exact();
    bad_arguments_are_nan();
    return 0;
}

/* The floating-point mode of the calling thread (rounding, subnormal numbers as zeros, exceptions that raise signals)
 * changes no bit of a result, on any number of threads. A call does not change the mode and the exception flags.
 *
 * Not run under valgrind: it does not support exceptions and all modes. */
#define _GNU_SOURCE
#include "around.h"
#include "model.h"

#include <fenv.h>
#include <math.h>

enum { DIM = 90000, BEFORE = 2, AFTER = 3 };

/* ---- modes ---- */

static void usual(void) {}
static void upward(void) { CHECK(fesetround(FE_UPWARD) == 0); }
static void downward(void) { CHECK(fesetround(FE_DOWNWARD) == 0); }
static void toward_zero(void) { CHECK(fesetround(FE_TOWARDZERO) == 0); }

#if defined __x86_64__
static unsigned control(void) { return __builtin_ia32_stmxcsr() & ~0x3fu; } /* without the flags */
static void set_control(unsigned value) { __builtin_ia32_ldmxcsr(value); }
enum { FLUSH = 0x8040 }; /* results and operands: FTZ, DAZ */
#elif defined __aarch64__
static unsigned control(void)
{
    uint64_t value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return (unsigned)value;
}
static void set_control(unsigned value) { __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)value)); }
enum { FLUSH = 1 << 24 };
#else
#error "how are subnormal numbers flushed to zero here?"
#endif

static void flush(void) { set_control(control() | FLUSH); }

static void flush_upward(void)
{
    upward();
    flush();
}

/* Some aarch64 processors do not have it. */
static void raise_signals(void) { (void)feenableexcept(FE_ALL_EXCEPT); }

static const struct {
    const char *name;
    void (*set)(void);
} modes[] = {
    {"as usual", usual},           {"upward", upward}, {"downward", downward},
    {"toward zero", toward_zero},  {"flush", flush},   {"flush, upward", flush_upward},
    {"raise signals", raise_signals},
};

/* ---- work in these modes ---- */

/* Sets the default mode. */
static void check_and_leave(unsigned before, int flags)
{
    const unsigned after = control();
    const int raised = fetestexcept(FE_ALL_EXCEPT);
    CHECK(fesetenv(FE_DFL_ENV) == 0);
    CHECK(after == before);
    CHECK(raised == flags);
}

/* Sets the mode and these flags, runs the statement, and checks that both are unchanged. */
#define IN_MODE(mode, flags, statement)                    \
    do {                                                   \
        unsigned before;                                   \
        CHECK(feclearexcept(FE_ALL_EXCEPT) == 0);          \
        (mode)();                                          \
        if (flags) CHECK(feraiseexcept(flags) == 0);       \
        before = control();                                \
        statement;                                         \
        check_and_leave(before, flags);                    \
    } while (0)

/* Gradients of every size. Some are so small that their squares or their scales are subnormal. */
static void fill(real *grads, size_t dim, uint64_t number)
{
    fill_gradient(grads, dim, number);
    for (size_t i = 0; i < dim; i++) grads[i] *= i % 3 == 0 ? (real)1e-36 : i % 3 == 1 ? (real)1e-20 : 1;
}

static void steps(model *m, uint64_t first, uint64_t count, void (*mode)(void), int flags)
{
    real *grads = check_alloc(m->dim * sizeof *grads);
    for (uint64_t number = first; number < first + count; number++) {
        lmada_status_t status;
        fill(grads, m->dim, number);
        IN_MODE(mode, flags, status = real_step(m->opt, m->params, grads, m->dim));
        CHECK_OK(status);
    }
    free(grads);
}

static model made_in(void (*mode)(void), const lmada_config_t *config)
{
    model m = {NULL, zeros(DIM), DIM};
    lmada_status_t status;
    IN_MODE(mode, 0, status = lmada_create(config, DIM, &m.opt));
    CHECK_OK(status);
    return m;
}

/* The mode is set before or after create: workers inherit the mode of the thread that starts them. */
static void same_bits(int number, uint32_t threads)
{
    lmada_config_t config = variant(number);
    model expected = new_model(&config, DIM);
    steps(&expected, 0, BEFORE + AFTER, usual, 0);
    config.threads = threads;
    for (size_t mode = 0; mode < sizeof modes / sizeof *modes; mode++) {
        for (int early = 0; early < 2; early++) {
            model m = made_in(early ? modes[mode].set : usual, &config);
            lmada_stats_t stats;
            lmada_status_t status;
            AT("variant %d, %u threads, %s, set %s", number, (unsigned)threads, modes[mode].name,
               early ? "before create" : "after create");
            steps(&m, 0, BEFORE, early ? modes[mode].set : usual, 0);
            steps(&m, BEFORE, AFTER, modes[mode].set, modes[mode].set == raise_signals ? 0 : FE_OVERFLOW);
            IN_MODE(modes[mode].set, 0, status = lmada_stats(m.opt, &stats, sizeof stats));
            CHECK_OK(status);
            CHECK(same_model(&m, &expected));
            IN_MODE(modes[mode].set, 0, free_model(&m));
        }
    }
    free_model(&expected);
}

/* Calls the other functions in a mode. The bits are those of the default mode, and flags and mode do not change. */
static void around_a_step(int number, uint32_t threads)
{
    const lmada_group_t group = {DIM / 3, DIM / 2, 0.3, 0.7};
    lmada_config_t config = variant(number);
    config.threads = threads;
    config.average_beta = 0.7;
    config.grad_scale = 0.3;
    config.grad_clip_norm = 50;
    for (size_t mode = 0; mode < sizeof modes / sizeof *modes; mode++) {
        const int flags = modes[mode].set == raise_signals ? 0 : FE_OVERFLOW;
        model m = new_model(&config, DIM), expected = new_model(&config, DIM);
        real *grads = check_alloc(DIM * sizeof *grads), *found = zeros(DIM), *as_usual = zeros(DIM);
        double rate;
        lmada_status_t status;
        AT("around a step, variant %d, %u threads, %s", number, (unsigned)threads, modes[mode].name);
        fill(grads, DIM, 50);
        IN_MODE(modes[mode].set, flags, status = lmada_set_groups(m.opt, &group, sizeof group, 1));
        CHECK_OK(status);
        CHECK_OK(lmada_set_groups(expected.opt, &group, sizeof group, 1));
        steps(&m, 0, BEFORE, modes[mode].set, flags);
        steps(&expected, 0, BEFORE, usual, 0);
        IN_MODE(modes[mode].set, flags, status = real_observe(m.opt, grads, DIM));
        CHECK_OK(status);
        CHECK_OK(real_observe(expected.opt, grads, DIM));
        IN_MODE(modes[mode].set, flags, status = real_precondition(m.opt, found, grads, DIM));
        CHECK_OK(status);
        CHECK_OK(real_precondition(expected.opt, as_usual, grads, DIM));
        CHECK(same_reals(found, as_usual, DIM));
        IN_MODE(modes[mode].set, flags, status = real_averaged_params(m.opt, found, DIM));
        CHECK_OK(status);
        CHECK_OK(real_averaged_params(expected.opt, as_usual, DIM));
        CHECK(same_reals(found, as_usual, DIM));
        IN_MODE(modes[mode].set, flags, rate = lmada_schedule(LMADA_SCHEDULE_COSINE, 0.1, 12, 3, 31));
        CHECK(rate == lmada_schedule(LMADA_SCHEDULE_COSINE, 0.1, 12, 3, 31));
        IN_MODE(modes[mode].set, flags, status = lmada_set_config(m.opt, &config));
        CHECK_OK(status);
        IN_MODE(modes[mode].set, flags, call_bf16(&m));
        call_bf16(&expected);
        CHECK(same_model(&m, &expected));
        free(grads);
        free(found);
        free(as_usual);
        free_model(&m);
        free_model(&expected);
    }
}

/* An update is about as long as the learning rate even for tiny gradients: nothing is flushed to zero. */
static void small_gradients_move_parameters(lmada_history_format_t format)
{
    lmada_config_t config = base_config();
    model m;
    real *grads = check_alloc(DIM * sizeof *grads);
    real moved = 0;
    lmada_status_t status;
    AT("format %d", (int)format);
    config.history_format = format;
    config.eps = 0;
    config.threads = 2;
    m = new_model(&config, DIM);
    for (size_t i = 0; i < DIM; i++) grads[i] = (real)(((double)(i % 7) - 3) / 3e36);
    IN_MODE(flush, 0, status = real_step(m.opt, m.params, grads, DIM));
    CHECK_OK(status);
    for (size_t i = 0; i < DIM; i++) moved += m.params[i] * m.params[i];
    CHECK(fabs(sqrt((double)moved) / config.lr - 1) < 0.1);
    free(grads);
    free_model(&m);
}

int main(void)
{
    EACH_VARIANT (number, false) {
        same_bits(number, 1);
        same_bits(number, 2);
        around_a_step(number, 1 + (uint32_t)number % 2);
    }
    small_gradients_move_parameters(LMADA_HISTORY_FULL);
    if (REAL_DTYPE == LMADA_F32) {
        small_gradients_move_parameters(LMADA_HISTORY_F16);
        small_gradients_move_parameters(LMADA_HISTORY_INT8);
    }
    return 0;
}

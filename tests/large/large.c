/* A model of more than 2³¹ parameters in two blocks, stepped by every function that takes parameters or gradients.
 * Parameters beyond 2³¹ move as the update rule says, and no others move.
 *
 *     large FORMAT [SAVED]
 *
 * FORMAT is full, bf16, f16, int8 or sparse. Only the window takes memory: gradients are zero pages except for some
 * spikes, and most of the parameters are one small file, mapped repeatedly. The gradient there is zero, so every write
 * stores the value that is there already. With SAVED the program also saves and loads the state, which takes as much
 * memory again.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#define _GNU_SOURCE
#include "check.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define BIT31 ((size_t)1 << 31)
#define FIRST_BLOCK (BIT31 + 70000)
#define SECOND_BLOCK ((size_t)5000)
#define DIM (FIRST_BLOCK + SECOND_BLOCK)

/* Bytes of the part that is mapped repeatedly, and of the part around each spike, which is mapped once. */
#define FILE_BYTES ((size_t)64 << 20)
#define OWN_BYTES ((size_t)2 << 20)

/* The places where gradients are not zero: beside 2³¹, and at the ends of blocks. No two are in one group of 256. */
static const size_t spikes[] = {3, BIT31 - 1, BIT31, BIT31 + 300, FIRST_BLOCK - 1, FIRST_BLOCK, DIM - 1};
enum { SPIKES = sizeof spikes / sizeof *spikes };

static lmada_config_t config;
static lmada_t *opt;

/* ---- arrays as long as the model ---- */

typedef struct {
    float *at, *file; /* file: the contents of the part that is mapped repeatedly */
    float fill;       /* the value of all elements but the spikes */
} array;

static float *mapped(void *where, size_t bytes, int flags, int fd)
{
    void *at = mmap(where, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    CHECK(at != MAP_FAILED && (!where || at == where));
    return at;
}

static size_t bytes_of_array(void) { return (DIM * sizeof(float) + FILE_BYTES - 1) / FILE_BYTES * FILE_BYTES; }

/* Returns the part of the array around `spike`, which has its own pages. */
static float *own_part(const array *a, size_t spike)
{
    return a->at + spike / (OWN_BYTES / sizeof(float)) * (OWN_BYTES / sizeof(float));
}

static void fill_with(array *a, float value)
{
    a->fill = value;
    for (size_t i = 0; i < FILE_BYTES / sizeof(float); i++) a->file[i] = value;
    for (size_t s = 0; s < SPIKES; s++)
        for (size_t i = 0; i < OWN_BYTES / sizeof(float); i++) own_part(a, spikes[s])[i] = value;
}

static array new_array(float value)
{
    array a;
    const int fd = memfd_create("a part of an array", 0);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)FILE_BYTES) == 0);
    a.file = mapped(NULL, FILE_BYTES, MAP_SHARED, fd);
    a.at = mapped(NULL, bytes_of_array(), MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    for (size_t at = 0; at < bytes_of_array(); at += FILE_BYTES)
        (void)mapped((char *)a.at + at, FILE_BYTES, MAP_SHARED | MAP_FIXED, fd);
    for (size_t s = 0; s < SPIKES; s++)
        (void)mapped(own_part(&a, spikes[s]), OWN_BYTES, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1);
    fill_with(&a, value);
    CHECK(close(fd) == 0);
    return a;
}

static bool is_spike(size_t place)
{
    for (size_t s = 0; s < SPIKES; s++)
        if (spikes[s] == place) return true;
    return false;
}

/* Checks that only the spikes have changed. */
static void rest_is(const array *a, float value)
{
    for (size_t i = 0; i < FILE_BYTES / sizeof(float); i++) CHECK(a->file[i] == value);
    for (size_t s = 0; s < SPIKES; s++) {
        const float *part = own_part(a, spikes[s]);
        const size_t first = (size_t)(part - a->at);
        for (size_t i = 0; i < OWN_BYTES / sizeof(float) && first + i < DIM; i++)
            CHECK(is_spike(first + i) || part[i] == value);
    }
}

/* ---- gradients, and their directions by the update rule ---- */

static float *grads;

/* Numbers that every format stores exactly, or to the last bit of a float: each is alone in its group. */
static double spike_of(int step, int s) { return (s % 2 ? -0.25 : 0.25) * (1 << (step * 3 + s * 2) % 5); }

static void set_gradient(int step)
{
    for (int s = 0; s < SPIKES; s++) grads[spikes[s]] = (float)spike_of(step, s);
}

static double product(int a, int b, bool second)
{
    double sum = 0;
    for (int s = 0; s < SPIKES; s++)
        if ((spikes[s] >= FIRST_BLOCK) == second) sum += spike_of(a, s) * spike_of(b, s);
    return sum;
}

/* Computes the direction of gradient `step` in a window that also holds gradient `before` (none if negative): M c,
 * where c is the last column of (C + εI)^(−1/2). For two rows A^(1/2) = (A + √det A·I)/√(tr A + 2√det A). */
static double direction_of(int s, int step, int before)
{
    const bool second = spikes[s] >= FIRST_BLOCK;
    const double d = product(step, step, second) + config.eps;
    double a, b, root, trace;
    if (before < 0 || config.history_size == 1) return spike_of(step, s) / sqrt(d);
    a = product(before, before, second) + config.eps;
    b = product(before, step, second);
    root = sqrt(a * d - b * b);
    trace = sqrt(a + d + 2 * root);
    return (-b * spike_of(before, s) + (a + root) * spike_of(step, s)) / (root * trace);
}

/* ---- steps ---- */

static array params, direction;
static double expected[SPIKES];
static int last = -1; /* the gradient in the window before the present one */

static void moved_by(int step)
{
    for (int s = 0; s < SPIKES; s++) {
        expected[s] -= config.lr * direction_of(s, step, last);
        CHECK(fabs((double)params.at[spikes[s]] - expected[s]) < 1e-5);
    }
    rest_is(&params, 1);
    last = step;
}

static void step_at_once(int step)
{
    AT("lmada_step, gradient %d", step);
    set_gradient(step);
    CHECK_OK(lmada_step(opt, params.at, grads, DIM));
    moved_by(step);
}

/* The first tensor has nearly all elements, more than 2³¹ of them; the other tensors begin after it. */
static void step_on_tensors(int step)
{
    const size_t lens[] = {10, BIT31 - 3, 20, DIM - (BIT31 + 27)};
    float *own[4];
    const float *given[4];
    size_t at = 0;
    AT("lmada_step_tensors, gradient %d", step);
    set_gradient(step);
    for (int i = 0; i < 4; at += lens[i++]) {
        own[i] = params.at + at;
        given[i] = grads + at;
    }
    CHECK(at == DIM);
    CHECK_OK(lmada_step_tensors(opt, own, given, lens, 4));
    moved_by(step);
}

static void direction_at_once(int step)
{
    AT("lmada_direction, gradient %d", step);
    set_gradient(step);
    fill_with(&direction, 7);
    CHECK_OK(lmada_direction(opt, direction.at, grads, DIM));
    for (int s = 0; s < SPIKES; s++)
        CHECK(fabs((double)direction.at[spikes[s]] - direction_of(s, step, last)) < 1e-5);
    rest_is(&direction, 0);
    last = step;
}

/* Pieces that begin and end beyond 2³¹ and cut groups of the format. */
static void step_in_pieces(int step)
{
    const size_t ends[] = {0, 100, BIT31 - 2, BIT31 + 1, BIT31 + 5001, DIM};
    AT("phases, gradient %d", step);
    set_gradient(step);
    CHECK_OK(lmada_begin(opt));
    for (int i = 4; i >= 0; i--) CHECK_OK(lmada_feed(opt, ends[i], grads + ends[i], ends[i + 1] - ends[i]));
    CHECK_REFUSED(lmada_feed(opt, BIT31 + 7, grads, 1), LMADA_ERROR_INVALID_ARGUMENT, "2147483655");
    CHECK_REFUSED(lmada_feed(opt, DIM, grads, 1), LMADA_ERROR_INVALID_ARGUMENT, "offset");
    CHECK_OK(lmada_solve(opt));
    for (int i = 0; i < 5; i++)
        CHECK_OK(lmada_apply(opt, ends[i], params.at + ends[i], grads + ends[i], ends[i + 1] - ends[i]));
    CHECK_OK(lmada_end(opt));
    moved_by(step);
}

/* A NaN in the last element is refused, and nothing moves. */
static void nan_is_refused(int step)
{
    AT("a NaN, gradient %d", step);
    set_gradient(step);
    grads[DIM - 1] = (float)NAN;
    CHECK_STATUS(lmada_step(opt, params.at, grads, DIM), LMADA_ERROR_NON_FINITE);
    for (int s = 0; s < SPIKES; s++) CHECK(fabs((double)params.at[spikes[s]] - expected[s]) < 1e-5);
    rest_is(&params, 1);
}

static uint64_t checksum(const unsigned char *bytes, size_t count)
{
    uint64_t sum = 0, word;
    for (size_t i = 0; i + 8 <= count; i += 8) {
        memcpy(&word, bytes + i, 8);
        sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        sum ^= sum >> 32;
    }
    return sum;
}

/* A loaded state is saved again with the same bytes, and its window works. */
static void state_is_saved_and_loaded(size_t bytes)
{
    unsigned char *state = (unsigned char *)mapped(NULL, bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    const int saved = last;
    uint64_t sum;
    AT("save and load, %zu bytes", bytes);
    CHECK_OK(lmada_state_save(opt, state, bytes));
    sum = checksum(state, bytes);
    direction_at_once(5);
    AT("save and load, %zu bytes", bytes);
    CHECK_OK(lmada_reset(opt));
    CHECK_OK(lmada_state_load(opt, state, bytes));
    last = saved;
    memset(state, 0, bytes);
    CHECK_OK(lmada_state_save(opt, state, bytes));
    CHECK(checksum(state, bytes) == sum);
    CHECK(munmap(state, bytes) == 0);
    direction_at_once(6);
    step_at_once(7);
}

int main(int count, char **arguments)
{
    static const char *const formats[] = {"full", "bf16", "f16", "int8", "sparse"};
    /* Least bytes of a saved state for each parameter; for sparse, those of the feedback. */
    static const double least[] = {4, 2, 2, 1, 4};
    const size_t dims[] = {FIRST_BLOCK, SECOND_BLOCK};
    size_t bytes;
    lmada_stats_t stats;
    int format = 0;
    CHECK(count == 2 || (count == 3 && strcmp(arguments[2], "SAVED") == 0));
    while (format < 5 && strcmp(arguments[1], formats[format]) != 0) format++;
    CHECK(format < 5 && sizeof(size_t) == 8);
    CHECK_OK(lmada_config_init(&config, sizeof config));
    config.history_format = format;
    config.history_size = format == LMADA_HISTORY_INT8 ? 2 : 1;
    config.lr = 0.5;
    config.threads = 1; /* two threads may not write to memory that is mapped twice */
    CHECK_OK(lmada_create_blocks(&config, dims, 2, &opt));
    CHECK_OK(lmada_state_size(opt, &bytes));
    CHECK((double)bytes > least[format] * config.history_size * (double)DIM);

    grads = mapped(NULL, DIM * sizeof(float), MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    params = new_array(1);
    direction = new_array(7);
    for (int s = 0; s < SPIKES; s++) expected[s] = 1;

    step_at_once(0);
    step_on_tensors(1);
    direction_at_once(2);
    step_in_pieces(3);
    nan_is_refused(4);
    step_at_once(4);
    CHECK_OK(lmada_stats(opt, &stats, sizeof stats));
    CHECK(stats.steps == 5 && stats.rank == 2 * config.history_size);
    if (count == 3) state_is_saved_and_loaded(bytes);
    lmada_free(opt);
    printf("ok: %zu parameters, %s%s\n", DIM, formats[format], count == 3 ? ", saved and loaded" : "");
    return 0;
}

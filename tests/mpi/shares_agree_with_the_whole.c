/* Processes that each hold a share step as one handle that holds the whole model: with every option that adds state,
 * every history format, one and three blocks, any split, in one call, in pieces, and for directions. All processes
 * solve from the same bits. */
#include "shared.h"

#include <math.h>

enum { LONG = 12588, STEPS = 9 };

static const size_t one_block[] = {LONG}, small[] = {5}, three_blocks[] = {8192 + 40, 0, 4356};

static double norm(const real *x, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* Takes a step in pieces, the last first, as a backward pass would compute them. */
static lmada_status_t step_in_pieces(share *s, const real *grads)
{
    const size_t dim = s->own.dim, cuts[] = {0, dim / 3, dim / 3, dim - dim / 5, dim};
    lmada_status_t status = lmada_begin(s->own.opt);
    for (int i = 3; i >= 0 && status == LMADA_OK; i--)
        status = real_feed(s->own.opt, cuts[i], grads + cuts[i], cuts[i + 1] - cuts[i]);
    status = lmada_mpi_solve(s->own.opt, status, MPI_COMM_WORLD);
    if (status != LMADA_OK) return status;
    for (int i = 0; i < 4; i++) {
        const size_t at = cuts[i], len = cuts[i + 1] - at;
        CHECK_OK(real_apply(s->own.opt, at, s->own.params + at, grads + at, len));
    }
    return lmada_end(s->own.opt);
}

/* The numbers that have to be the same on all processes. */
static void all_know_the_same(const share *s)
{
    lmada_stats_t stats = stats_of(s->own.opt);
    stats.state_bytes = 0;
    CHECK(same_on_all(&stats, sizeof stats));
}

/* Gradients, some of them scaled, and some clipped by their norm over all processes. */
static lmada_config_t weighted_variant(int number)
{
    lmada_config_t config = variant(number);
    config.grad_scale = number % 3 == 1 ? 0.25 : 1;
    config.grad_clip_norm = number % 2 ? 0.5 : 0;
    return config;
}

static void shares_step_as_the_whole(int number, const size_t *dims, size_t count, int split, bool pieces)
{
    const lmada_config_t config = weighted_variant(number);
    /* The promised precision, relative to the movement of the parameters, which are rounded at each step. */
    const double promise = REAL_DTYPE == LMADA_F32 ? 2e-6 : 1e-10;
    share s = new_share(&config, dims, count, split);
    size_t dim = 0;
    model whole;
    for (size_t b = 0; b < count; b++) dim += dims[b];
    whole.dim = dim;
    whole.params = zeros(dim);
    CHECK_OK(lmada_create_blocks(&config, dims, count, &whole.opt));
    AT("process %d of %d, variant %d, %zu in %zu blocks, split %d%s", rank, size, number, dim, count, split,
       pieces ? ", in pieces" : "");
    CHECK(sum_of((double)s.own.dim) == (double)dim);
    for (uint64_t step = 0; step < STEPS; step++) {
        real *grads = new_gradient(dim, step), *own = part_of(&s, grads), *expected;
        double apart, moved;
        step_model(&whole, step, 1);
        CHECK_OK(pieces ? step_in_pieces(&s, own) : mpi_step(s.own.opt, s.own.params, own, s.own.dim, MPI_COMM_WORLD));
        expected = part_of(&s, whole.params);
        apart = sqrt(sum_of(squared_distance(expected, s.own.params, s.own.dim)));
        moved = norm(whole.params, dim); /* the parameters start at 0 */
        CHECK(moved > 0 && apart <= promise * moved);
        all_know_the_same(&s);
        CHECK(fabs(stats_of(s.own.opt).grad_norm / stats_of(whole.opt).grad_norm - 1) < 1e-12);
        CHECK(stats_of(s.own.opt).steps == step + 1);
        free(grads);
        free(own);
        free(expected);
    }
    free_model(&s.own);
    free_model(&whole);
}

static void shares_have_the_direction_of_the_whole(int number, int split)
{
    const lmada_config_t config = variant(number);
    const double promise = REAL_DTYPE == LMADA_F32 ? 2e-6 : 1e-10;
    share s = new_share(&config, one_block, 1, split);
    model whole = new_model(&config, LONG);
    AT("process %d of %d, direction, variant %d, split %d", rank, size, number, split);
    for (uint64_t step = 0; step < STEPS; step++) {
        real *grads = new_gradient(LONG, step), *own = part_of(&s, grads), *expected;
        for (size_t i = 0; i < s.own.dim; i++) s.own.params[i] = (real)NAN; /* not read */
        CHECK_OK(real_direction(whole.opt, whole.params, grads, LONG));
        CHECK_OK(mpi_direction(s.own.opt, s.own.params, own, s.own.dim, MPI_COMM_WORLD));
        expected = part_of(&s, whole.params);
        CHECK(sqrt(sum_of(squared_distance(expected, s.own.params, s.own.dim))) <= promise * norm(whole.params, LONG));
        free(grads);
        free(own);
        free(expected);
    }
    free_model(&s.own);
    free_model(&whole);
}

/* A gradient in bfloat16: the same numbers, truncated. */
static void shares_step_in_bf16_as_in_float(int split)
{
    lmada_config_t config = base_config();
    const size_t dims[] = {900};
    share s, twin;
    config.dtype = LMADA_F32;
    AT("process %d of %d, bfloat16, split %d", rank, size, split);
    s = new_share(&config, dims, 1, split);
    twin = new_share(&config, dims, 1, split);
    for (uint64_t step = 0; step < STEPS; step++) {
        real *grads = new_gradient(900, step), *own = part_of(&s, grads);
        const size_t dim = s.own.dim;
        uint16_t *brief = check_alloc((dim + 1) * sizeof *brief), *copy = check_alloc((dim + 1) * sizeof *copy);
        float *wide = check_alloc((dim + 1) * sizeof *wide);
        for (size_t i = 0; i < dim; i++) {
            const float number = (float)own[i];
            uint32_t bits;
            memcpy(&bits, &number, sizeof bits);
            brief[i] = (uint16_t)(bits >> 16);
            bits &= UINT32_C(0xFFFF0000);
            memcpy(&wide[i], &bits, sizeof bits);
        }
        CHECK_OK(lmada_mpi_step_bf16(s.own.opt, (float *)s.own.params, copy, brief, dim, MPI_COMM_WORLD));
        CHECK_OK(lmada_mpi_step(twin.own.opt, (float *)twin.own.params, wide, dim, MPI_COMM_WORLD));
        CHECK(memcmp(s.own.params, twin.own.params, dim * sizeof(float)) == 0);
        for (size_t i = 0; i < dim; i++) {
            uint32_t bits;
            memcpy(&bits, (float *)s.own.params + i, sizeof bits);
            CHECK(copy[i] == (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16));
        }
        free(brief);
        free(copy);
        free(wide);
        free(grads);
        free(own);
    }
    free_model(&s.own);
    free_model(&twin.own);
}

/* More partials than fit in the first message. */
static void long_windows_need_a_second_message(void)
{
    lmada_config_t config = variant(1);
    const size_t dims[] = {700, 0, 61};
    share s;
    AT("process %d of %d, a long window", rank, size);
    config.history_size = 150;
    s = new_share(&config, dims, BLOCKS, UNEVENLY);
    for (uint64_t step = 0; step < 5; step++) {
        real *grads = new_gradient(761, step), *own = part_of(&s, grads);
        CHECK_OK(mpi_step(s.own.opt, s.own.params, own, s.own.dim, MPI_COMM_WORLD));
        all_know_the_same(&s);
        free(grads);
        free(own);
    }
    free_model(&s.own);
}

int main(int argc, char **argv)
{
    start(&argc, &argv);
    for (int number = 0; number < VARIANTS; number++) {
        for (int split = 0; split < SPLITS; split++) {
            shares_step_as_the_whole(number, one_block, 1, split, split == UNEVENLY);
            shares_step_as_the_whole(number, three_blocks, BLOCKS, split, split == EVENLY);
            shares_have_the_direction_of_the_whole(number, split);
        }
        /* Fewer parameters than processes, with independent gradients. */
        if (number == 0 || number == 3) shares_step_as_the_whole(number, small, 1, UNEVENLY, false);
    }
    for (int split = 0; split < SPLITS; split++) shares_step_in_bf16_as_in_float(split);
    long_windows_need_a_second_message();
    MPI_Finalize();
    return 0;
}

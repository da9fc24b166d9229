/* A mistake of one process gives the same status on all processes, with a message that names the process. Nothing
 * changes on any process, and the next step works. */
#include "shared.h"

#include <math.h>

enum { DIM = 4096 * 6 + 7, PAST = 5, FUTURE = 4 };

/* A call that is wrong on process `at` and correct on the others. */
typedef lmada_status_t (*mistake)(share *s, real *grads, bool wrong);

static lmada_status_t good_step(share *s, const real *grads)
{
    return mpi_step(s->own.opt, s->own.params, grads, s->own.dim, MPI_COMM_WORLD);
}

static lmada_status_t handle_is_null(share *s, real *grads, bool wrong)
{
    return mpi_step(wrong ? NULL : s->own.opt, s->own.params, grads, s->own.dim, MPI_COMM_WORLD);
}

static lmada_status_t grads_are_null(share *s, real *grads, bool wrong)
{
    return mpi_step(s->own.opt, s->own.params, wrong ? NULL : grads, s->own.dim, MPI_COMM_WORLD);
}

static lmada_status_t params_are_null(share *s, real *grads, bool wrong)
{
    return mpi_step(s->own.opt, wrong ? NULL : s->own.params, grads, s->own.dim, MPI_COMM_WORLD);
}

static lmada_status_t params_are_the_grads(share *s, real *grads, bool wrong)
{
    return mpi_step(s->own.opt, wrong ? grads : s->own.params, grads, s->own.dim, MPI_COMM_WORLD);
}

static lmada_status_t share_is_of_another_length(share *s, real *grads, bool wrong)
{
    return mpi_step(s->own.opt, s->own.params, grads, s->own.dim - wrong, MPI_COMM_WORLD);
}

static lmada_status_t direction_is_the_grads(share *s, real *grads, bool wrong)
{
    real *direction = zeros(s->own.dim);
    lmada_status_t status =
        mpi_direction(s->own.opt, wrong ? grads : direction, grads, s->own.dim, MPI_COMM_WORLD);
    for (size_t i = 0; i < s->own.dim; i++) CHECK(direction[i] == 0);
    free(direction);
    return status;
}

static lmada_status_t type_is_the_other(share *s, real *grads, bool wrong)
{
    const other none[1] = {0};
    other no_params[1] = {0};
    if (!wrong) return good_step(s, grads);
#ifdef TEST_F64
    return lmada_mpi_step(s->own.opt, no_params, none, s->own.dim, MPI_COMM_WORLD);
#else
    return lmada_mpi_step_f64(s->own.opt, no_params, none, s->own.dim, MPI_COMM_WORLD);
#endif
}

/* The step stays open, and is cancelled here. */
static lmada_status_t step_is_open(share *s, real *grads, bool wrong)
{
    lmada_status_t status;
    if (wrong) CHECK_OK(lmada_begin(s->own.opt));
    status = good_step(s, grads);
    if (wrong) CHECK_OK(lmada_cancel(s->own.opt));
    return status;
}

static lmada_status_t gradient_has_a_nan(share *s, real *grads, bool wrong)
{
    if (wrong) grads[s->own.dim / 2] = (real)NAN;
    return good_step(s, grads);
}

static lmada_status_t piece_is_missing(share *s, real *grads, bool wrong)
{
    lmada_status_t status = lmada_begin(s->own.opt);
    if (status == LMADA_OK) status = real_feed(s->own.opt, 0, grads, s->own.dim - wrong);
    status = lmada_mpi_solve(s->own.opt, status, MPI_COMM_WORLD);
    CHECK_OK(lmada_cancel(s->own.opt));
    return status;
}

static lmada_status_t piece_is_refused(share *s, real *grads, bool wrong)
{
    lmada_status_t status = lmada_begin(s->own.opt);
    if (status == LMADA_OK) status = real_feed(s->own.opt, wrong, grads, s->own.dim);
    status = lmada_mpi_solve(s->own.opt, status, MPI_COMM_WORLD);
    CHECK_OK(lmada_cancel(s->own.opt));
    return status;
}

static const struct {
    const char *name;
    mistake make;
    lmada_status_t status;
    const char *words;
    bool of_one; /* whether the message names the process */
} mistakes[] = {
    {"handle_is_null", handle_is_null, LMADA_ERROR_NULL_POINTER, "opt is NULL", true},
    {"grads_are_null", grads_are_null, LMADA_ERROR_NULL_POINTER, "grads is NULL", true},
    {"params_are_null", params_are_null, LMADA_ERROR_NULL_POINTER, "params is NULL", true},
    {"params_are_the_grads", params_are_the_grads, LMADA_ERROR_INVALID_ARGUMENT, "params is ", true},
    {"share_is_of_another_length", share_is_of_another_length, LMADA_ERROR_DIMENSION_MISMATCH, "dim is ", true},
    {"direction_is_the_grads", direction_is_the_grads, LMADA_ERROR_INVALID_ARGUMENT, "direction is ", true},
    {"type_is_the_other", type_is_the_other, LMADA_ERROR_INVALID_ARGUMENT, "opt is an LMADA_F", true},
    {"step_is_open", step_is_open, LMADA_ERROR_WRONG_PHASE, "lmada_begin", true},
    {"gradient_has_a_nan", gradient_has_a_nan, LMADA_ERROR_NON_FINITE, "1 NaN", false},
    {"piece_is_missing", piece_is_missing, LMADA_ERROR_WRONG_PHASE, "missing", true},
    {"piece_is_refused", piece_is_refused, LMADA_ERROR_INVALID_ARGUMENT, "offset is ", true},
};

static const size_t dims[] = {DIM};

/* The share and its twin, without the mistake, take the same steps. */
static void step_both(share *s, share *twin, uint64_t first, uint64_t count)
{
    for (uint64_t step = first; step < first + count; step++) {
        real *grads = new_gradient(DIM, step), *own = part_of(s, grads);
        CHECK_OK(good_step(s, own));
        CHECK_OK(good_step(twin, own));
        free(grads);
        free(own);
    }
}

/* The message is the same on all processes, except that the process with a non-finite element names its place. */
static void all_say_the_same(void)
{
    char words[640] = {0};
    const char *place;
    snprintf(words, sizeof words, "%s", lmada_mpi_last_error());
    place = strstr(words, ", element ");
    if (!place) place = strstr(words, ", the first at element ");
    if (place) memset(words + (place - words), 0, sizeof words - (size_t)(place - words));
    else if (strstr(words, "; the call was refused")) *strstr(words, "; the call was refused") = 0;
    for (size_t i = strlen(words); i < sizeof words; i++) words[i] = 0;
    CHECK(same_on_all(words, sizeof words));
}

static void all_refuse(size_t number, int at, int number_of_variant)
{
    const lmada_config_t config = variant(number_of_variant);
    share s = new_share(&config, dims, 1, EVENLY), twin = new_share(&config, dims, 1, EVENLY);
    real *whole = new_gradient(DIM, 77), *grads = part_of(&s, whole);
    char words[60];
    lmada_status_t status;
    AT("process %d of %d, %s on %d, variant %d", rank, size, mistakes[number].name, at, number_of_variant);
    step_both(&s, &twin, 0, PAST);
    status = mistakes[number].make(&s, grads, rank == at);
    CHECK_STATUS(status, mistakes[number].status);
    snprintf(words, sizeof words, mistakes[number].of_one ? "process %d: " : "grads has", at);
    CHECK(strstr(lmada_mpi_last_error(), words) && strstr(lmada_mpi_last_error(), mistakes[number].words));
    all_say_the_same();
    CHECK_STATUS(lmada_release(s.own.opt), LMADA_ERROR_WRONG_PHASE); /* no thread holds the handle any more */
    CHECK(same_model(&s.own, &twin.own));
    step_both(&s, &twin, PAST, FUTURE);
    CHECK(same_model(&s.own, &twin.own));
    free(whole);
    free(grads);
    free_model(&s.own);
    free_model(&twin.own);
}

/* The message is that of the first process at fault. */
static void all_at_fault_say_the_same(void)
{
    const lmada_config_t config = variant(0);
    share s = new_share(&config, dims, 1, EVENLY);
    AT("process %d of %d, all at fault", rank, size);
    CHECK_STATUS(mpi_step(rank == 0 ? s.own.opt : NULL, NULL, NULL, s.own.dim, MPI_COMM_WORLD),
                 LMADA_ERROR_NULL_POINTER);
    CHECK(strcmp(lmada_mpi_last_error(), "process 0: params is NULL") == 0);
    free_model(&s.own);
}

/* Another k, another number of blocks, another step. One process alone cannot differ. */
static void handles_that_differ_are_refused(void)
{
    lmada_config_t config = variant(0);
    const size_t lens[] = {20, 0};
    real params[20] = {0}, grads[20] = {1, 2, 3};
    model first, second, third;
    size_t count = 1;
    if (size == 1) return;
    AT("process %d of %d, handles that differ", rank, size);
    config.history_size += rank == size - 1;
    first = new_model(&config, 20);
    CHECK_STATUS(mpi_step(first.opt, params, grads, 20, MPI_COMM_WORLD), LMADA_ERROR_INVALID_ARGUMENT);
    CHECK(strstr(lmada_mpi_last_error(), "numbers of partials"));
    config = variant(0);
    if (rank == 0) count = 2;
    second.dim = 20;
    second.params = zeros(20);
    CHECK_OK(lmada_create_blocks(&config, lens, count, &second.opt));
    CHECK_STATUS(mpi_step(second.opt, params, grads, 20, MPI_COMM_WORLD), LMADA_ERROR_INVALID_ARGUMENT);
    third = new_model(&config, 20);
    if (rank == size / 2) step_model(&third, 0, 1);
    CHECK_STATUS(mpi_step(third.opt, params, grads, 20, MPI_COMM_WORLD), LMADA_ERROR_INVALID_ARGUMENT);
    CHECK(strstr(lmada_mpi_last_error(), "step"));
    for (int i = 0; i < 20; i++) CHECK(params[i] == 0);
    CHECK_OK(lmada_reset(third.opt));
    CHECK_OK(mpi_step(third.opt, params, grads, 20, MPI_COMM_WORLD));
    free_model(&first);
    free_model(&second);
    free_model(&third);
}

static void options_that_differ_are_refused(void)
{
    const lmada_config_t usual = variant(0);
    AT("process %d of %d, options that differ", rank, size);
    for (int at = 0; at < size; at++) {
        for (int option = 0; option < 4; option++) {
            lmada_config_t config = usual;
            model m, twin;
            real gradient[20] = {1, 2, 3};
            if (rank == at && option == 0) config.lr = usual.lr * 2;
            if (rank == at && option == 1) config.clip_factor = usual.clip_factor * 2; /* an option without effect */
            if (rank == at && option == 2) config.weight_decay = 1e-3;
            config.threads = 1 + (uint32_t)rank; /* threads may differ */
            m = new_model(&config, 20);
            twin = new_model(&config, 20);
            if (rank == at && option == 3) CHECK_OK(lmada_set_lr(m.opt, usual.lr * 2));
            if (size > 1) {
                CHECK_STATUS(mpi_step(m.opt, m.params, gradient, 20, MPI_COMM_WORLD), LMADA_ERROR_INVALID_ARGUMENT);
                CHECK(strstr(lmada_mpi_last_error(), "options") && strstr(lmada_mpi_last_error(), "learning rate"));
                CHECK_STATUS(mpi_direction(m.opt, m.params, gradient, 20, MPI_COMM_WORLD),
                             LMADA_ERROR_INVALID_ARGUMENT);
                if (option == 3) CHECK_OK(lmada_set_lr(m.opt, usual.lr)); /* the saved state contains it */
                CHECK(same_model(&m, &twin));
            }
            if (option == 3) CHECK_OK(lmada_set_lr(m.opt, usual.lr * 2));
            if (option == 3) CHECK_OK(mpi_step(m.opt, m.params, gradient, 20, MPI_COMM_WORLD));
            free_model(&m);
            free_model(&twin);
        }
    }
}

int main(int argc, char **argv)
{
    start(&argc, &argv);
    CHECK(strcmp(lmada_mpi_last_error(), "") == 0);
    for (size_t number = 0; number < sizeof mistakes / sizeof *mistakes; number++) {
        for (int at = 0; at < size; at++) all_refuse(number, at, (int)(number + (size_t)at) % VARIANTS);
    }
    all_at_fault_say_the_same();
    handles_that_differ_are_refused();
    options_that_differ_are_refused();
    MPI_Finalize();
    return 0;
}

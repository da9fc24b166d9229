/* While a call of the header is under way on a handle, a second call from another thread is LMADA_ERROR_BUSY on all
 * processes, from any source file. Every call of lmada.h on the process of the first call is busy too. None changes
 * anything, and the first call then completes. */
#define _POSIX_C_SOURCE 200809L
#include "shared.h"

#include <pthread.h>
#include <semaphore.h>

enum { DIM = 500 };

/* Defined in a_second_call_is_busy_elsewhere.c. */
lmada_status_t step_elsewhere(lmada_t *opt, real *params, const real *grads, size_t dim, MPI_Comm comm);
const char *last_error_elsewhere(void);

/* The first call stops before its sum, and the second call comes then, so that no two threads are inside MPI. MPI's
 * functions have a second name, so a program can replace the first. */
static pthread_key_t is_first;
static sem_t inside, go_on;

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) continue;
}

int MPI_Reduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm)
{
    if (pthread_getspecific(is_first)) {
        CHECK(sem_post(&inside) == 0);
        wait_for(&go_on);
    }
    return PMPI_Reduce(from, to, count, type, op, root, comm);
}

/* The handle under test, and a spare handle of each process. */
static share s, twin, spare;
static real *own;
static MPI_Comm other_comm;

typedef lmada_status_t (*call)(share *of, MPI_Comm comm);

static lmada_status_t step(share *of, MPI_Comm comm)
{
    return mpi_step(of->own.opt, of->own.params, own, of->own.dim, comm);
}

static lmada_status_t direction(share *of, MPI_Comm comm)
{
    real *written = zeros(of->own.dim);
    lmada_status_t status = mpi_direction(of->own.opt, written, own, of->own.dim, comm);
    for (size_t i = 0; status != LMADA_OK && i < of->own.dim; i++) CHECK(written[i] == 0);
    free(written);
    return status;
}

static lmada_status_t phases(share *of, MPI_Comm comm)
{
    lmada_status_t status = lmada_begin(of->own.opt);
    if (status == LMADA_OK) status = real_feed(of->own.opt, 0, own, of->own.dim);
    status = lmada_mpi_solve(of->own.opt, status, comm);
    if (status != LMADA_OK) return status;
    CHECK_OK(real_apply(of->own.opt, 0, of->own.params, own, of->own.dim));
    CHECK_OK(lmada_end(of->own.opt));
    return status;
}

static lmada_status_t solve(share *of, MPI_Comm comm) { return lmada_mpi_solve(of->own.opt, LMADA_OK, comm); }

static lmada_status_t elsewhere(share *of, MPI_Comm comm)
{
    return step_elsewhere(of->own.opt, of->own.params, own, of->own.dim, comm);
}

static const struct {
    const char *name;
    call make;
} firsts[] = {{"step", step}, {"direction", direction}, {"phases", phases}, {"elsewhere", elsewhere}},
  seconds[] = {{"step", step}, {"direction", direction}, {"phases", phases}, {"elsewhere", elsewhere}, {"solve", solve}};

enum { FIRSTS = sizeof firsts / sizeof *firsts, SECONDS = sizeof seconds / sizeof *seconds };

static call first;
static lmada_status_t first_status;

static void *make_the_first(void *nothing)
{
    CHECK(pthread_setspecific(is_first, &s) == 0);
    first_status = first(&s, MPI_COMM_WORLD);
    return nothing;
}

/* Calls of lmada.h, each of which would change something or read an unfinished step. */
static void calls_of_this_process_are_busy(void)
{
    lmada_t *const opt = s.own.opt;
    double *values;
    size_t count;
    unsigned char byte;
    lmada_config_t config;
    lmada_stats_t stats;
    CHECK_OK(lmada_config_init(&config, sizeof config));
    CHECK_REFUSED(real_step(opt, s.own.params, own, s.own.dim), LMADA_ERROR_BUSY, "another thread");
    CHECK_STATUS(real_direction(opt, s.own.params, own, s.own.dim), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_begin(opt), LMADA_ERROR_BUSY);
    CHECK_STATUS(real_feed(opt, 0, own, 1), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_partials(opt, &values, &count), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_solve(opt), LMADA_ERROR_BUSY);
    CHECK_STATUS(real_apply(opt, 0, s.own.params, own, s.own.dim), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_end(opt), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_cancel(opt), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_reset(opt), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_set_lr(opt, 1), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_set_config(opt, &config), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_stats(opt, &stats, sizeof stats), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_state_save(opt, &byte, 1), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_hold(opt), LMADA_ERROR_BUSY);
    CHECK_STATUS(lmada_release(opt), LMADA_ERROR_BUSY);
}

/* The second call uses the handle under test on process `at`, and the spare handle on the others. */
static void second_is_busy(size_t of_first, size_t of_second, int at)
{
    const call second = seconds[of_second].make;
    const char *(*last_error)(void) = rank == at && second == elsewhere ? last_error_elsewhere : lmada_mpi_last_error;
    char words[100];
    pthread_t thread;
    AT("process %d of %d, %s on %d while %s", rank, size, seconds[of_second].name, at, firsts[of_first].name);
    first = firsts[of_first].make;
    CHECK(pthread_create(&thread, NULL, make_the_first, NULL) == 0);
    wait_for(&inside);
    calls_of_this_process_are_busy();
    CHECK_STATUS(rank == at ? second(&s, other_comm) : step(&spare, other_comm), LMADA_ERROR_BUSY);
    snprintf(words, sizeof words, "process %d: another thread is inside a call on this handle, or holds it", at);
    CHECK(strcmp(last_error(), words) == 0);
    CHECK(stats_of(spare.own.opt).steps == 0);
    for (size_t i = 0; i < spare.own.dim; i++) CHECK(spare.own.params[i] == 0);
    CHECK(sem_post(&go_on) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(first_status);
    CHECK_OK(first(&twin, MPI_COMM_WORLD));
    CHECK(same_model(&s.own, &twin.own));
}

int main(int argc, char **argv)
{
    static const size_t dims[] = {DIM};
    const lmada_config_t config = variant(2);
    real *whole = new_gradient(DIM, 3);
    int level;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    CHECK(level >= MPI_THREAD_SERIALIZED);
    CHECK(pthread_key_create(&is_first, NULL) == 0);
    CHECK(sem_init(&inside, 0, 0) == 0 && sem_init(&go_on, 0, 0) == 0);
    MPI_Comm_dup(MPI_COMM_WORLD, &other_comm);
    s = new_share(&config, dims, 1, UNEVENLY);
    twin = new_share(&config, dims, 1, UNEVENLY);
    spare = new_share(&config, dims, 1, UNEVENLY);
    own = part_of(&s, whole);
    for (size_t i = 0; i < FIRSTS; i++) {
        for (size_t j = 0; j < SECONDS; j++) second_is_busy(i, j, (int)(i + j) % size);
    }
    free(own);
    free(whole);
    free_model(&s.own);
    free_model(&twin.own);
    free_model(&spare.own);
    MPI_Comm_free(&other_comm);
    MPI_Finalize();
    return 0;
}

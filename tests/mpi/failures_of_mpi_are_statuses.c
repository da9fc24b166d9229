/* If MPI fails and returns an error (MPI_ERRORS_RETURN), a step returns LMADA_ERROR_CALLBACK with MPI's message.
 * Nothing changes, no step is open, and the next step works. */
#include "shared.h"

enum { DIM = 300, PAST = 4, FUTURE = 3 };

/* MPI's functions have a second name, so a program can replace the first. The call at which this counter is 0 fails, on
 * all processes. */
static int until_failure;

static bool fails(void) { return until_failure > 0 && --until_failure == 0; }

int MPI_Reduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm)
{
    return fails() ? MPI_ERR_OTHER : PMPI_Reduce(from, to, count, type, op, root, comm);
}

int MPI_Bcast(void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    return fails() ? MPI_ERR_INTERN : PMPI_Bcast(buffer, count, type, root, comm);
}

int MPI_Allreduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    return fails() ? MPI_ERR_COMM : PMPI_Allreduce(from, to, count, type, op, comm);
}

static const size_t dims[] = {DIM};

static void step_both(share *s, share *twin, uint64_t first, uint64_t count)
{
    for (uint64_t step = first; step < first + count; step++) {
        real *grads = new_gradient(DIM, step), *own = part_of(s, grads);
        CHECK_OK(mpi_step(s->own.opt, s->own.params, own, s->own.dim, MPI_COMM_WORLD));
        CHECK_OK(mpi_step(twin->own.opt, twin->own.params, own, twin->own.dim, MPI_COMM_WORLD));
        free(grads);
        free(own);
    }
}

/* Takes a step in which MPI call number `call` fails; the last process may make a mistake too. Returns false if the
 * step has fewer calls. */
static bool call_may_fail(int call, uint32_t history_size, bool wrong, const char *words)
{
    lmada_config_t config = variant(2);
    share s, twin;
    real *whole = new_gradient(DIM, 77), *grads;
    bool failed;
    lmada_status_t status;
    config.history_size = history_size;
    s = new_share(&config, dims, 1, UNEVENLY);
    twin = new_share(&config, dims, 1, UNEVENLY);
    grads = part_of(&s, whole);
    step_both(&s, &twin, 0, PAST);
    AT("process %d of %d, call %d, k = %u%s", rank, size, call, (unsigned)history_size, wrong ? ", wrong" : "");
    until_failure = call;
    status = mpi_step(wrong && rank == size - 1 ? NULL : s.own.opt, s.own.params, grads, s.own.dim, MPI_COMM_WORLD);
    failed = until_failure == 0;
    until_failure = 0;
    if (failed) {
        char of_mpi[MPI_MAX_ERROR_STRING];
        int len;
        CHECK_STATUS(status, LMADA_ERROR_CALLBACK);
        CHECK(strncmp(lmada_mpi_last_error(), words, strlen(words)) == 0);
        MPI_Error_string(strstr(words, "MPI_Reduce") ? MPI_ERR_OTHER : strstr(words, "Bcast") ? MPI_ERR_INTERN : MPI_ERR_COMM,
                         of_mpi, &len);
        CHECK(strstr(lmada_mpi_last_error(), of_mpi));
    }
    CHECK_STATUS(lmada_release(s.own.opt), LMADA_ERROR_WRONG_PHASE); /* no thread holds the handle any more */
    if (failed || wrong) {
        CHECK(same_model(&s.own, &twin.own));
        step_both(&s, &twin, PAST, FUTURE);
        CHECK(same_model(&s.own, &twin.own));
    } else {
        CHECK_OK(status);
    }
    free(whole);
    free(grads);
    free_model(&s.own);
    free_model(&twin.own);
    return failed;
}

int main(int argc, char **argv)
{
    start(&argc, &argv);
    /* A step sums once, and the sum goes to all. */
    CHECK(call_may_fail(1, 10, false, "MPI_Reduce: "));
    CHECK(call_may_fail(2, 10, false, "MPI_Bcast: "));
    CHECK(!call_may_fail(3, 10, false, ""));
    /* Twice if the partials do not fit in the first message. */
    CHECK(call_may_fail(3, 130, false, "MPI_Reduce: "));
    CHECK(call_may_fail(4, 130, false, "MPI_Bcast: "));
    CHECK(!call_may_fail(5, 130, false, ""));
    /* A refused step also finds the process at fault. */
    CHECK(call_may_fail(3, 10, true, "MPI_Allreduce: "));
    CHECK(call_may_fail(4, 10, true, "MPI_Bcast: "));
    CHECK(!call_may_fail(5, 10, true, ""));
    MPI_Finalize();
    return 0;
}

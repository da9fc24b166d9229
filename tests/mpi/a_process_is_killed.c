/* Trains until the last process is killed inside a step, while the others wait for its sums. MPI decides what happens
 * then. Without the kill the program would run for very long. */
#define _POSIX_C_SOURCE 200809L
#include "shared.h"

#include <signal.h>

enum { DIM = 5000, LAST_WORDS = 20, FOR_EVER = 1 << 30 };

int main(int argc, char **argv)
{
    const lmada_config_t config = variant(0);
    const size_t dims[] = {DIM};
    share s;
    start(&argc, &argv);
    s = new_share(&config, dims, 1, EVENLY);
    for (uint64_t step = 0; step < FOR_EVER; step++) {
        real *grads = new_gradient(DIM, step), *own = part_of(&s, grads);
        lmada_status_t status = lmada_begin(s.own.opt);
        if (status == LMADA_OK) status = lmada_feed(s.own.opt, 0, own, s.own.dim);
        if (step == LAST_WORDS && rank == 0) printf("steps are taken\n"), fflush(stdout);
        if (step == LAST_WORDS && rank == size - 1) raise(SIGKILL);
        status = lmada_mpi_solve(s.own.opt, status, MPI_COMM_WORLD);
        CHECK_OK(status);
        CHECK_OK(lmada_apply(s.own.opt, 0, s.own.params, own, s.own.dim));
        CHECK_OK(lmada_end(s.own.opt));
        free(grads);
        free(own);
    }
    return 0;
}

/*
 * Tests checkpoints of a model with fewer parameters than processes. Shares may be empty when the program saves or
 * loads. The run must continue like one handle that was never saved.
 *
 *     mpirun -n P pieces PATH STEP
 *
 * Resumes from the checkpoint PATH and runs to STEP.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "pieces.h"

#include <lmada_mpi.h>
#include <math.h>
#include <string.h>

#include "../../tests/check.h"
#include "range.h"
#include "support.h"

enum { DIM = 3 };

/* The gradient of a quadratic function that is steeper in one direction than in another, and whose minimum moves with
 * each step. */
static void gradient(const float *params, uint64_t step, float *grads) {
    for (size_t i = 0; i < DIM; i++) grads[i] = (float)(i + 1) * (params[i] - cosf((float)(step * DIM + i)));
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    if (argc != 3) fail("usage: pieces PATH STEP");
    int rank, processes;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &processes);
    const struct range share = range_of(DIM, (size_t)rank, (size_t)processes);
    const uint64_t end = strtoull(argv[2], NULL, 10);

    lmada_config_t config;
    check(lmada_config_recommended(&config, sizeof config));
    lmada_t *opt, *whole;
    check(lmada_create_blocks(&config, &share.len, 1, &opt));
    const size_t dim = DIM;
    check(lmada_create_blocks(&config, &dim, 1, &whole));

    float params[DIM] = {1, 2, 3}, expected[DIM] = {1, 2, 3}, grads[DIM];
    struct pieces pieces = {argv[1], MPI_COMM_WORLD, &config, opt, params, DIM, {0, 0, 0}};
    struct position position = {7, 0, 0};
    if (pieces_load(&pieces)) position = pieces.saved;
    for (uint64_t step = 0; step < end; step++) {
        gradient(expected, step, grads);
        check(lmada_step(whole, expected, grads, DIM));
    }
    for (; position.step < end; position.step++) {
        float *mine = params + share.first;
        gradient(params, position.step, grads); /* the process uses only the part of its share */
        check(lmada_mpi_step(opt, mine, grads + share.first, share.len, MPI_COMM_WORLD));
    }
    for (size_t i = share.first; i < share.first + share.len; i++)
        CHECK_CLOSE(params[i], expected[i], 1e-5, "a parameter");
    CHECK(pieces.saved.seed == (pieces.saved.processes > 0 ? 7 : 0), "another seed");
    CHECK(pieces_save(&pieces, position), "not saved");
    lmada_free(opt);
    lmada_free(whole);
    MPI_Finalize();
    return check_result("pieces");
}

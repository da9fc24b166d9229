/*
 * Times a step of a model that is split over the processes of MPI_COMM_WORLD, and the sum over the processes alone.
 * Prints one line: parameters, k, processes, threads of each process, seconds of a step, seconds of a sum.
 *
 *     measure DIM K THREADS
 *
 * The time of a step is the time on the slowest process. Both times are medians.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <lmada_mpi.h>
#include <stdlib.h>

#include "support.h"

enum { WARM_UP = 3, FEWEST = 11, MOST = 2001 };

/* Seconds that each measurement takes. */
static const double patience = 1.0;

struct shard {
    lmada_t *opt;
    size_t dim;
    float *params, *grads;
    uint32_t history_size;
};

static void step(struct shard *shard) {
    if (lmada_mpi_step(shard->opt, shard->params, shard->grads, shard->dim, MPI_COMM_WORLD) != LMADA_OK)
        fail("%s", lmada_mpi_last_error());
}

/* Exchanges the messages of lmada_mpi_solve, without a solve. */
static void sum(struct shard *shard) {
    static double values[1 << 14];
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    lmada_mpi_sum(values, 128, rank, MPI_COMM_WORLD);
    const int partials = (int)shard->history_size + 12;
    if (partials > 125) lmada_mpi_sum(values, partials - 125, rank, MPI_COMM_WORLD);
}

/* The median of the seconds from a common start until the last process has finished. */
static double time_of(void (*work)(struct shard *), struct shard *shard) {
    static double times[MOST];
    double spent = 0;
    size_t count = 0;
    for (int i = 0; i < WARM_UP; i++) work(shard);
    for (int go_on = 1; go_on; count++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double start = MPI_Wtime(), mine, last;
        work(shard);
        mine = MPI_Wtime() - start;
        MPI_Allreduce(&mine, &last, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
        times[count] = last;
        spent += last;
        go_on = count + 1 < MOST && (count + 1 < FEWEST || spent < patience);
    }
    return median(times, count);
}

int main(int argc, char **argv) {
    struct shard shard;
    lmada_config_t config;
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc != 4) fail("usage: measure DIM K THREADS");
    size_t dim = strtoull(argv[1], NULL, 10), first = dim * (size_t)rank / (size_t)size;
    shard.dim = dim * (size_t)(rank + 1) / (size_t)size - first;
    shard.params = allocate(shard.dim, sizeof *shard.params);
    shard.grads = allocate(shard.dim, sizeof *shard.grads);
    lmada_config_init(&config, sizeof config);
    config.history_size = shard.history_size = (uint32_t)strtoul(argv[2], NULL, 10);
    config.threads = (uint32_t)strtoul(argv[3], NULL, 10);
    if (lmada_create_blocks(&config, &shard.dim, 1, &shard.opt) != LMADA_OK) fail("%s", lmada_last_error());
    struct random random = random_stream(1, (uint64_t)rank);
    for (uint32_t i = 0; i <= config.history_size; i++) { /* fills the window */
        for (size_t j = 0; j < shard.dim; j++) shard.grads[j] = (float)random_uniform(&random, -1, 1);
        step(&shard);
    }
    double of_step = time_of(step, &shard), of_sum = time_of(sum, &shard);
    if (rank == 0) printf("%zu %u %d %u %.9f %.9f\n", dim, shard.history_size, size, config.threads, of_step, of_sum);
    lmada_free(shard.opt);
    free(shard.params);
    free(shard.grads);
    MPI_Finalize();
    return 0;
}

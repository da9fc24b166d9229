/*
 * A checkpoint that processes write together and any number of them can read.
 *
 * Each process saves the piece that it has: lmada's state of its share, and the parameters of it. PATH.STEP.RANK holds
 * a piece; PATH says which step counts, and of how many pieces it is. It is written when all pieces are on the disk: so
 * whatever ends the run, at whatever moment, PATH names pieces that are whole and of the same step. Only then are those
 * before them removed.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_PIECES_H
#define EXAMPLES_PIECES_H

#include <lmada.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/* How far a run has come, and on how many processes. */
struct position {
    uint64_t seed, step, processes;
};

struct pieces {
    const char *path; /* in a folder that all processes see */
    MPI_Comm comm;
    const lmada_config_t *config;
    lmada_t *opt;
    float *params; /* of the whole model, on every process */
    size_t dim;
    struct position saved; /* what PATH names; no processes where there is none */
};

/* Collective. False: the checkpoint before this one stays, and training may go on; the process at fault said why. */
bool pieces_save(struct pieces *pieces, struct position now);

/*
 * Collective. Each process reads what concerns its share, on whatever number of processes it was saved: `opt` and its
 * part of `params` are as they were; the rest of `params` is for the others to hand over. False: there is none. Ends
 * the program where there is one that cannot be read.
 */
bool pieces_load(struct pieces *pieces);

/* Ends the program where lmada refuses something; mpirun then ends the other processes. */
void check(lmada_status_t status);

#endif

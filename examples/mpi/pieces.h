/*
 * A checkpoint that processes write together and any number of processes can read.
 *
 * Each process saves its piece: lmada's state of its share, and the parameters of its share. PATH.STEP.RANK holds a
 * piece. PATH names the valid step and the number of pieces. The program writes PATH when all pieces are on disk. If
 * the run ends at any moment, PATH therefore names complete pieces of the same step. The program removes the old pieces
 * after it has written PATH.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef EXAMPLES_PIECES_H
#define EXAMPLES_PIECES_H

#include <lmada.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/* The position of a run, and its number of processes. */
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
    struct position saved; /* the checkpoint that PATH names; 0 processes if there is none */
};

/*
 * Collective. Returns false on failure: the old checkpoint stays, training may continue, and the process that failed
 * has printed the reason.
 */
bool pieces_save(struct pieces *pieces, struct position now);

/*
 * Collective. Each process reads the pieces that overlap its share, for any number of saving processes, and restores
 * `opt` and its part of `params`. The caller has to gather the rest of `params` from the other processes. Returns false
 * if there is no checkpoint. Ends the program if the checkpoint cannot be read.
 */
bool pieces_load(struct pieces *pieces);

/* Ends the program if lmada has returned an error. mpirun then ends the other processes. */
void check(lmada_status_t status);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "pieces.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "range.h"
#include "support.h"

enum { LONGEST_PATH = 4096 };

void check(lmada_status_t status) {
    if (status != LMADA_OK) fail("%s: %s", lmada_status_string(status), lmada_last_error());
}

/* One piece: its run and position, its number, its file. */
struct piece {
    char path[LONGEST_PATH];
    struct position position;
    uint64_t rank;
    void *state;
    size_t state_len;
    struct section sections[4];
};

static void name_piece(struct piece *piece, const char *path, struct position position, uint64_t rank) {
    snprintf(piece->path, sizeof piece->path, "%s.%" PRIu64 ".%" PRIu64, path, position.step, rank);
}

/* Piece `rank` of the run at `position`. `opt` must have a share of this piece's length, since it determines the length
 * of the state. */
static struct piece *piece_new(const struct pieces *run, struct position position, uint64_t rank, const lmada_t *opt) {
    struct range share = range_of(run->dim, rank, position.processes);
    struct piece *piece = allocate(1, sizeof *piece);
    name_piece(piece, run->path, position, rank);
    piece->position = position;
    piece->rank = rank;
    check(lmada_state_size(opt, &piece->state_len));
    piece->state = allocate(piece->state_len, 1);
    piece->sections[0] = (struct section){"positions", &piece->position, sizeof piece->position};
    piece->sections[1] = (struct section){"ranks", &piece->rank, sizeof piece->rank};
    piece->sections[2] = (struct section){"states of lmada", piece->state, piece->state_len};
    piece->sections[3] = (struct section){"parameters", run->params + share.first, share.len * sizeof(float)};
    return piece;
}

static void piece_free(struct piece *piece) {
    free(piece->state);
    free(piece);
}

/* ---- saving ---- */

/* Whether `good` is true on all processes. All processes save, or none. */
static bool all(bool good, MPI_Comm comm) {
    int mine = good, least;
    MPI_Allreduce(&mine, &least, 1, MPI_INT, MPI_MIN, comm);
    return least;
}

/* Removes the old pieces. Each process removes some of them, since there may be more or fewer pieces than processes. */
static void remove_pieces(const struct pieces *run, struct position position, int rank, int processes) {
    struct piece piece;
    for (uint64_t i = (uint64_t)rank; i < position.processes; i += (uint64_t)processes) {
        name_piece(&piece, run->path, position, i);
        remove(piece.path); /* a failure does no harm */
    }
}

bool pieces_save(struct pieces *run, struct position now) {
    int rank, processes;
    MPI_Comm_rank(run->comm, &rank);
    MPI_Comm_size(run->comm, &processes);
    now.processes = (uint64_t)processes;

    struct piece *mine = piece_new(run, now, (uint64_t)rank, run->opt);
    struct complaint why;
    check(lmada_state_save(run->opt, mine->state, mine->state_len));
    bool good = checkpoint_save(mine->path, mine->sections, 4, &why);
    if (!good) fprintf(stderr, "step %" PRIu64 " is not saved: %s\n", now.step, why.text);
    piece_free(mine);
    bool whole = all(good, run->comm);

    /* The `rename` of process 0 makes the new checkpoint valid. */
    if (whole && rank == 0) {
        struct section section = {"positions", &now, sizeof now};
        good = checkpoint_save(run->path, &section, 1, &why);
        if (!good) fprintf(stderr, "step %" PRIu64 " is not saved: %s\n", now.step, why.text);
    }
    good = all(good, run->comm);
    if (good) {
        remove_pieces(run, run->saved, rank, processes);
        run->saved = now;
    } else if (!whole) {
        remove_pieces(run, now, rank, processes); /* no checkpoint uses them */
    }
    return good;
}

/* ---- loading ---- */

/* Process 0 looks for a checkpoint, so that all processes get the same answer. */
static bool find(struct pieces *run) {
    int rank, found = CHECKPOINT_NONE;
    MPI_Comm_rank(run->comm, &rank);
    if (rank == 0) {
        struct complaint why;
        struct section section = {"positions", &run->saved, sizeof run->saved};
        found = (int)checkpoint_load(run->path, &section, 1, &why);
        if (found == CHECKPOINT_REFUSED) fail("%s", why.text);
    }
    MPI_Bcast(&found, 1, MPI_INT, 0, run->comm);
    MPI_Bcast(&run->saved, sizeof run->saved, MPI_BYTE, 0, run->comm);
    return found == CHECKPOINT_LOADED;
}

/* Reads a piece, and copies its parameters to their positions in the complete model. */
static struct piece *load_piece(const struct pieces *run, uint64_t rank) {
    size_t len = range_of(run->dim, rank, run->saved.processes).len;
    lmada_t *opt;
    check(lmada_create_blocks(run->config, &len, 1, &opt));
    struct piece *piece = piece_new(run, run->saved, rank, opt);
    lmada_free(opt);

    struct complaint why;
    switch (checkpoint_load(piece->path, piece->sections, 4, &why)) {
    case CHECKPOINT_NONE: fail("%s is missing", piece->path);
    case CHECKPOINT_REFUSED: fail("%s", why.text);
    case CHECKPOINT_LOADED: break;
    }
    if (memcmp(&piece->position, &run->saved, sizeof run->saved) != 0 || piece->rank != rank)
        fail("%s is of something else: piece %" PRIu64 " of %" PRIu64 " at step %" PRIu64, piece->path, piece->rank,
             piece->position.processes, piece->position.step);
    return piece;
}

bool pieces_load(struct pieces *run) {
    if (!find(run)) return false;
    int rank, processes;
    MPI_Comm_rank(run->comm, &rank);
    MPI_Comm_size(run->comm, &processes);
    const struct range mine = range_of(run->dim, (size_t)rank, (size_t)processes);

    /* Reads the pieces that overlap this process's share. For an empty share, any piece has the position of the run. */
    const size_t saved = run->saved.processes;
    struct piece **pieces = allocate(saved, sizeof *pieces);
    const void **states = allocate(saved, sizeof *states);
    size_t *bytes = allocate(saved, sizeof *bytes), count = 0, first = 0;
    for (size_t i = 0; i < saved; i++) {
        const struct range theirs = range_of(run->dim, i, saved);
        if (range_common(theirs, mine).len == 0 && (mine.len > 0 || i > 0)) continue;
        if (count == 0) first = mine.first - theirs.first;
        pieces[count] = load_piece(run, i);
        states[count] = pieces[count]->state;
        bytes[count] = pieces[count]->state_len;
        count++;
    }
    check(lmada_state_load_shares(run->opt, &first, states, bytes, count));
    for (size_t i = 0; i < count; i++) piece_free(pieces[i]);
    free(pieces);
    free(states);
    free(bytes);
    return true;
}

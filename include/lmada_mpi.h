/**
 * @file
 * Steps of a model that is split over the processes of an MPI communicator.
 *
 * Every process has a handle of its own for its share of the parameters. A step is local but for one sum over the
 * processes, of at most `2*history_size + 16` doubles for each block (`3*history_size + 16` with
 * `LMADA_CLIP_EMA_VECTOR` and `LMADA_GRAFT_EMA_VECTOR`): what crosses the network does not depend on the number of
 * parameters. The result is that of one handle over the whole model, up to the order of a sum.
 *
 * ```c
 * lmada_t *opt;
 * size_t share = dim / processes + (rank < dim % processes); // or any other split; a share may be empty
 * if (lmada_create_blocks(&config, &share, 1, &opt) != LMADA_OK) fail(lmada_last_error());
 * for (int step = 0; step < steps; step++) {
 *     compute_gradient(params, grads, share);
 *     if (lmada_mpi_step(opt, params, grads, share, comm) != LMADA_OK) fail(lmada_mpi_last_error());
 * }
 * lmada_free(opt);
 * ```
 *
 * lmada itself does not know MPI: this header is all there is, and the program that includes it links both:
 *
 *     mpicc train.c $(pkg-config --cflags --libs lmada)
 *
 * Rules that hold for every function here:
 * - It is collective: all processes of `comm` call it, in the same order as their other collective calls on `comm`.
 * - All of them get the same status, and where that is not `LMADA_OK`, nothing changed on any: neither a share nor a
 *   state. What was wrong, and where, `lmada_mpi_last_error()` says on each of them.
 * - Processes solve from the same bits, so that none keeps a direction that another drops: the sums are made on one
 *   process, in whatever order MPI adds them up, and sent to all. What follows from them is the same bits on
 *   processors that have the same vector instructions; mixed ones agree up to rounding.
 * - All handles have the same options and learning rate, and as many blocks; a handle's length in a block is that of
 *   its share, 0 where it has none. A step is refused on all processes with `LMADA_ERROR_INVALID_ARGUMENT` where handles
 *   differ in the number of blocks, an option other than `threads`, the learning rate, the version of the library, or
 *   the number of steps taken.
 * - A handle is for one call at a time. While a call of this header is under way on a handle, the thread holds it
 *   (`lmada_hold`). Meanwhile, every function of lmada.h that another thread calls on the handle returns
 *   `LMADA_ERROR_BUSY`, and so does a second call of this header, on all processes of its `comm`. Neither changes
 *   anything.
 * - Where the history format is not the full one, a share starts at a multiple of 4,096 parameters from the start of
 *   its block, or other numbers are stored than one process would.
 * - An error of MPI ends the program, as MPI wants it, unless `comm` has `MPI_ERRORS_RETURN`: then it is
 *   `LMADA_ERROR_CALLBACK`, on the processes that MPI told of it, the step is dropped there, and `comm` is as usable as
 *   MPI says it is.
 *
 * A step costs a process one reduction and one broadcast of 1 KiB, and of what more partials there are than fit into
 * that (125 do). See docs/scaling.md.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef LMADA_MPI_H
#define LMADA_MPI_H

#include <lmada.h>
#include <mpi.h>
#include <stdio.h>
#include <string.h>

/** @cond */

/* C++ has other words for a cast and for a null pointer, and warns of those of C where it is asked to. */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wzero-as-null-pointer-constant"
#endif

#if defined(__cplusplus)
#define LMADA_MPI_OF_THREAD thread_local
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L && !defined(__STDC_NO_THREADS__)
#define LMADA_MPI_OF_THREAD _Thread_local
#elif defined(__GNUC__)
#define LMADA_MPI_OF_THREAD __thread
#else
#define LMADA_MPI_OF_THREAD
#endif

/* Not for callers: where the words of the last failure lie, and how many. */
enum { LMADA_MPI_WORDS = 640 };
static inline char *lmada_mpi_words(void) {
    static LMADA_MPI_OF_THREAD char words[LMADA_MPI_WORDS];
    return words;
}

/** @endcond */

/**
 * @addtogroup mpi A step over the processes of an MPI communicator
 * @{
 */

/**
 * The last failure of a call of this header from this thread, in words: as `lmada_last_error()` has them on the process
 * that is at fault, with its rank. Never NULL; empty before the first failure. It belongs to the source file that it is
 * called from, as everything here does.
 */
static inline const char *lmada_mpi_last_error(void) { return lmada_mpi_words(); }

/** @cond */

/* Not for callers: a call of MPI that failed. */
static inline lmada_status_t lmada_mpi_failed(const char *call, int error) {
    char words[MPI_MAX_ERROR_STRING] = "";
    int len = 0;
    MPI_Error_string(error, words, &len);
    snprintf(lmada_mpi_words(), LMADA_MPI_WORDS, "%s: %.512s", call, words);
    return LMADA_ERROR_CALLBACK;
}

/* Not for callers: adds `values` up over the processes; each gets the bits that process 0 found. */
static inline lmada_status_t lmada_mpi_sum(double *values, int count, int rank, MPI_Comm comm) {
    int error = rank == 0 ? MPI_Reduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, 0, comm)
                          : MPI_Reduce(values, NULL, count, MPI_DOUBLE, MPI_SUM, 0, comm);
    if (error != MPI_SUCCESS) return lmada_mpi_failed("MPI_Reduce", error);
    error = MPI_Bcast(values, count, MPI_DOUBLE, 0, comm);
    return error == MPI_SUCCESS ? LMADA_OK : lmada_mpi_failed("MPI_Bcast", error);
}

/* Not for callers: the status of the first process that has one, and its words, for all. */
static inline lmada_status_t lmada_mpi_first_failure(lmada_status_t status, int rank, int size, MPI_Comm comm) {
    int mine = status == LMADA_OK ? size : rank, first = size;
    int error = MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm);
    if (error != MPI_SUCCESS) return lmada_mpi_failed("MPI_Allreduce", error);
    struct {
        lmada_status_t status;
        char words[LMADA_MPI_WORDS];
    } failure;
    memset(&failure, 0, sizeof failure);
    failure.status = status;
    snprintf(failure.words, sizeof failure.words, "process %d: %.512s", rank, lmada_last_error());
    error = MPI_Bcast(&failure, (int)sizeof failure, MPI_BYTE, first, comm);
    if (error != MPI_SUCCESS) return lmada_mpi_failed("MPI_Bcast", error);
    memcpy(lmada_mpi_words(), failure.words, LMADA_MPI_WORDS);
    return failure.status;
}

/* Not for callers: `lmada_mpi_solve`; the thread holds the handle where `status` is LMADA_OK. */
static inline lmada_status_t lmada_mpi_solve_held(lmada_t *opt, lmada_status_t status, MPI_Comm comm) {
    /* Of a length that every process knows, whatever its handle is like: how many failed; of the number of partials its
     * last bits and their square, exact in a double; then the partials, or the first of them. */
    enum { FAILED, COUNT, SQUARE, VALUES, TOTAL = 128 };
    double message[TOTAL] = {0}, *sums = NULL;
    size_t count = 0;
    int rank = 0, size = 1;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    if (status == LMADA_OK) status = lmada_partials(opt, &sums, &count);
    const size_t room = TOTAL - VALUES, first = count < room ? count : room;
    if (status == LMADA_OK) {
        const double bits = (double)(count & 0xffff);
        message[COUNT] = bits;
        message[SQUARE] = bits * bits;
        memcpy(message + VALUES, sums, first * sizeof *sums);
    }
    message[FAILED] = status != LMADA_OK;
    lmada_status_t summed = lmada_mpi_sum(message, TOTAL, rank, comm);
    if (summed != LMADA_OK) return summed;
    if (message[FAILED] > 0) return lmada_mpi_first_failure(status, rank, size, comm);
    /* They differ where their variance is not 0: in whole numbers, so that all processes find the same. */
    const uint64_t total = (uint64_t)message[COUNT], squares = (uint64_t)message[SQUARE];
    if (squares * (uint64_t)size != total * total) {
        snprintf(lmada_mpi_words(), LMADA_MPI_WORDS,
                 "the handles of comm have different numbers of partials (%lu here): they differ in options, blocks or "
                 "version of the library",
                 (unsigned long)count);
        return LMADA_ERROR_INVALID_ARGUMENT;
    }
    memcpy(sums, message + VALUES, first * sizeof *sums);
    for (size_t done = first, part; done < count; done += part) {
        part = count - done < (1 << 24) ? count - done : 1 << 24;
        summed = lmada_mpi_sum(sums + done, (int)part, rank, comm);
        if (summed != LMADA_OK) return summed;
    }
    status = lmada_solve(opt); /* from the same bits, so with the same answer */
    if (status != LMADA_OK) snprintf(lmada_mpi_words(), LMADA_MPI_WORDS, "%.512s", lmada_last_error());
    return status;
}

/** @endcond */

/**
 * `lmada_solve` for a step in phases that the processes of `comm` take together: adds up their partials, then solves.
 * For gradients that come in pieces; where they come whole, `lmada_mpi_step` is all it needs.
 *
 * ```c
 * lmada_status_t status = lmada_begin(opt);
 * for (int i = LAYERS - 1; i >= 0; i--) { // while the backward pass goes on to the layer before
 *     backward(i, params, grads);
 *     if (status == LMADA_OK) status = lmada_feed(opt, first[i], grads + first[i], lens[i]);
 * }
 * status = lmada_mpi_solve(opt, status, comm); // every process comes here, whatever happened to it
 * if (status == LMADA_OK) {
 *     lmada_apply(opt, 0, params, grads, share);
 *     lmada_end(opt);
 * } else {
 *     lmada_cancel(opt);
 *     fail(lmada_mpi_last_error());
 * }
 * ```
 *
 * @param opt     this process's handle, with an open step whose gradient is complete
 * @param status  the first failure of this process in the step so far, which every process then returns; else `LMADA_OK`
 * @param comm    the processes
 * @return the same on all: `LMADA_OK`; the `status` of the first process that has another; as `lmada_solve`;
 *         `LMADA_ERROR_INVALID_ARGUMENT` where handles differ, `LMADA_ERROR_BUSY` where another thread holds a handle
 *         or is inside a call on it (see the rules above); `LMADA_ERROR_CALLBACK` where MPI failed. As after
 *         `lmada_solve`, a step that was refused is still open.
 */
static inline lmada_status_t lmada_mpi_solve(lmada_t *opt, lmada_status_t status, MPI_Comm comm) {
    const lmada_status_t held = status == LMADA_OK ? lmada_hold(opt) : status;
    status = lmada_mpi_solve_held(opt, held, comm);
    if (held == LMADA_OK) lmada_release(opt);
    return status;
}

/**
 * `lmada_step` for the processes of `comm` together: takes the gradient into the window and moves the parameters, each
 * process its share.
 *
 * @param opt     this process's handle, of type `LMADA_F32`
 * @param params  its `dim` parameters, updated in place; may not overlap `grads`; NULL is fine where `dim` is 0
 * @param grads   the partial derivatives of the loss by them: of the loss of the whole batch, not of this process's part
 * @param dim     number of parameters of its share
 * @param comm    the processes that hold the model together
 * @return the same on all: `LMADA_OK`; what `lmada_step` says of the first process at fault; `LMADA_ERROR_NON_FINITE`
 *         wherever the NaN is; `LMADA_ERROR_INVALID_ARGUMENT` where handles differ, `LMADA_ERROR_BUSY` where another
 *         thread holds a handle or is inside a call on it (see the rules above); `LMADA_ERROR_CALLBACK` where MPI
 *         failed. Then nothing changed on any process.
 */
static inline lmada_status_t lmada_mpi_step(lmada_t *opt, float *params, const float *grads, size_t dim,
                                            MPI_Comm comm);

/** `lmada_mpi_step` for a handle of type `LMADA_F64`. */
static inline lmada_status_t lmada_mpi_step_f64(lmada_t *opt, double *params, const double *grads, size_t dim,
                                                MPI_Comm comm);

/**
 * `lmada_mpi_step` with the gradient in bfloat16, and a copy of the parameters as in `lmada_step_bf16`.
 *
 * @param opt          this process's handle, of type `LMADA_F32`
 * @param params       its `dim` parameters, updated in place. No two of the arrays overlap; NULL is fine where `dim` is 0
 * @param params_bf16  receives its `dim` parameters in bfloat16; NULL is fine
 * @param grads_bf16   the partial derivatives of the loss by them, in bfloat16
 * @param dim          number of parameters of its share
 * @param comm         the processes that hold the model together
 * @return as `lmada_mpi_step`
 */
static inline lmada_status_t lmada_mpi_step_bf16(lmada_t *opt, float *params, uint16_t *params_bf16,
                                                 const uint16_t *grads_bf16, size_t dim, MPI_Comm comm);

/**
 * `lmada_direction` for the processes of `comm` together: steps the states but writes the direction instead of moving
 * parameters, each process its share of it, without learning rate and weight decay.
 *
 * @param opt        this process's handle, of type `LMADA_F32`
 * @param direction  receives `dim` elements; may not overlap `grads`; NULL is fine where `dim` is 0
 * @param grads      as for `lmada_mpi_step`
 * @param dim        number of parameters of its share
 * @param comm       the processes that hold the model together
 * @return as `lmada_mpi_step`; on failure nothing is written
 */
static inline lmada_status_t lmada_mpi_direction(lmada_t *opt, float *direction, const float *grads, size_t dim,
                                                 MPI_Comm comm);

/** `lmada_mpi_direction` for a handle of type `LMADA_F64`. */
static inline lmada_status_t lmada_mpi_direction_f64(lmada_t *opt, double *direction, const double *grads, size_t dim,
                                                     MPI_Comm comm);

/** @} */

/** @cond */

/* Not for callers: the functions that take a whole step, which differ in their types and in what they write.
 *
 * What `whole` (`lmada_step` and its like) checks of its arguments is to be known before the sum. It looks at them first
 * and at the phase then: in the step that was just opened the answer to good ones is `LMADA_ERROR_WRONG_PHASE`.
 *
 * Once all have what they solve from, nothing may fail on one of them. So the thread holds the handle from the first
 * call to the last. */
#define LMADA_MPI_WHOLE(name, parameters, whole, feed, apply)                                                          \
    static inline lmada_status_t name parameters {                                                                     \
        const lmada_status_t held = lmada_hold(opt);                                                                   \
        const lmada_status_t opened = held == LMADA_OK ? lmada_begin(opt) : held;                                      \
        lmada_status_t status = opened;                                                                                \
        if (status == LMADA_OK) status = whole;                                                                        \
        if (opened == LMADA_OK && status == LMADA_ERROR_WRONG_PHASE) status = feed;                                    \
        status = lmada_mpi_solve_held(opt, status, comm);                                                              \
        if (status == LMADA_OK) {                                                                                      \
            status = apply;                                                                                            \
            if (status == LMADA_OK) status = lmada_end(opt);                                                           \
            if (status != LMADA_OK) snprintf(lmada_mpi_words(), LMADA_MPI_WORDS, "%.512s", lmada_last_error());        \
        } else if (opened == LMADA_OK) {                                                                               \
            lmada_cancel(opt);                                                                                         \
        }                                                                                                              \
        if (held == LMADA_OK) lmada_release(opt);                                                                      \
        return status;                                                                                                 \
    }

LMADA_MPI_WHOLE(lmada_mpi_step, (lmada_t *opt, float *params, const float *grads, size_t dim, MPI_Comm comm),
                lmada_step(opt, params, grads, dim), lmada_feed(opt, 0, grads, dim),
                lmada_apply(opt, 0, params, grads, dim))
LMADA_MPI_WHOLE(lmada_mpi_step_f64, (lmada_t *opt, double *params, const double *grads, size_t dim, MPI_Comm comm),
                lmada_step_f64(opt, params, grads, dim), lmada_feed_f64(opt, 0, grads, dim),
                lmada_apply_f64(opt, 0, params, grads, dim))
LMADA_MPI_WHOLE(lmada_mpi_step_bf16,
                (lmada_t *opt, float *params, uint16_t *params_bf16, const uint16_t *grads_bf16, size_t dim,
                 MPI_Comm comm),
                lmada_step_bf16(opt, params, params_bf16, grads_bf16, dim), lmada_feed_bf16(opt, 0, grads_bf16, dim),
                lmada_apply_bf16(opt, 0, params, params_bf16, grads_bf16, dim))
LMADA_MPI_WHOLE(lmada_mpi_direction, (lmada_t *opt, float *direction, const float *grads, size_t dim, MPI_Comm comm),
                lmada_direction(opt, direction, grads, dim), lmada_feed(opt, 0, grads, dim),
                lmada_apply_direction(opt, 0, direction, grads, dim))
LMADA_MPI_WHOLE(lmada_mpi_direction_f64,
                (lmada_t *opt, double *direction, const double *grads, size_t dim, MPI_Comm comm),
                lmada_direction_f64(opt, direction, grads, dim), lmada_feed_f64(opt, 0, grads, dim),
                lmada_apply_direction_f64(opt, 0, direction, grads, dim))

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/** @endcond */

#endif /* LMADA_MPI_H */

/**
 * @file
 * Steps of a model that is split over the processes of an MPI communicator.
 *
 * Every process has its own handle for its share of the parameters. A step needs one sum over the processes, of at most
 * `2*history_size + 16` doubles for each block (`3*history_size + 16` with `LMADA_CLIP_EMA_VECTOR` and
 * `LMADA_GRAFT_EMA_VECTOR`). All other work is local, so the network traffic does not depend on the number of
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
 * The library itself does not use MPI. This header contains all of the MPI code, and the program that includes it links
 * with both:
 *
 *     mpicc train.c $(pkg-config --cflags --libs lmada)
 *
 * Rules that hold for every function here:
 * - The function is collective: all processes of `comm` call it, in the same order as their other collective calls on
 *   `comm`.
 * - All processes get the same status. If the status is not `LMADA_OK`, nothing changes on any process: neither a share
 *   nor a state. `lmada_mpi_last_error()` names the process and the argument at fault, on every process.
 * - All processes solve from the same bits, so that no process keeps a direction that another drops: process 0 adds up
 *   the sums, in the order that MPI chooses, and sends them to all. The coefficients that follow have the same bits on
 *   processors with the same vector instructions. Between other processors they agree up to rounding.
 * - All handles have the same options, the same learning rate and the same number of blocks. The length of a block in a
 *   handle is that of the process's share of it; 0 if the process has none. A step is refused on all processes with
 *   `LMADA_ERROR_INVALID_ARGUMENT` if handles differ in the number of blocks, an option other than `threads`, the
 *   learning rate, the version of the library, or the number of steps taken.
 * - One call at a time may use a handle. During a call of this header its thread holds the handle (`lmada_hold`). A
 *   function of lmada.h that another thread calls on the handle then returns `LMADA_ERROR_BUSY`. A second call of this
 *   header on the handle returns `LMADA_ERROR_BUSY` on all processes of its `comm`. Neither changes anything.
 * - With a history format other than `LMADA_HISTORY_FULL`, a share should start at a multiple of 4,096 parameters from
 *   the start of its block; otherwise it may store other numbers than one process would.
 * - An MPI error ends the program, which is MPI's default. If `comm` has the error handler `MPI_ERRORS_RETURN`, the
 *   function returns `LMADA_ERROR_CALLBACK` on the processes that MPI reported the error to, and drops the step there.
 *   MPI decides whether `comm` can still be used.
 *
 * A step takes one reduction and one broadcast of 1 KiB for each process, which hold 125 partials, and one more of each
 * for further partials. See docs/scaling.md.
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

/* C casts and NULL are correct in C++ too, but some warning options reject them. */
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

/* Not for callers: the buffer of the last error message, and its size in bytes. */
enum { LMADA_MPI_MESSAGE_BYTES = 640 };
static inline char *lmada_mpi_message(void) {
    static LMADA_MPI_OF_THREAD char text[LMADA_MPI_MESSAGE_BYTES];
    return text;
}

/** @endcond */

/**
 * @addtogroup mpi A step over the processes of an MPI communicator
 * @{
 */

/**
 * Returns the message of the last failed call of this header from this thread: the message of `lmada_last_error()` on
 * the process at fault, with the rank of that process. Never NULL. The message is empty before the first failure. Each
 * source file that includes this header has its own message.
 */
static inline const char *lmada_mpi_last_error(void) { return lmada_mpi_message(); }

/** @cond */

/* Not for callers: stores the message of an MPI call that failed. */
static inline lmada_status_t lmada_mpi_failed(const char *call, int error) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int len = 0;
    MPI_Error_string(error, text, &len);
    snprintf(lmada_mpi_message(), LMADA_MPI_MESSAGE_BYTES, "%s: %.512s", call, text);
    return LMADA_ERROR_CALLBACK;
}

/* Not for callers: adds `values` up over the processes. All processes get the bits that process 0 computed. */
static inline lmada_status_t lmada_mpi_sum(double *values, int count, int rank, MPI_Comm comm) {
    int error = rank == 0 ? MPI_Reduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, 0, comm)
                          : MPI_Reduce(values, NULL, count, MPI_DOUBLE, MPI_SUM, 0, comm);
    if (error != MPI_SUCCESS) return lmada_mpi_failed("MPI_Reduce", error);
    error = MPI_Bcast(values, count, MPI_DOUBLE, 0, comm);
    return error == MPI_SUCCESS ? LMADA_OK : lmada_mpi_failed("MPI_Bcast", error);
}

/* Not for callers: gives all processes the status and the message of the first process that failed. */
static inline lmada_status_t lmada_mpi_first_failure(lmada_status_t status, int rank, int size, MPI_Comm comm) {
    int mine = status == LMADA_OK ? size : rank, first = size;
    int error = MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm);
    if (error != MPI_SUCCESS) return lmada_mpi_failed("MPI_Allreduce", error);
    struct {
        lmada_status_t status;
        char text[LMADA_MPI_MESSAGE_BYTES];
    } failure;
    memset(&failure, 0, sizeof failure);
    failure.status = status;
    snprintf(failure.text, sizeof failure.text, "process %d: %.512s", rank, lmada_last_error());
    error = MPI_Bcast(&failure, (int)sizeof failure, MPI_BYTE, first, comm);
    if (error != MPI_SUCCESS) return lmada_mpi_failed("MPI_Bcast", error);
    memcpy(lmada_mpi_message(), failure.text, LMADA_MPI_MESSAGE_BYTES);
    return failure.status;
}

/* Not for callers: `lmada_mpi_solve`. If `status` is LMADA_OK, the thread holds the handle. */
static inline lmada_status_t lmada_mpi_solve_held(lmada_t *opt, lmada_status_t status, MPI_Comm comm) {
    /* The message has the same length on all processes, whatever their handles are: the number of failed processes; the
     * low 16 bits of the number of partials, and their square, exact in a double; then the first partials. */
    enum { FAILED, COUNT, SQUARE, VALUES, TOTAL = 128 };
    double message[TOTAL] = {0}, *sums = NULL;
    size_t count = 0;
    int rank = 0, size = 1;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    if (status == LMADA_OK) status = lmada_partials(opt, &sums, &count);
    const size_t capacity = TOTAL - VALUES, first = count < capacity ? count : capacity;
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
    /* The numbers differ if their variance is not 0. Whole numbers, so that all processes decide alike. */
    const uint64_t total = (uint64_t)message[COUNT], squares = (uint64_t)message[SQUARE];
    if (squares * (uint64_t)size != total * total) {
        snprintf(lmada_mpi_message(), LMADA_MPI_MESSAGE_BYTES,
                 "the handles of comm have different numbers of partials (%lu here): they differ in options, blocks or "
                 "library version",
                 (unsigned long)count);
        return LMADA_ERROR_INVALID_ARGUMENT;
    }
    memcpy(sums, message + VALUES, first * sizeof *sums);
    for (size_t done = first, part; done < count; done += part) {
        part = count - done < (1 << 24) ? count - done : 1 << 24;
        summed = lmada_mpi_sum(sums + done, (int)part, rank, comm);
        if (summed != LMADA_OK) return summed;
    }
    status = lmada_solve(opt); /* The bits are the same on all processes, so the status is too. */
    if (status != LMADA_OK) snprintf(lmada_mpi_message(), LMADA_MPI_MESSAGE_BYTES, "%.512s", lmada_last_error());
    return status;
}

/** @endcond */

/**
 * Adds up the partials of the processes of `comm`, then solves (`lmada_solve`): a step in phases that the processes
 * take together. Use it for gradients that come in pieces; for whole gradients use `lmada_mpi_step`.
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
 * @param status  the status of this process's calls in the step so far. If it is not `LMADA_OK`, every process returns
 *                the status of the first such process.
 * @param comm    the processes
 * @return the same on all processes: `LMADA_OK`; the first `status` other than `LMADA_OK`; as `lmada_solve`;
 *         `LMADA_ERROR_INVALID_ARGUMENT` if handles differ (see the rules above); `LMADA_ERROR_BUSY` if another thread
 *         holds a handle or is inside a call on it; `LMADA_ERROR_CALLBACK` if MPI failed. As after `lmada_solve`, a
 *         refused step stays open.
 */
static inline lmada_status_t lmada_mpi_solve(lmada_t *opt, lmada_status_t status, MPI_Comm comm) {
    const lmada_status_t held = status == LMADA_OK ? lmada_hold(opt) : status;
    status = lmada_mpi_solve_held(opt, held, comm);
    if (held == LMADA_OK) lmada_release(opt);
    return status;
}

/**
 * Takes a step (`lmada_step`) of the model that the processes of `comm` hold together. Every process adds its share of
 * the gradient to its window and moves its share of the parameters.
 *
 * @param opt     this process's handle, of type `LMADA_F32`
 * @param params  the `dim` parameters of this process, updated in place; may not overlap `grads`; may be NULL if `dim`
 *                is 0
 * @param grads   the partial derivatives of the loss by these parameters. The loss is that of the whole batch, not of
 *                this process's part of it.
 * @param dim     number of parameters of this process
 * @param comm    the processes that hold the model together
 * @return the same on all processes: `LMADA_OK`; the status of `lmada_step` on the first process at fault;
 *         `LMADA_ERROR_NON_FINITE` if the gradient of any process has a NaN or an infinity;
 *         `LMADA_ERROR_INVALID_ARGUMENT` if handles differ (see the rules above); `LMADA_ERROR_BUSY` if another thread
 *         holds a handle or is inside a call on it; `LMADA_ERROR_CALLBACK` if MPI failed. On failure nothing changes on
 *         any process.
 */
static inline lmada_status_t lmada_mpi_step(lmada_t *opt, float *params, const float *grads, size_t dim,
                                            MPI_Comm comm);

/** `lmada_mpi_step` for a handle of type `LMADA_F64`. */
static inline lmada_status_t lmada_mpi_step_f64(lmada_t *opt, double *params, const double *grads, size_t dim,
                                                MPI_Comm comm);

/**
 * Takes a step as `lmada_mpi_step` does, with the gradient in bfloat16 and a copy of the parameters as in
 * `lmada_step_bf16`.
 *
 * @param opt          this process's handle, of type `LMADA_F32`
 * @param params       the `dim` parameters of this process, updated in place; may be NULL if `dim` is 0. No two of the
 *                     arrays may overlap.
 * @param params_bf16  receives the `dim` parameters in bfloat16; may be NULL
 * @param grads_bf16   the partial derivatives of the loss by these parameters, in bfloat16
 * @param dim          number of parameters of this process
 * @param comm         the processes that hold the model together
 * @return as `lmada_mpi_step`
 */
static inline lmada_status_t lmada_mpi_step_bf16(lmada_t *opt, float *params, uint16_t *params_bf16,
                                                 const uint16_t *grads_bf16, size_t dim, MPI_Comm comm);

/**
 * Takes a step that writes its direction instead of moving parameters (`lmada_direction`). Every process writes its
 * share of the direction, without learning rate and weight decay.
 *
 * @param opt        this process's handle, of type `LMADA_F32`
 * @param direction  receives `dim` elements; may not overlap `grads`; may be NULL if `dim` is 0
 * @param grads      as for `lmada_mpi_step`
 * @param dim        number of parameters of this process
 * @param comm       the processes that hold the model together
 * @return as `lmada_mpi_step`. On failure nothing is written.
 */
static inline lmada_status_t lmada_mpi_direction(lmada_t *opt, float *direction, const float *grads, size_t dim,
                                                 MPI_Comm comm);

/** `lmada_mpi_direction` for a handle of type `LMADA_F64`. */
static inline lmada_status_t lmada_mpi_direction_f64(lmada_t *opt, double *direction, const double *grads, size_t dim,
                                                     MPI_Comm comm);

/** @} */

/** @cond */

/* Not for callers: the functions that take a whole step. They differ in their types and in the output.
 *
 * Wrong arguments have to be found before the sum. `step` (`lmada_step` or its like) finds them: it checks its
 * arguments before the phase, so with correct arguments it returns `LMADA_ERROR_WRONG_PHASE` in the step that was just
 * opened.
 *
 * After the sum no process may fail alone. So the thread holds the handle from the first call to the last. */
#define LMADA_MPI_STEP(name, parameters, step, feed, apply)                                                            \
    static inline lmada_status_t name parameters {                                                                     \
        const lmada_status_t held = lmada_hold(opt);                                                                   \
        const lmada_status_t opened = held == LMADA_OK ? lmada_begin(opt) : held;                                      \
        lmada_status_t status = opened;                                                                                \
        if (status == LMADA_OK) status = step;                                                                         \
        if (opened == LMADA_OK && status == LMADA_ERROR_WRONG_PHASE) status = feed;                                    \
        status = lmada_mpi_solve_held(opt, status, comm);                                                              \
        if (status == LMADA_OK) {                                                                                      \
            status = apply;                                                                                            \
            if (status == LMADA_OK) status = lmada_end(opt);                                                           \
            if (status != LMADA_OK)                                                                                    \
                snprintf(lmada_mpi_message(), LMADA_MPI_MESSAGE_BYTES, "%.512s", lmada_last_error());                  \
        } else if (opened == LMADA_OK) {                                                                               \
            lmada_cancel(opt);                                                                                         \
        }                                                                                                              \
        if (held == LMADA_OK) lmada_release(opt);                                                                      \
        return status;                                                                                                 \
    }

LMADA_MPI_STEP(lmada_mpi_step, (lmada_t *opt, float *params, const float *grads, size_t dim, MPI_Comm comm),
               lmada_step(opt, params, grads, dim), lmada_feed(opt, 0, grads, dim),
               lmada_apply(opt, 0, params, grads, dim))
LMADA_MPI_STEP(lmada_mpi_step_f64, (lmada_t *opt, double *params, const double *grads, size_t dim, MPI_Comm comm),
               lmada_step_f64(opt, params, grads, dim), lmada_feed_f64(opt, 0, grads, dim),
               lmada_apply_f64(opt, 0, params, grads, dim))
LMADA_MPI_STEP(lmada_mpi_step_bf16,
               (lmada_t *opt, float *params, uint16_t *params_bf16, const uint16_t *grads_bf16, size_t dim,
                MPI_Comm comm),
               lmada_step_bf16(opt, params, params_bf16, grads_bf16, dim), lmada_feed_bf16(opt, 0, grads_bf16, dim),
               lmada_apply_bf16(opt, 0, params, params_bf16, grads_bf16, dim))
LMADA_MPI_STEP(lmada_mpi_direction, (lmada_t *opt, float *direction, const float *grads, size_t dim, MPI_Comm comm),
               lmada_direction(opt, direction, grads, dim), lmada_feed(opt, 0, grads, dim),
               lmada_apply_direction(opt, 0, direction, grads, dim))
LMADA_MPI_STEP(lmada_mpi_direction_f64,
               (lmada_t *opt, double *direction, const double *grads, size_t dim, MPI_Comm comm),
               lmada_direction_f64(opt, direction, grads, dim), lmada_feed_f64(opt, 0, grads, dim),
               lmada_apply_direction_f64(opt, 0, direction, grads, dim))

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/** @endcond */

#endif /* LMADA_MPI_H */

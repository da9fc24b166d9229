//! A step in phases: the gradient comes in pieces, and sums may be added up over processes.

use super::guard::with_handle;
use super::handle::{ElementType, either, lmada_t};
use super::pointers::{check_pair, check_place, slice, slice_mut};
use super::types::*;

/// Opens a step in phases. The phases are: `lmada_begin`; `lmada_feed` for every piece of the gradient, in any order;
/// `lmada_partials` if the parameters are split over processes; `lmada_solve`; `lmada_apply` for every piece;
/// `lmada_end`. The result is that of `lmada_step`: with the same bits if the gradient comes in one piece, otherwise up
/// to the order in which sums are rounded.
///
/// Until `lmada_end` or `lmada_cancel`, other steps, changes of options and saved states are refused with
/// `LMADA_ERROR_WRONG_PHASE`: `lmada_step`, `lmada_direction`, `lmada_set_lr`, `lmada_state_save`, `lmada_state_load`
/// and all functions that say so in their list of statuses.
///
/// ```c
/// if (lmada_begin(opt) != LMADA_OK) fail(lmada_last_error());
/// for (int i = LAYERS - 1; i >= 0; i--) { // while the backward pass goes on to the layer before
///     backward(i, params, grads);
///     if (lmada_feed(opt, first[i], grads + first[i], lens[i]) != LMADA_OK) fail(lmada_last_error());
/// }
/// if (lmada_solve(opt) == LMADA_OK) {
///     for (int i = 0; i < LAYERS; i++) lmada_apply(opt, first[i], params + first[i], grads + first[i], lens[i]);
///     lmada_end(opt);
/// } else {
///     lmada_cancel(opt); // as if it had not begun
/// }
/// ```
///
/// @param opt  the handle
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_WRONG_PHASE` if a step is open already;
///         `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_begin(opt: *mut lmada_t) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { with_handle(opt, |inner| either!(&mut inner.engine, optimizer => optimizer.begin())) }
}

/// Takes in a piece of the gradient, for the parameters `[offset, offset + len)`. Pieces may have any length and come
/// in any order. Together they have to cover every parameter once. `lmada_feed` accepts a NaN; `lmada_solve` refuses
/// it.
///
/// @param opt     a handle of type `LMADA_F32` with an open step
/// @param offset  index of the first parameter of the piece
/// @param grads   `len` partial derivatives; may be NULL if `len` is 0
/// @param len     number of parameters in the piece
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT` if the piece is out of range or
///         overlaps an earlier one; `LMADA_ERROR_WRONG_PHASE` before `lmada_begin` and after `lmada_partials` or
///         `lmada_solve`; `LMADA_ERROR_OUT_OF_MEMORY` if the pieces form more than 256 separate runs, or leave more
///         than 16 groups of the history format incomplete (see `lmada_history_format_t`), and there is no memory for
///         more; `LMADA_ERROR_BUSY`. A refused piece may be fed again.
///
/// # Safety
/// `opt` is NULL or a live handle; `grads` is NULL or has `len` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_feed(opt: *mut lmada_t, offset: usize, grads: *const f32, len: usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { feed(opt, offset, grads, len) }
}

/// `lmada_feed` for a handle of type `LMADA_F64`.
///
/// # Safety
/// As `lmada_feed`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_feed_f64(
    opt: *mut lmada_t,
    offset: usize,
    grads: *const f64,
    len: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { feed(opt, offset, grads, len) }
}

unsafe fn feed<T: ElementType>(opt: *mut lmada_t, offset: usize, grads: *const T, len: usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            let optimizer = inner.optimizer::<T>()?;
            optimizer.feed(offset, slice("grads", grads, len)?)
        })
    }
}

/// Returns the sums of this process that the step needs from all processes. Add the arrays up over all processes,
/// element by element. Write the totals back in place on every process, with the same bits on all. Then call
/// `lmada_solve`.
///
/// The array has at most `2*history_size + 16` doubles a block (`3*history_size + 16` with `LMADA_CLIP_EMA_VECTOR` and
/// `LMADA_GRAFT_EMA_VECTOR`); `dim` does not matter. On one process this call may be left out. A second call returns
/// the same array. With a history format other than `LMADA_HISTORY_FULL`, a share should start at a multiple of 4,096
/// parameters from the start of its block; otherwise it may store other numbers than one process would.
///
/// The sums also tell whether the processes agree in the library's version, the number of the step, the learning rate
/// and all options but `threads`. If they do not, `lmada_solve` refuses the step on every process. (Checked for up to
/// 1,048,576 processes.)
///
/// ```c
/// double *sums;
/// size_t count;
/// lmada_begin(opt);
/// lmada_feed(opt, 0, grads, dim); // dim, params and grads are this process's share
/// if (lmada_partials(opt, &sums, &count) != LMADA_OK) fail(lmada_last_error());
/// sum_over_processes(sums, count); // the same bits on all; with MPI, lmada_mpi_solve does this and the next
/// if (lmada_solve(opt) == LMADA_OK) { // the same answer on all
///     lmada_apply(opt, 0, params, grads, dim);
///     lmada_end(opt);
/// } else {
///     lmada_cancel(opt);
/// }
/// ```
///
/// @param opt     a handle with an open step whose gradient is complete
/// @param values  receives the array; it is valid until `lmada_solve`, `lmada_cancel`, `lmada_reset` or `lmada_free`
/// @param count   receives the number of doubles
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT` if `values` or `count` is not
///         aligned; `LMADA_ERROR_WRONG_PHASE` if no step is open, a piece is missing or the step is solved;
///         `LMADA_ERROR_BUSY`. On failure nothing is written.
///
/// # Safety
/// `opt` is NULL or a live handle; `values` and `count` are NULL or point at their types.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_partials(opt: *mut lmada_t, values: *mut *mut f64, count: *mut usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            check_place("values", values)?;
            check_place("count", count)?;
            let partials = either!(&mut inner.engine, optimizer => optimizer.partials())?;
            values.write(partials.as_mut_ptr());
            count.write(partials.len());
            Ok(())
        })
    }
}

/// Computes the step from the sums. State and parameters do not change. `lmada_stats` then describes this step, so that
/// the caller can decide to cancel it. If the call fails, the step stays open: call `lmada_cancel`.
///
/// ```c
/// lmada_stats_t stats;
/// lmada_begin(opt);
/// lmada_feed(opt, 0, grads, dim);
/// if (lmada_solve(opt) != LMADA_OK) fail(lmada_last_error());
/// if (lmada_stats(opt, &stats, sizeof stats) != LMADA_OK) fail(lmada_last_error());
/// if (stats.grad_norm > 1000 * usual_norm) {
///     lmada_cancel(opt); // this gradient is not to enter the window
/// } else {
///     lmada_apply(opt, 0, params, grads, dim);
///     lmada_end(opt);
/// }
/// ```
///
/// @param opt  a handle with an open step whose gradient is complete
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_NON_FINITE` as in `lmada_step`, on all processes;
///         `LMADA_ERROR_INVALID_ARGUMENT` if the sums are not those of processes at the same step, with the same
///         options, learning rate and library version; `LMADA_ERROR_WRONG_PHASE` if no step is open, a piece is missing
///         or the step is solved already; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_solve(opt: *mut lmada_t) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { with_handle(opt, |inner| either!(&mut inner.engine, optimizer => optimizer.solve())) }
}

/// Moves the parameters `[offset, offset + len)`. Pieces may come in any order, and may be cut in other places than the
/// pieces of `lmada_feed`. Together they have to cover every parameter once. After the first piece the step can no
/// longer be cancelled; it can be finished, reset (`lmada_reset`) or freed.
///
/// @param opt     a handle of type `LMADA_F32` with a solved step
/// @param offset  index of the first parameter of the piece
/// @param params  `len` parameters, updated in place; may not overlap `grads`; may be NULL if `len` is 0
/// @param grads   the partial derivatives that `lmada_feed` got for these parameters. With other values the result is
///                unspecified, but memory stays safe.
/// @param len     number of parameters in the piece
/// @return as `lmada_feed`; `LMADA_ERROR_WRONG_PHASE` before `lmada_solve` has succeeded
///
/// # Safety
/// `opt` is NULL or a live handle; the arrays are NULL or have `len` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_apply(
    opt: *mut lmada_t,
    offset: usize,
    params: *mut f32,
    grads: *const f32,
    len: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { apply(opt, offset, params, grads, len) }
}

/// `lmada_apply` for a handle of type `LMADA_F64`.
///
/// # Safety
/// As `lmada_apply`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_apply_f64(
    opt: *mut lmada_t,
    offset: usize,
    params: *mut f64,
    grads: *const f64,
    len: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { apply(opt, offset, params, grads, len) }
}

unsafe fn apply<T: ElementType>(
    opt: *mut lmada_t,
    offset: usize,
    params: *mut T,
    grads: *const T,
    len: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on; `check_pair` refuses arrays that overlap.
    unsafe {
        with_handle(opt, |inner| {
            let optimizer = inner.optimizer::<T>()?;
            check_pair("params", params, grads, len)?;
            optimizer.apply(offset, slice_mut("params", params, len)?, slice("grads", grads, len)?)
        })
    }
}

/// Writes the direction for the parameters `[offset, offset + len)` instead of moving them. As in `lmada_direction`,
/// learning rate and weight decay are not part of it. Otherwise as `lmada_apply`.
///
/// ```c
/// lmada_begin(opt);
/// lmada_feed(opt, 0, grads, dim);
/// if (lmada_solve(opt) != LMADA_OK) fail(lmada_last_error());
/// if (lmada_apply_direction(opt, 0, direction, grads, dim) != LMADA_OK) fail(lmada_last_error());
/// lmada_end(opt);
/// for (size_t i = 0; i < dim; i++) params[i] -= rate_of(i) * direction[i];
/// ```
///
/// @param opt        a handle of type `LMADA_F32` with a solved step
/// @param offset     index of the first parameter of the piece
/// @param direction  receives `len` elements; may not overlap `grads`; may be NULL if `len` is 0
/// @param grads      as in `lmada_apply`
/// @param len        number of parameters in the piece
/// @return as `lmada_apply`; `LMADA_ERROR_INVALID_ARGUMENT` also with `average_beta`. On failure nothing is written.
///
/// # Safety
/// `opt` is NULL or a live handle; the arrays are NULL or have `len` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_apply_direction(
    opt: *mut lmada_t,
    offset: usize,
    direction: *mut f32,
    grads: *const f32,
    len: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { apply_direction(opt, offset, direction, grads, len) }
}

/// `lmada_apply_direction` for a handle of type `LMADA_F64`.
///
/// # Safety
/// As `lmada_apply_direction`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_apply_direction_f64(
    opt: *mut lmada_t,
    offset: usize,
    direction: *mut f64,
    grads: *const f64,
    len: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { apply_direction(opt, offset, direction, grads, len) }
}

unsafe fn apply_direction<T: ElementType>(
    opt: *mut lmada_t,
    offset: usize,
    direction: *mut T,
    grads: *const T,
    len: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on; `check_pair` refuses arrays that overlap. The old contents of
    // `direction` are never read, and any bits are a valid number.
    unsafe {
        with_handle(opt, |inner| {
            let optimizer = inner.optimizer::<T>()?;
            check_pair("direction", direction, grads, len)?;
            optimizer.apply_direction(offset, slice_mut("direction", direction, len)?, slice("grads", grads, len)?)
        })
    }
}

/// Ends a step in phases. The step then counts as accepted.
///
/// @param opt  a handle with a step that was applied to every parameter
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_WRONG_PHASE` if no step is solved or a piece is
///         missing; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_end(opt: *mut lmada_t) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { with_handle(opt, |inner| either!(&mut inner.engine, optimizer => optimizer.end())) }
}

/// Drops an open step. The state is then as before `lmada_begin`. The call is possible until the first `lmada_apply`.
///
/// @param opt  a handle with an open step
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_WRONG_PHASE` if no step is open or a piece is applied
///         already; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_cancel(opt: *mut lmada_t) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { with_handle(opt, |inner| either!(&mut inner.engine, optimizer => optimizer.cancel())) }
}

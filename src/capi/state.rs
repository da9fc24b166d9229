//! Learning rate, statistics and saved states.

use super::config::write_prefix;
use super::guard::with_handle;
use super::handle::{either, lmada_t};
use super::pointers::{check_place, slice, slice_mut};
use super::types::*;
use crate::error::{Argument, Error};
use crate::memory::try_vec;
use crate::optimizer::Stats;

/// Sets the learning rate of all further steps.
///
/// ```c
/// for (int step = 0; step < steps; step++) {
///     if (lmada_set_lr(opt, 0.1 * (1 - (double)step / steps)) != LMADA_OK) fail(lmada_last_error());
///     compute_gradient(params, grads);
///     if (lmada_step(opt, params, grads, dim) != LMADA_OK) fail(lmada_last_error());
/// }
/// ```
///
/// @param opt  the handle
/// @param lr   the learning rate: finite, >= 0, and at most 1/`weight_decay`
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT`; `LMADA_ERROR_WRONG_PHASE` inside a
///         step in phases; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_set_lr(opt: *mut lmada_t, lr: f64) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { with_handle(opt, |inner| either!(&mut inner.engine, optimizer => optimizer.set_lr(lr))) }
}

/// Writes the statistics of the last step; between `lmada_solve` and `lmada_end`, of the step under way.
///
/// A step does not compute `rank`, `eig_max` and `eig_min`. The first call of this function after a step computes them,
/// by an eigendecomposition for each block (about 15 microseconds at k = 10, one millisecond at k = 100).
///
/// @param opt         the handle
/// @param stats       struct to fill; nothing is written beyond `stats_size` bytes
/// @param stats_size  `sizeof(lmada_stats_t)`
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT` if `stats_size` is below 8 or larger
///         than this library's struct, or if `stats` is not aligned; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle; `stats` is NULL or points at `stats_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_stats(
    opt: *const lmada_t,
    stats: *mut lmada_stats_t,
    stats_size: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            let found = either!(&mut inner.engine, optimizer => optimizer.stats())?;
            write_prefix("stats", "stats_size", stats, stats_size, to_c(&found))
        })
    }
}

fn to_c(stats: &Stats) -> lmada_stats_t {
    // SAFETY: every field is a number, for which zeros are a valid value; zeroing clears the padding too.
    let mut c: lmada_stats_t = unsafe { core::mem::zeroed() };
    c.steps = stats.steps;
    c.history_len = stats.history_len;
    c.rank = stats.rank;
    c.grad_norm = stats.grad_norm;
    c.update_norm = stats.update_norm;
    c.scale = stats.scale;
    c.eig_max = stats.eig_max;
    c.eig_min = stats.eig_min;
    c.state_bytes = stats.state_bytes;
    c.lr = stats.lr;
    c.refused = stats.refused;
    c.non_finite_index = stats.non_finite_index.unwrap_or(u64::MAX);
    c
}

/// Writes the size of a saved state of this handle. The size depends on the options, the lengths of the blocks and the
/// number of parameter groups. It does not depend on the steps taken.
///
/// @param opt    the handle
/// @param bytes  receives the size in bytes
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT` if `bytes` is not aligned;
///         `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle; `bytes` is NULL or points at a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_state_size(opt: *const lmada_t, bytes: *mut usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            check_place("bytes", bytes)?;
            bytes.write(either!(&inner.engine, optimizer => optimizer.state_size()));
            Ok(())
        })
    }
}

/// Saves the whole state to a buffer: the window as stored, error feedback, averages, step count, learning rate,
/// parameter groups, options and lengths of the blocks. `lmada_create_from_state` creates a handle from these bytes
/// alone.
///
/// The saved form has a version and checksums, and is little-endian. A run that loads the state continues with the same
/// bits as a run that was not interrupted, on processors with the same vector instructions. `lmada_state_write` writes
/// the same bytes without a buffer of this size.
///
/// ```c
/// size_t bytes;
/// if (lmada_state_size(opt, &bytes) != LMADA_OK) fail(lmada_last_error());
/// void *state = malloc(bytes);
/// if (!state) fail("out of memory");
/// if (lmada_state_save(opt, state, bytes) != LMADA_OK) fail(lmada_last_error());
/// write_file("run.state", state, bytes);
/// free(state);
/// ```
///
/// @param opt     the handle
/// @param buffer  receives the state
/// @param bytes   size of the buffer: exactly the number of `lmada_state_size`
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_DIMENSION_MISMATCH`; `LMADA_ERROR_WRONG_PHASE` inside a
///         step in phases; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle; `buffer` is NULL or points at `bytes` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_state_save(
    opt: *const lmada_t,
    buffer: *mut core::ffi::c_void,
    bytes: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on. The old contents of the buffer are never read, and any byte is valid.
    unsafe {
        with_handle(opt, |inner| {
            let buffer = slice_mut("buffer", buffer.cast::<u8>(), bytes)?;
            either!(&inner.engine, optimizer => optimizer.state_save(buffer))
        })
    }
}

/// Replaces the present state by a saved one. The handle and the state must agree in element type, `history_size`,
/// `history_format`, `density`, the lengths of the blocks, `momentum_kind` and `clip_kind`, and in whether
/// `diagonal_beta` and `average_beta` are 0. Other options may differ; the handle keeps its own. The handle takes the
/// learning rate and the parameter groups of the state. The whole state is checked before anything changes.
///
/// ```c
/// size_t bytes;
/// void *state = read_file("run.state", &bytes);
/// if (lmada_create(&config, dim, &opt) != LMADA_OK) fail(lmada_last_error()); // config as when it was saved
/// if (lmada_state_load(opt, state, bytes) != LMADA_OK) fail(lmada_last_error());
/// free(state);
/// ```
///
/// @param opt     the handle
/// @param buffer  the bytes that `lmada_state_save` or `lmada_state_write` wrote
/// @param bytes   number of bytes
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_BAD_STATE` if the state is damaged, cut short or of an
///         unknown version; `LMADA_ERROR_DIMENSION_MISMATCH` if `history_size` or a length differs;
///         `LMADA_ERROR_INVALID_ARGUMENT` if another of the options above differs, or if the state's learning rate is
///         above 1/`weight_decay` (in each of its groups: `lr*lr_scale` above 1/(`weight_decay*weight_decay_scale`));
///         `LMADA_ERROR_OUT_OF_MEMORY` if there is no memory for the groups; `LMADA_ERROR_WRONG_PHASE` inside a step in
///         phases; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle; `buffer` is NULL or points at `bytes` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_state_load(
    opt: *mut lmada_t,
    buffer: *const core::ffi::c_void,
    bytes: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            if buffer.is_null() {
                return Err(Error::null("buffer"));
            }
            let buffer = slice("buffer", buffer.cast::<u8>(), bytes)?;
            either!(&mut inner.engine, optimizer => optimizer.state_load(buffer))
        })
    }
}

/// Loads this handle's state from the states that several processes saved. Use it to restart a model on another number
/// of processes, or with other shares. The handle takes its own share from the states; other handles take theirs from
/// the same states.
///
/// ```c
/// const void *states[4]; // of 4 processes that held the model one after the other
/// size_t bytes[4];
/// for (int i = 0; i < 4; i++) states[i] = read_file(state_files[i], &bytes[i]);
/// // Now it is split over `processes`, of which this is number `rank`.
/// size_t start = dim * rank / processes, share = dim * (rank + 1) / processes - start;
/// if (lmada_create(&config, share, &opt) != LMADA_OK) fail(lmada_last_error()); // config as when they were saved
/// if (lmada_state_load_shares(opt, &start, states, bytes, 4) != LMADA_OK) fail(lmada_last_error());
/// ```
///
/// In every block the shares of the states follow each other, in the order of `states`. The list may leave out states
/// at its start and end that hold no part of this handle's shares. The call copies the states only into the handle, so
/// `states` may be files that are mapped into memory. The handle keeps its own parameter groups.
///
/// With history formats that store numbers in groups of 256 or 4,096 (`lmada_history_format_t`) shares may not cut a
/// group: old and new shares have to start at multiples of 256 (`F16`, `INT8`) or 4,096 (`SPARSE`) parameters from the
/// start of their block. Other shares are refused with `LMADA_ERROR_INVALID_ARGUMENT`; load the states into handles
/// with the old shares instead.
///
/// @param opt     the handle, as for `lmada_state_load`
/// @param firsts  for each block of the handle, the number of the block's parameters that the states hold before the
///                handle's share. Ignored for a share of length 0.
/// @param states  `count` saved states of the same step, as `lmada_state_save` wrote them
/// @param bytes   sizes of the states in bytes
/// @param count   number of states, at least 1
/// @return as `lmada_state_load`; `LMADA_ERROR_INVALID_ARGUMENT` also if the states do not hold the whole of a share,
///         are not of the same step of one model, or a group would be cut; `LMADA_ERROR_OUT_OF_MEMORY`
///
/// # Safety
/// `opt` is NULL or a live handle; `firsts` is NULL or has as many elements as the handle has blocks; `states` and
/// `bytes` are NULL or have `count` elements, and every state is NULL or has as many readable bytes as `bytes` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_state_load_shares(
    opt: *mut lmada_t,
    firsts: *const usize,
    states: *const *const core::ffi::c_void,
    bytes: *const usize,
    count: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            let (states, bytes) = (slice("states", states, count)?, slice("bytes", bytes, count)?);
            let mut list = try_vec(count, "the list of states")?;
            for (index, (state, &bytes)) in states.iter().zip(bytes).enumerate() {
                if state.is_null() {
                    return Err(Error::NullPointer { argument: Argument::element("states", index) });
                }
                list.push(slice("states", state.cast::<u8>(), bytes)?);
            }
            either!(&mut inner.engine, optimizer => {
                optimizer.state_load_shares(slice("firsts", firsts, optimizer.blocks())?, &list)
            })
        })
    }
}

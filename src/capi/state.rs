//! Learning rate, statistics and saved states.

use super::config::write_prefix;
use super::guard::{either, lmada_t, with_handle};
use super::pointers::{check_place, slice, slice_mut};
use super::types::*;
use crate::error::{Argument, Error};
use crate::memory::try_vec;
use crate::optimizer::Stats;

/// Sets the learning rate of the steps to come, for schedules.
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
/// @param lr   finite, >= 0, and at most 1/`weight_decay`
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

/// Tells what the last step looked like, or the one under way between `lmada_solve` and `lmada_end`.
///
/// A step does not need `rank`, `eig_max` and `eig_min`: they are computed when they are first asked for after it, by
/// an eigendecomposition for each block (about 15 microseconds at k = 10, a millisecond at 100).
///
/// @param opt         the handle
/// @param stats       struct to fill; nothing is written beyond `stats_size` bytes
/// @param stats_size  `sizeof(lmada_stats_t)`
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT` where `stats_size` is below 8 or
///         above what this library knows, or `stats` is not aligned; `LMADA_ERROR_BUSY`
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
    // SAFETY: every field is a number, for which zeros are a value; this clears the padding too.
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

/// Size of a saved state of this handle. It depends on the configuration, the lengths and the number of parameter
/// groups only, not on the steps taken.
///
/// @param opt    the handle
/// @param bytes  receives the size
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT` where `bytes` is not aligned;
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

/// Saves the whole state: window as stored, error feedback, averages, step count, learning rate, parameter groups, and
/// the configuration with the lengths of the blocks, from which `lmada_create_from_state` makes the handle anew.
/// Versioned, checksummed, little-endian; a run that loads it goes on with the same bits as one that was never
/// interrupted (on a processor with the same vector instructions). `lmada_state_write` saves the same without a buffer of
/// this size.
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
/// @param bytes   its size: exactly what `lmada_state_size` says
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
    // SAFETY: the caller's promise is passed on. The buffer's old contents are never read, and any byte is a number.
    unsafe {
        with_handle(opt, |inner| {
            let buffer = slice_mut("buffer", buffer.cast::<u8>(), bytes)?;
            either!(&inner.engine, optimizer => optimizer.state_save(buffer))
        })
    }
}

/// Puts a saved state in place of the present one. The handle must have been created with the same element type,
/// `history_size`, `history_format`, `density`, lengths, `momentum_kind` and `clip_kind`, and with `diagonal_beta` and
/// `average_beta` on or off alike; other options may differ, and stay those of the handle. The state's learning rate
/// and parameter groups become the handle's. Everything is checked before anything is changed.
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
/// @param buffer  what `lmada_state_save` or `lmada_state_write` wrote
/// @param bytes   its size
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_BAD_STATE` where it is damaged, cut short or of an
///         unknown version; `LMADA_ERROR_DIMENSION_MISMATCH` where `history_size` or a length differs;
///         `LMADA_ERROR_INVALID_ARGUMENT` where another of the options named above does, or the state's learning rate
///         is above 1/`weight_decay`, in one of its groups too; `LMADA_ERROR_OUT_OF_MEMORY` where there is no memory
///         for its groups;
///         `LMADA_ERROR_WRONG_PHASE` inside a step in phases; `LMADA_ERROR_BUSY`
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

/// Puts together, from states that several processes saved, the state of this handle: for a restart on another number of
/// processes, or with other shares. What the states hold beyond this handle's share belongs to others, who load it from
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
/// In every block the shares of the states follow each other in the order in which the states are given. They may be all
/// of them, or those consecutive ones that have a part of this handle's shares. Nothing is copied but into the handle;
/// the states may be files that are mapped into memory.
///
/// The handle keeps its own parameter groups.
///
/// Where the history format is not the full one, its units (`lmada_history_format_t`) cannot be cut: old and new shares
/// start at multiples of 4,096 parameters from the start of their block (`SPARSE`; of 256 for `F16` and `INT8`).
/// Anything else is `LMADA_ERROR_INVALID_ARGUMENT`: load the states into handles of the old shares then.
///
/// @param opt     the handle, as for `lmada_state_load`
/// @param firsts  for each block of the handle, the place of its share in the block: how many parameters of the block
///                the states hold before it. Of a share of length 0 it is not looked at.
/// @param states  `count` saved states of the same step, as `lmada_state_save` wrote them
/// @param bytes   their sizes
/// @param count   how many there are, 1 at least
/// @return as `lmada_state_load`; `LMADA_ERROR_INVALID_ARGUMENT` also where the states do not hold all of a share, are
///         not of the same step of one model, or a unit would be cut; `LMADA_ERROR_OUT_OF_MEMORY`
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

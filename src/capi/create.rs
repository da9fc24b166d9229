//! Creating, resetting and freeing handles.

use super::config::read_config;
use super::guard::{guard, with_handle_mended};
use super::handle::{Engine, either, lmada_t};
use super::pointers::{check_place, slice};
use super::types::*;
use crate::config::Dtype;
use crate::error::{Error, Result, Value};
use crate::memory::try_box;
use crate::optimizer::Optimizer;

/// Creates an optimizer for `dim` parameters. The call reserves all memory that steps need: about `history_size*dim`
/// numbers of the history format (`lmada_memory` computes the bytes).
///
/// @param config  options; NULL for the defaults
/// @param dim     number of parameters, at least 1
/// @param out     receives the handle, or NULL on failure
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER` for `out`; `LMADA_ERROR_INVALID_ARGUMENT` if an option is out of
///         range, `dim` is 0, or `config` or `out` is not aligned; `LMADA_ERROR_OUT_OF_MEMORY`
///
/// # Safety
/// `config` is NULL or points at as many bytes as its first member says; `out` is NULL or points at a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_create(
    config: *const lmada_config_t,
    dim: usize,
    out: *mut *mut lmada_t,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    guard(|| unsafe {
        create(config, out, || {
            check_dim(dim)?;
            Ok(core::slice::from_ref(&dim))
        })
    })
}

/// Creates an optimizer whose parameters form `count` blocks, in memory order. Each block has its own preconditioner,
/// clip reference and clip factor, as if it were a separate model. One block for each layer makes the preconditioner
/// block-diagonal. The sum of the lengths, `dims[0] + ... + dims[count - 1]`, is the `dim` of the other functions.
///
/// ```c
/// const size_t layers[] = {784 * 100, 100, 100 * 10, 10}; // weights and offsets of two layers
/// if (lmada_create_blocks(&config, layers, 4, &opt) != LMADA_OK) fail(lmada_last_error());
/// ```
///
/// @param config  options; NULL for the defaults
/// @param dims    number of parameters in each block; 0 is allowed (an empty share of a model split over processes)
/// @param count   number of blocks, at least 1
/// @param out     receives the handle, or NULL on failure
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER` for `out` or `dims`; `LMADA_ERROR_INVALID_ARGUMENT` if an option is
///         out of range, `count` is 0, or a pointer is not aligned; `LMADA_ERROR_OUT_OF_MEMORY`
///
/// # Safety
/// `config` is NULL or points at as many bytes as its first member says; `dims` is NULL or has `count` elements; `out`
/// is NULL or points at a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_create_blocks(
    config: *const lmada_config_t,
    dims: *const usize,
    count: usize,
    out: *mut *mut lmada_t,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    guard(|| unsafe {
        create(config, out, || match count {
            0 => Err(Error::invalid("count", Value::Count(0), "at least 1")),
            _ => slice("dims", dims, count),
        })
    })
}

/// Creates a handle with the lengths that `dims` returns, and writes it to `out`.
///
/// # Safety
/// As [`lmada_create`].
unsafe fn create<'a>(
    config: *const lmada_config_t,
    out: *mut *mut lmada_t,
    dims: impl FnOnce() -> Result<&'a [usize]>,
) -> Result<()> {
    check_place("out", out)?;
    // SAFETY: not NULL and aligned, and it points at a pointer by the caller's promise.
    unsafe { out.write(core::ptr::null_mut()) };
    // SAFETY: the caller's promise is passed on.
    let config = unsafe { read_config(config)? };
    let dims = dims()?;
    let engine = match config.dtype {
        Dtype::F32 => Engine::F32(Optimizer::new(&config, dims)?),
        Dtype::F64 => Engine::F64(Optimizer::new(&config, dims)?),
    };
    // SAFETY: as above.
    unsafe { hand_out(engine, out) }
}

/// Makes a handle of the optimizer and writes it to `out`.
///
/// # Safety
/// `out` points at a pointer.
pub(super) unsafe fn hand_out(engine: Engine, out: *mut *mut lmada_t) -> Result<()> {
    let handle = Box::into_raw(try_box(lmada_t::new(engine)?)?);
    // SAFETY: the caller's promise.
    unsafe { out.write(handle) };
    Ok(())
}

/// Computes the memory that a handle for `dim` parameters would hold, without creating the handle. The number is that
/// of `state_bytes` in `lmada_stats_t` right after `lmada_create`. A handle also holds small amounts of memory that do
/// not depend on `dim` and are not counted.
///
/// The call itself takes no memory of the model's length. It takes the memory of a k x k solver until it returns: a few
/// times `history_size*history_size` doubles.
///
/// ```c
/// uint64_t bytes;
/// if (lmada_memory(&config, dim, &bytes) != LMADA_OK) fail(lmada_last_error());
/// if (bytes > 16e9) config.history_format = LMADA_HISTORY_F16; // half as much
/// ```
///
/// @param config  options; NULL for the defaults. `threads` matters: each thread has scratch memory
/// @param dim     number of parameters, at least 1
/// @param bytes   receives the number of bytes
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER` for `bytes`; `LMADA_ERROR_INVALID_ARGUMENT` if an option is out of
///         range, `dim` is 0, or `config` or `bytes` is not aligned; `LMADA_ERROR_OUT_OF_MEMORY` if the number
///         overflows or there is no memory for a solver
///
/// # Safety
/// `config` is NULL or points at as many bytes as its first member says; `bytes` is NULL or points at a `uint64_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_memory(config: *const lmada_config_t, dim: usize, bytes: *mut u64) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    guard(|| unsafe {
        check_place("bytes", bytes)?;
        let config = read_config(config)?;
        let dims = [check_dim(dim)?];
        bytes.write(match config.dtype {
            Dtype::F32 => Optimizer::<f32>::memory(&config, &dims)?,
            Dtype::F64 => Optimizer::<f64>::memory(&config, &dims)?,
        });
        Ok(())
    })
}

fn check_dim(dim: usize) -> Result<usize> {
    if dim == 0 { Err(Error::invalid("dim", Value::Count(0), "at least 1")) } else { Ok(dim) }
}

/// Makes the handle as new: removes every gradient and average. The handle keeps its options, its parameter groups and
/// the learning rate that `lmada_set_lr` or `lmada_state_load` set last. The call also ends a step in phases, in any
/// phase, and all holds of the calling thread (`lmada_hold`).
///
/// @param opt  the handle
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_reset(opt: *mut lmada_t) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle_mended(opt, |inner| {
            either!(&mut inner.engine, optimizer => optimizer.reset());
            Ok(())
        })
    }
}

/// Frees the handle and its memory. If it is the last handle that uses worker threads, the call also ends these threads
/// and waits for their end. If a call on the handle is under way in another thread, or another thread holds the handle
/// (`lmada_hold`), `lmada_free` does nothing, and the memory of the handle is lost.
///
/// @param opt  the handle; may be NULL
///
/// # Safety
/// `opt` is NULL or a live handle, which is dead afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_free(opt: *mut lmada_t) {
    guard(|| {
        // SAFETY: NULL or a live handle by the caller's promise.
        if let Some(handle) = unsafe { opt.as_ref() } {
            // Not dropped: dropping would write to the lock of the handle, which is freed next.
            core::mem::forget(handle.enter()?);
            // SAFETY: the handle came from `Box::into_raw` in `hand_out`, and the caller uses it no more.
            drop(unsafe { Box::from_raw(opt) });
        }
        Ok(())
    });
}

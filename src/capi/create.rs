//! A handle's life: create, reset, free.

use super::config::read_config;
use super::guard::{Engine, either, guard, lmada_t, with_handle_mended};
use super::pointers::{check_place, slice};
use super::types::*;
use crate::config::Dtype;
use crate::error::{Error, Result, Value};
use crate::memory::try_box;
use crate::optimizer::Optimizer;

/// Makes an optimizer for `dim` parameters. All memory that its steps will need is reserved here: about
/// `history_size*dim` numbers of the history format, see `state_bytes` in `lmada_stats_t`.
///
/// @param config  options; NULL for the defaults
/// @param dim     number of parameters, at least 1
/// @param out     receives the handle; NULL is put there on failure
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER` for `out`; `LMADA_ERROR_INVALID_ARGUMENT` where an option is out of
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

/// Makes an optimizer whose parameters fall into `count` blocks, one after the other in memory order. Each block has a
/// preconditioner, clip reference and scale of its own, as if it were a model of its own: one block a layer makes the
/// matrix block-diagonal. The total length, `dims[0] + ... + dims[count - 1]`, is the `dim` of the other functions.
///
/// ```c
/// const size_t layers[] = {784 * 100, 100, 100 * 10, 10}; // weights and offsets of two layers
/// if (lmada_create_blocks(&config, layers, 4, &opt) != LMADA_OK) fail(lmada_last_error());
/// ```
///
/// @param config  options; NULL for the defaults
/// @param dims    length of each block; 0 is fine (an empty share of a model split over processes)
/// @param count   number of blocks, at least 1
/// @param out     receives the handle; NULL is put there on failure
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER` for `out` or `dims`; `LMADA_ERROR_INVALID_ARGUMENT` where an option
///         is out of range, `count` is 0, or a pointer is not aligned; `LMADA_ERROR_OUT_OF_MEMORY`
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

/// Makes a handle of the optimizer.
///
/// # Safety
/// `out` points at a pointer.
pub(super) unsafe fn hand_out(engine: Engine, out: *mut *mut lmada_t) -> Result<()> {
    let handle = Box::into_raw(try_box(lmada_t::new(engine)?)?);
    // SAFETY: the caller's promise.
    unsafe { out.write(handle) };
    Ok(())
}

/// Computes the memory that a handle for `dim` parameters would hold, without creating one: `state_bytes` of
/// `lmada_stats_t` right after `lmada_create`. Besides this, a handle holds small amounts that do not depend on `dim`.
///
/// It takes no memory of the model's length, but for the moment of the call that of a solver, a few times
/// `history_size*history_size` doubles.
///
/// ```c
/// uint64_t bytes;
/// if (lmada_memory(&config, dim, &bytes) != LMADA_OK) fail(lmada_last_error());
/// if (bytes > 16e9) config.history_format = LMADA_HISTORY_F16; // half as much
/// ```
///
/// @param config  options; NULL for the defaults. `threads` counts: each thread has a tile of its own
/// @param dim     number of parameters, at least 1
/// @param bytes   receives the number of bytes
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER` for `bytes`; `LMADA_ERROR_INVALID_ARGUMENT` where an option is out of
///         range, `dim` is 0, or `config` or `bytes` is not aligned; `LMADA_ERROR_OUT_OF_MEMORY` where the number
///         overflows, or there is no memory for a solver
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

/// Forgets every gradient and average, as if just created. Configuration and learning rate are kept, the latter as
/// `lmada_set_lr` or `lmada_state_load` left it. Also ends a step in phases, whatever was done of it, and all holds of
/// the calling thread (`lmada_hold`).
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

/// Releases the handle and its memory. The last handle that could use worker threads ends them, and returns when they
/// are gone. No call on the handle may be under way, and no other thread may hold it (`lmada_hold`). Otherwise
/// `lmada_free` does nothing, and the memory of the handle is lost.
///
/// @param opt  the handle; NULL is fine
///
/// # Safety
/// `opt` is NULL or a live handle, which is dead afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_free(opt: *mut lmada_t) {
    guard(|| {
        // SAFETY: NULL or a live handle by the caller's promise.
        if let Some(handle) = unsafe { opt.as_ref() } {
            // Dropping the entry would write to the lock of the handle, which is freed next.
            core::mem::forget(handle.enter()?);
            // SAFETY: it came out of `Box::into_raw` in `create`, and the caller gives it up.
            drop(unsafe { Box::from_raw(opt) });
        }
        Ok(())
    });
}

//! Steps with gradients, and a copy of the parameters, in bfloat16.

use super::guard::with_handle;
use super::handle::lmada_t;
use super::pointers::{check_apart, slice, slice_mut};
use super::step::check_dim;
use super::types::*;
use crate::error::Result;

/// Takes a step as `lmada_step` does, with the gradient in bfloat16 (the upper half of a `float`).
///
/// Reading the gradient takes half the memory traffic. The parameters stay `float`. If `params_bf16` is not NULL, it
/// receives the new parameters, rounded to the nearest bfloat16, ties to even; a finite parameter beyond the largest
/// bfloat16 saturates. The result is that of `lmada_step` with the same numbers as `float`.
///
/// ```c
/// // The forward and backward passes use params_bf16 and leave grads_bf16.
/// if (lmada_step_bf16(opt, params, params_bf16, grads_bf16, dim) != LMADA_OK) fail(lmada_last_error());
/// ```
///
/// @param opt          a handle of type `LMADA_F32`
/// @param params       `dim` parameters, updated in place. No two of the arrays may overlap.
/// @param params_bf16  receives `dim` parameters in bfloat16; may be NULL. On failure nothing is written.
/// @param grads_bf16   `dim` partial derivatives of the loss in bfloat16
/// @param dim          number of parameters of the handle
/// @return as `lmada_step`
///
/// # Safety
/// `opt` is NULL or a live handle; the arrays are NULL or have `dim` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_step_bf16(
    opt: *mut lmada_t,
    params: *mut f32,
    params_bf16: *mut u16,
    grads_bf16: *const u16,
    dim: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on; `arrays` checks that they do not overlap.
    unsafe {
        with_handle(opt, |inner| {
            let optimizer = inner.optimizer::<f32>()?;
            check_dim(dim, optimizer.dim())?;
            let (params, copy, grads) = arrays(params, params_bf16, grads_bf16, dim)?;
            optimizer.step_bf16(params, copy, grads)
        })
    }
}

/// The arrays of a step or of a piece: parameters, their copy in bfloat16, gradient.
type Arrays<'a> = (&'a mut [f32], Option<&'a mut [u16]>, &'a [u16]);

/// Checks the caller's arrays and returns them as slices.
///
/// # Safety
/// The arrays are NULL or have `len` elements that nobody else touches.
unsafe fn arrays<'a>(
    params: *mut f32,
    params_bf16: *mut u16,
    grads_bf16: *const u16,
    len: usize,
) -> Result<Arrays<'a>> {
    check_apart(("params", params), ("grads_bf16", grads_bf16), len)?;
    if !params_bf16.is_null() {
        check_apart(("params_bf16", params_bf16), ("grads_bf16", grads_bf16), len)?;
        check_apart(("params_bf16", params_bf16), ("params", params.cast_const()), len)?;
    }
    // SAFETY: the caller's promise is passed on; the arrays do not overlap. The old contents of the copy are never
    // read, and any bits are a valid number.
    unsafe {
        let copy = if params_bf16.is_null() { None } else { Some(slice_mut("params_bf16", params_bf16, len)?) };
        Ok((slice_mut("params", params, len)?, copy, slice("grads_bf16", grads_bf16, len)?))
    }
}

/// Takes in a piece of the gradient as `lmada_feed` does, with the gradient in bfloat16.
///
/// @param opt         a handle of type `LMADA_F32` with an open step
/// @param offset      index of the first parameter of the piece
/// @param grads_bf16  `len` partial derivatives in bfloat16; may be NULL if `len` is 0
/// @param len         number of parameters in the piece
/// @return as `lmada_feed`
///
/// # Safety
/// `opt` is NULL or a live handle; `grads_bf16` is NULL or has `len` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_feed_bf16(
    opt: *mut lmada_t,
    offset: usize,
    grads_bf16: *const u16,
    len: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            let optimizer = inner.optimizer::<f32>()?;
            optimizer.feed_bf16(offset, slice("grads_bf16", grads_bf16, len)?)
        })
    }
}

/// Moves a piece of the parameters as `lmada_apply` does, with the gradient in bfloat16 and a copy of the parameters as
/// in `lmada_step_bf16`.
///
/// ```c
/// lmada_begin(opt);
/// if (lmada_feed_bf16(opt, 0, grads_bf16, dim) != LMADA_OK) fail(lmada_last_error());
/// if (lmada_solve(opt) != LMADA_OK) fail(lmada_last_error());
/// if (lmada_apply_bf16(opt, 0, params, params_bf16, grads_bf16, dim) != LMADA_OK) fail(lmada_last_error());
/// lmada_end(opt);
/// ```
///
/// @param opt          a handle of type `LMADA_F32` with a solved step
/// @param offset       index of the first parameter of the piece
/// @param params       `len` parameters, updated in place; may be NULL if `len` is 0. No two of the arrays may overlap.
/// @param params_bf16  receives `len` parameters in bfloat16; may be NULL
/// @param grads_bf16   the partial derivatives that `lmada_feed_bf16` got for these parameters
/// @param len          number of parameters in the piece
/// @return as `lmada_apply`
///
/// # Safety
/// `opt` is NULL or a live handle; the arrays are NULL or have `len` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_apply_bf16(
    opt: *mut lmada_t,
    offset: usize,
    params: *mut f32,
    params_bf16: *mut u16,
    grads_bf16: *const u16,
    len: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on; `arrays` checks that they do not overlap.
    unsafe {
        with_handle(opt, |inner| {
            let optimizer = inner.optimizer::<f32>()?;
            let (params, copy, grads) = arrays(params, params_bf16, grads_bf16, len)?;
            optimizer.apply_bf16(offset, params, copy, grads)
        })
    }
}

//! A whole step in one call.

use super::guard::with_handle;
use super::handle::{ElementType, Inner, lmada_t};
use super::pointers::{check_pair, lists, slice, slice_mut};
use super::types::*;
use crate::error::{Error, Result};

/// Takes one step: adds the gradient to the window and moves the parameters against the preconditioned direction.
///
/// A step is all or nothing: a refused step leaves parameters and state as they were, bit for bit.
///
/// ```c
/// memset(grads, 0, dim * sizeof *grads);
/// for (int part = 0; part < parts; part++) add_gradient(part, params, grads); // a batch that comes in parts
/// lmada_status_t status = lmada_step(opt, params, grads, dim);
/// if (status == LMADA_ERROR_NON_FINITE) skipped++; // nothing changed: the next batch may do better
/// else if (status != LMADA_OK) fail(lmada_last_error());
/// ```
///
/// @param opt     a handle of type `LMADA_F32`
/// @param params  `dim` parameters, updated in place; may not overlap `grads`. NaN and infinity in them are not
///                refused.
/// @param grads   `dim` partial derivatives of the loss
/// @param dim     number of parameters of the handle
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_DIMENSION_MISMATCH`; `LMADA_ERROR_INVALID_ARGUMENT` if
///         `params` and `grads` overlap or the handle is of the other type; `LMADA_ERROR_NON_FINITE` if the gradient,
///         the column stored of it or the update has a NaN or an infinity; `LMADA_ERROR_WRONG_PHASE` inside a step in
///         phases; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle; the arrays are NULL or have `dim` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_step(
    opt: *mut lmada_t,
    params: *mut f32,
    grads: *const f32,
    dim: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { step(opt, params, grads, dim) }
}

/// `lmada_step` for a handle of type `LMADA_F64`.
///
/// # Safety
/// As `lmada_step`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_step_f64(
    opt: *mut lmada_t,
    params: *mut f64,
    grads: *const f64,
    dim: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { step(opt, params, grads, dim) }
}

unsafe fn step<T: ElementType>(opt: *mut lmada_t, params: *mut T, grads: *const T, dim: usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on; `check_pair` refuses arrays that overlap.
    unsafe {
        with_handle(opt, |inner| {
            let optimizer = inner.optimizer::<T>()?;
            check_dim(dim, optimizer.dim())?;
            check_pair("params", params, grads, dim)?;
            optimizer.step(slice_mut("params", params, dim)?, slice("grads", grads, dim)?)
        })
    }
}

pub(super) fn check_dim(dim: usize, expected: usize) -> Result<()> {
    if dim != expected {
        return Err(Error::mismatch("dim", dim as u64, expected as u64));
    }
    Ok(())
}

/// Takes a step as `lmada_step` does, for a model in several tensors, without copying them together. The tensors in
/// their order are the optimizer's parameters. The ends of tensors and of blocks may differ. The results have the same
/// bits as with one array.
///
/// ```c
/// float *const tensors[] = {weights, offsets};
/// const float *const gradients[] = {weights_grad, offsets_grad};
/// const size_t lens[] = {ROWS * COLUMNS, ROWS};
/// if (lmada_step_tensors(opt, tensors, gradients, lens, 2) != LMADA_OK) fail(lmada_last_error());
/// ```
///
/// @param opt     a handle of type `LMADA_F32`
/// @param params  `count` pointers to the tensors of parameters; no two may overlap
/// @param grads   `count` pointers to the gradients of these tensors. A gradient that is NULL counts as zeros, and the
///                parameters of its tensor keep their bits, under weight decay too.
/// @param lens    number of elements of each tensor; the sum is the handle's `dim`. A tensor of length 0 may be NULL.
/// @param count   number of tensors
/// @return as `lmada_step`; messages name the tensor at fault, for example `grads[3]`. `LMADA_ERROR_OUT_OF_MEMORY` if
///         the list is longer than 64 tensors and than every list before, and there is no memory to check it
///
/// # Safety
/// `opt` is NULL or a live handle; the arrays are NULL or have `count` elements, and their pointers are NULL or point
/// at as many elements as `lens` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_step_tensors(
    opt: *mut lmada_t,
    params: *const *mut f32,
    grads: *const *const f32,
    lens: *const usize,
    count: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { step_tensors(opt, params, grads, lens, count) }
}

/// `lmada_step_tensors` for a handle of type `LMADA_F64`.
///
/// # Safety
/// As `lmada_step_tensors`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_step_tensors_f64(
    opt: *mut lmada_t,
    params: *const *mut f64,
    grads: *const *const f64,
    lens: *const usize,
    count: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { step_tensors(opt, params, grads, lens, count) }
}

unsafe fn step_tensors<T: ElementType>(
    opt: *mut lmada_t,
    params: *const *mut T,
    grads: *const *const T,
    lens: *const usize,
    count: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on; `lists` checks the rest.
    unsafe {
        with_handle(opt, |inner| {
            let Inner { engine, extents } = inner;
            let optimizer = T::optimizer(engine)?;
            let (params, grads) = lists(extents, params, grads, lens, count)?;
            optimizer.step_list(&params, &grads)
        })
    }
}

/// Takes a step that writes its direction instead of moving parameters. The direction is the vector that `lmada_step`
/// would multiply by the learning rate and subtract from the parameters; weight decay is not part of it. Use it if your
/// program applies updates itself.
///
/// ```c
/// if (lmada_direction(opt, direction, grads, dim) != LMADA_OK) fail(lmada_last_error());
/// for (size_t i = 0; i < dim; i++) params[i] -= rate_of(i) * direction[i];
/// ```
///
/// @param opt        a handle of type `LMADA_F32`
/// @param direction  receives `dim` elements; may not overlap `grads`
/// @param grads      `dim` partial derivatives of the loss
/// @param dim        number of parameters of the handle
/// @return as `lmada_step`; `LMADA_ERROR_INVALID_ARGUMENT` also with `average_beta`, since the call does not see the
///         parameters. On failure nothing is written.
///
/// # Safety
/// `opt` is NULL or a live handle; the arrays are NULL or have `dim` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_direction(
    opt: *mut lmada_t,
    direction: *mut f32,
    grads: *const f32,
    dim: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { write_direction(opt, direction, grads, dim) }
}

/// `lmada_direction` for a handle of type `LMADA_F64`.
///
/// # Safety
/// As `lmada_direction`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_direction_f64(
    opt: *mut lmada_t,
    direction: *mut f64,
    grads: *const f64,
    dim: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { write_direction(opt, direction, grads, dim) }
}

unsafe fn write_direction<T: ElementType>(
    opt: *mut lmada_t,
    direction: *mut T,
    grads: *const T,
    dim: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on; `check_pair` refuses arrays that overlap. The old contents of
    // `direction` are never read, and any bits are a valid number.
    unsafe {
        with_handle(opt, |inner| {
            let optimizer = inner.optimizer::<T>()?;
            check_dim(dim, optimizer.dim())?;
            check_pair("direction", direction, grads, dim)?;
            optimizer.direction(slice_mut("direction", direction, dim)?, slice("grads", grads, dim)?)
        })
    }
}

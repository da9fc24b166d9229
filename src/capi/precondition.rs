//! Functions from which a caller builds an update rule of its own, and the average of the parameters.

use super::guard::with_handle;
use super::handle::{ElementType, lmada_t};
use super::pointers::{check_apart, slice, slice_mut};
use super::step::check_dim;
use super::types::*;

/// Takes a step without parameters: the gradient enters the window, and all averages of gradients and updates change as
/// in `lmada_step`. The step counts. Use it with `lmada_precondition` to build an update rule of your own.
///
/// @param opt    a handle of type `LMADA_F32`
/// @param grads  `dim` partial derivatives of the loss
/// @param dim    number of parameters of the handle
/// @return as `lmada_step`
///
/// # Safety
/// `opt` is NULL or a live handle; `grads` is NULL or has `dim` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_observe(opt: *mut lmada_t, grads: *const f32, dim: usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { observe(opt, grads, dim) }
}

/// `lmada_observe` for a handle of type `LMADA_F64`.
///
/// # Safety
/// As `lmada_observe`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_observe_f64(opt: *mut lmada_t, grads: *const f64, dim: usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { observe(opt, grads, dim) }
}

unsafe fn observe<T: ElementType>(opt: *mut lmada_t, grads: *const T, dim: usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            let optimizer = inner.optimizer::<T>()?;
            check_dim(dim, optimizer.dim())?;
            optimizer.observe(slice("grads", grads, dim)?)
        })
    }
}

/// Preconditions a vector with the present window: writes u = U f(S^2) U' v + orthogonal_scale*(v - U U' v), where M is
/// weighted, and centered if `centered`. No state changes. If v is the newest gradient, u is the direction of the last
/// step without clip, graft and momentum, up to rounding.
///
/// With `diagonal_beta`, v is scaled before and u after, as in a step. `grad_scale` and `grad_clip_norm` act on the
/// gradients in the window, not on v. If a model is split over processes, the call uses only this process's share: it
/// does not sum the products of v and the window over the processes.
///
/// ```c
/// // A rule of one's own: heavy-ball momentum on the preconditioned gradient.
/// if (lmada_observe(opt, grads, dim) != LMADA_OK) fail(lmada_last_error());
/// if (lmada_precondition(opt, direction, grads, dim) != LMADA_OK) fail(lmada_last_error());
/// for (size_t i = 0; i < dim; i++) {
///     velocity[i] = 0.9f * velocity[i] + direction[i];
///     params[i] -= 0.01f * velocity[i];
/// }
/// ```
///
/// @param opt  a handle of type `LMADA_F32`
/// @param out  receives `dim` elements; may not overlap `v`
/// @param v    `dim` elements
/// @param dim  number of parameters of the handle
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_DIMENSION_MISMATCH`; `LMADA_ERROR_INVALID_ARGUMENT` if
///         `out` and `v` overlap or the handle is of the other type; `LMADA_ERROR_NON_FINITE` if v has a NaN or an
///         infinity, or u may not be finite; `LMADA_ERROR_WRONG_PHASE` before the first step and inside a step in
///         phases; `LMADA_ERROR_BUSY`. On failure nothing is written.
///
/// # Safety
/// `opt` is NULL or a live handle; the arrays are NULL or have `dim` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_precondition(
    opt: *mut lmada_t,
    out: *mut f32,
    v: *const f32,
    dim: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { precondition(opt, out, v, dim) }
}

/// `lmada_precondition` for a handle of type `LMADA_F64`.
///
/// # Safety
/// As `lmada_precondition`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_precondition_f64(
    opt: *mut lmada_t,
    out: *mut f64,
    v: *const f64,
    dim: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { precondition(opt, out, v, dim) }
}

unsafe fn precondition<T: ElementType>(opt: *mut lmada_t, out: *mut T, v: *const T, dim: usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on; `check_apart` refuses arrays that overlap. The old contents of `out`
    // are never read, and any bits are a valid number.
    unsafe {
        with_handle(opt, |inner| {
            let optimizer = inner.optimizer::<T>()?;
            check_dim(dim, optimizer.dim())?;
            check_apart(("out", out), ("v", v), dim)?;
            optimizer.precondition(slice_mut("out", out, dim)?, slice("v", v, dim)?)
        })
    }
}

/// Writes the bias-corrected average of the parameters (option `average_beta`). If the learning rate does not fall, the
/// average is usually better than the last parameters. Every step that moves parameters adds the new parameters to it.
///
/// ```c
/// config.average_beta = 0.99;
/// if (lmada_create(&config, dim, &opt) != LMADA_OK) fail(lmada_last_error());
/// for (int step = 0; step < steps; step++) {
///     compute_gradient(params, grads);
///     if (lmada_step(opt, params, grads, dim) != LMADA_OK) fail(lmada_last_error());
/// }
/// if (lmada_averaged_params(opt, averaged, dim) != LMADA_OK) fail(lmada_last_error());
/// if (loss(averaged) < loss(params)) memcpy(params, averaged, sizeof averaged);
/// ```
///
/// @param opt  a handle of type `LMADA_F32`
/// @param out  receives `dim` elements
/// @param dim  number of parameters of the handle
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_DIMENSION_MISMATCH`; `LMADA_ERROR_INVALID_ARGUMENT` if
///         the handle is of the other type; `LMADA_ERROR_WRONG_PHASE` before the first step, inside a step in phases,
///         and if `average_beta` is 0; `LMADA_ERROR_BUSY`. On failure nothing is written.
///
/// # Safety
/// `opt` is NULL or a live handle; `out` is NULL or has `dim` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_averaged_params(opt: *const lmada_t, out: *mut f32, dim: usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { averaged_params(opt, out, dim) }
}

/// `lmada_averaged_params` for a handle of type `LMADA_F64`.
///
/// # Safety
/// As `lmada_averaged_params`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_averaged_params_f64(opt: *const lmada_t, out: *mut f64, dim: usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { averaged_params(opt, out, dim) }
}

unsafe fn averaged_params<T: ElementType>(opt: *const lmada_t, out: *mut T, dim: usize) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on. The old contents of `out` are never read, and any bits are a valid
    // number.
    unsafe {
        with_handle(opt, |inner| {
            let optimizer = inner.optimizer::<T>()?;
            check_dim(dim, optimizer.dim())?;
            optimizer.averaged_params(slice_mut("out", out, dim)?)
        })
    }
}

//! Changing options between steps, parameter groups, schedules.

use core::mem::offset_of;

use super::config::{config_to_c, read_config_over, write_prefix};
use super::guard::with_handle;
use super::handle::{either, lmada_t};
use super::pointers::{check_place, slice};
use super::types::*;
use crate::error::{Error, Result, Value};
use crate::memory::try_vec;
use crate::optimizer::Group;
use crate::parallel::float_mode::in_default_mode;
use crate::schedule::Schedule;

/// Writes the present options to `config`, with the present learning rate.
///
/// ```c
/// lmada_config_t config;
/// if (lmada_get_config(opt, &config, sizeof config) != LMADA_OK) fail(lmada_last_error());
/// printf("lr %g, eps %g\n", config.lr, config.eps);
/// // lr 0.01, eps 1e-06
/// ```
///
/// @param opt          the handle
/// @param config       struct to fill; nothing is written beyond `config_size` bytes
/// @param config_size  `sizeof(lmada_config_t)`
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT` if `config_size` is below 8 or larger
///         than this library's struct, or if `config` is not aligned; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle; `config` is NULL or points at `config_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_get_config(
    opt: *const lmada_t,
    config: *mut lmada_config_t,
    config_size: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            let found = either!(&inner.engine, optimizer => optimizer.config());
            write_prefix("config", "config_size", config, config_size, config_to_c(&found))
        })
    }
}

/// Sets the options of all further steps. Options that fix the layout of the state cannot change: `dtype`,
/// `history_size`, `history_format`, `density`, `momentum_kind`, whether `diagonal_beta` and `average_beta` are 0, and
/// whether `clip_kind` is one of the EMA vectors. If a beta changes, its average keeps its present value. Options
/// beyond the caller's `struct_size` do not change.
///
/// ```c
/// lmada_config_t config;
/// if (lmada_get_config(opt, &config, sizeof config) != LMADA_OK) fail(lmada_last_error());
/// config.weight_decay = 0.1;
/// config.grad_clip_norm = 1;
/// if (lmada_set_config(opt, &config) != LMADA_OK) fail(lmada_last_error());
/// ```
///
/// @param opt     the handle
/// @param config  the options, from `lmada_get_config`
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT` if an option is out of range or
///         cannot change; `LMADA_ERROR_OUT_OF_MEMORY` if there is no scratch memory for more threads or another clip;
///         `LMADA_ERROR_WRONG_PHASE` inside a step in phases; `LMADA_ERROR_BUSY`. On failure nothing changes.
///
/// # Safety
/// `opt` is NULL or a live handle; `config` is NULL or points at as many bytes as its first member says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_set_config(opt: *mut lmada_t, config: *const lmada_config_t) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            if config.is_null() {
                return Err(Error::null("config"));
            }
            let now = either!(&inner.engine, optimizer => optimizer.config());
            let new = read_config_over(config, &now)?;
            if new.dtype != now.dtype {
                let expected = "the value that the handle was created with: the layout of the state depends on it";
                return Err(Error::invalid("config.dtype", new.dtype.value(), expected));
            }
            either!(&mut inner.engine, optimizer => optimizer.set_config(&new))
        })
    }
}

/// Sets the option `grad_scale`, the factor on the gradients of all further steps. Use it if the scale of the loss
/// changes during training.
///
/// ```c
/// if (lmada_set_grad_scale(opt, 1 / loss_scale) != LMADA_OK) fail(lmada_last_error());
/// lmada_status_t status = lmada_step(opt, params, grads, dim); // grads are those of loss_scale times the loss
/// if (status == LMADA_ERROR_NON_FINITE) loss_scale /= 2; // nothing changed
/// else if (status != LMADA_OK) fail(lmada_last_error());
/// ```
///
/// @param opt    the handle
/// @param scale  the factor: finite, >= 0
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT`; `LMADA_ERROR_WRONG_PHASE` inside a
///         step in phases; `LMADA_ERROR_BUSY`
///
/// # Safety
/// `opt` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_set_grad_scale(opt: *mut lmada_t, scale: f64) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { with_handle(opt, |inner| either!(&mut inner.engine, optimizer => optimizer.set_grad_scale(scale))) }
}

/// Sets the parameter groups of all further steps. A group is a range of parameters with its own factors on learning
/// rate and weight decay; outside the groups both factors are 1. The call replaces all earlier groups. Groups take no
/// memory traffic. They are part of a saved state, and `lmada_reset` keeps them.
///
/// ```c
/// // No weight decay on the biases; the embedding is frozen.
/// const lmada_group_t groups[] = {
///     {.offset = biases_start, .len = biases, .lr_scale = 1, .weight_decay_scale = 0},
///     {.offset = 0, .len = embedding, .lr_scale = 0, .weight_decay_scale = 0},
/// };
/// if (lmada_set_groups(opt, groups, sizeof groups[0], 2) != LMADA_OK) fail(lmada_last_error());
/// ```
///
/// @param opt         the handle
/// @param groups      `count` disjoint groups in any order; may be NULL if `count` is 0
/// @param group_size  `sizeof(lmada_group_t)`
/// @param count       number of groups; 0 removes all groups
/// @return `LMADA_OK`; `LMADA_ERROR_NULL_POINTER`; `LMADA_ERROR_INVALID_ARGUMENT` if a group is out of range or
///         overlaps another group, a factor is negative or not finite, `lr*lr_scale*weight_decay*weight_decay_scale` is
///         above 1, or `group_size` is below 16 or larger than this library's struct; `LMADA_ERROR_OUT_OF_MEMORY`;
///         `LMADA_ERROR_WRONG_PHASE` inside a step in phases; `LMADA_ERROR_BUSY`. On failure nothing changes.
///
/// # Safety
/// `opt` is NULL or a live handle; `groups` is NULL or points at `count` structs of `group_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lmada_set_groups(
    opt: *mut lmada_t,
    groups: *const lmada_group_t,
    group_size: usize,
    count: usize,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        with_handle(opt, |inner| {
            let groups = read_groups(groups, group_size, count)?;
            either!(&mut inner.engine, optimizer => optimizer.set_groups(&groups))
        })
    }
}

/// Reads the caller's groups. Fields beyond `size` have the factor 1.
///
/// # Safety
/// `groups` is NULL or points at `count` structs of `size` bytes.
unsafe fn read_groups(groups: *const lmada_group_t, size: usize, count: usize) -> Result<Vec<Group>> {
    let known = size_of::<lmada_group_t>();
    if !(offset_of!(lmada_group_t, lr_scale)..=known).contains(&size) || !size.is_multiple_of(size_of::<f64>()) {
        let expected = "a multiple of 8, from 16 to the size of the struct in this library";
        return Err(Error::invalid("group_size", Value::Count(size as u64), expected));
    }
    if count > 0 {
        check_place("groups", groups)?;
    }
    let bytes = count.checked_mul(size).ok_or(Error::invalid(
        "count",
        Value::Count(count as u64),
        "a number of groups that fits the address space",
    ))?;
    // SAFETY: the caller's promise is passed on.
    let bytes = unsafe { slice("groups", groups.cast::<u8>(), bytes)? };
    let mut found = try_vec(count, "the parameter groups")?;
    for bytes in bytes.chunks_exact(size) {
        let mut group = lmada_group_t { offset: 0, len: 0, lr_scale: 1.0, weight_decay_scale: 1.0 };
        // SAFETY: `size` bytes fit in the struct, whose fields may hold any bits.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut group).cast::<u8>(), size) };
        let lmada_group_t { offset, len, lr_scale, weight_decay_scale } = group;
        found.push(Group { offset, len, lr_scale, weight_decay_scale });
    }
    Ok(found)
}

/// Computes the learning rate of a step by a schedule: a warm-up, then constant or falling to 0. The function has no
/// handle and no state.
///
/// Over the first `warmup` steps the learning rate rises linearly, from `peak/warmup` at step 1 to `peak` at step
/// `warmup`. Then it is `peak` times 1 (constant), `1 - x` (linear) or `(1 + cos(pi*x))/2` (cosine), where x rises from
/// 0 at step `warmup` to 1 at step `total`. After step `total` it is 0. The length of an Adagrad step does not shrink
/// as the loss falls, so train with a schedule that falls.
///
/// ```c
/// for (int step = 1; step <= steps; step++) {
///     lmada_set_lr(opt, lmada_schedule(LMADA_SCHEDULE_COSINE, 0.01, step, steps / 20, steps));
///     compute_gradient(params, grads);
///     if (lmada_step(opt, params, grads, dim) != LMADA_OK) fail(lmada_last_error());
/// }
/// ```
///
/// @param kind    `LMADA_SCHEDULE_CONSTANT`, `LMADA_SCHEDULE_LINEAR` or `LMADA_SCHEDULE_COSINE`
/// @param peak    largest learning rate: finite, >= 0
/// @param step    number of the step, from 1: `steps` of the stats, plus 1
/// @param warmup  number of steps of the warm-up, at most `total`; 0 for no warm-up
/// @param total   number of steps of the run
/// @return the learning rate; NaN, which `lmada_set_lr` refuses, if an argument is out of range
#[unsafe(no_mangle)]
pub extern "C" fn lmada_schedule(kind: lmada_schedule_t, peak: f64, step: u64, warmup: u64, total: u64) -> f64 {
    let kind = match kind {
        LMADA_SCHEDULE_CONSTANT => Schedule::Constant,
        LMADA_SCHEDULE_LINEAR => Schedule::Linear,
        LMADA_SCHEDULE_COSINE => Schedule::Cosine,
        _ => return f64::NAN,
    };
    in_default_mode(|| kind.lr(peak, step, warmup, total))
}

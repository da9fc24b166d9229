//! The guard of every exported function: it turns errors and panics into statuses, keeps the message for
//! `lmada_last_error`, and lets one call at a time into a handle.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::handle::{Inner, lmada_t};
use super::lock::Inside;
use super::message::remember;
use super::panics::{inside, keep_message};
use super::types::*;
use super::words::in_c;
use crate::error::{Error, Result};
use crate::parallel::cancellation::held_off;
use crate::parallel::float_mode::in_default_mode;

/// Runs `call` with the contents of the handle. Refuses NULL, a busy handle, and a handle in which a call panicked.
///
/// # Safety
/// `opt` is NULL or a live handle of this library.
#[inline(always)]
pub(super) unsafe fn with_handle(opt: *const lmada_t, call: impl FnOnce(&mut Inner) -> Result<()>) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { enter(opt, false, call) }
}

/// Runs `call` as [`with_handle`] does, also after a panic inside the handle. Afterwards the handle is usable again,
/// and no thread holds it.
///
/// # Safety
/// `opt` is NULL or a live handle of this library.
#[inline(always)]
pub(super) unsafe fn with_handle_mended(
    opt: *const lmada_t,
    call: impl FnOnce(&mut Inner) -> Result<()>,
) -> lmada_status_t {
    // SAFETY: the caller's promise is passed on.
    unsafe { enter(opt, true, call) }
}

#[inline(always)]
unsafe fn enter(opt: *const lmada_t, mend: bool, call: impl FnOnce(&mut Inner) -> Result<()>) -> lmada_status_t {
    guard(|| {
        // SAFETY: NULL or a live handle, as the caller promises; it is only ever borrowed shared.
        let handle = unsafe { opt.as_ref() }.ok_or(Error::null("opt"))?;
        let inside = handle.enter()?;
        if handle.broken.get() && !mend {
            return Err(Error::Internal {
                reason: "an earlier call panicked inside this handle; lmada_reset makes the handle as new",
            });
        }
        // Stays set if `call` panics.
        handle.broken.set(true);
        // SAFETY: one call at a time is inside, so no other reference to the contents exists until `inside` drops.
        let result = call(unsafe { &mut *handle.inner.get() });
        handle.broken.set(false);
        if mend {
            inside.give_up();
        }
        drop(inside);
        result
    })
}

/// Runs `call` inside the handle's lock, without access to its contents. Works after a panic inside the handle too.
///
/// # Safety
/// `opt` is NULL or a live handle of this library.
pub(super) unsafe fn inside_lock(opt: *const lmada_t, call: impl FnOnce(&Inside<'_>) -> Result<()>) -> lmada_status_t {
    guard(|| {
        // SAFETY: as in `enter`.
        let handle = unsafe { opt.as_ref() }.ok_or(Error::null("opt"))?;
        call(&handle.enter()?)
    })
}

/// Runs `call` in the default floating-point mode, without cancellation of the thread. Turns an error or a panic into
/// its status, and keeps the message for `lmada_last_error`.
#[inline(always)] // with all between the exported function and here: see `held_off`
pub(super) fn guard(call: impl FnOnce() -> Result<()>) -> lmada_status_t {
    held_off(|| in_default_mode(|| caught(call)))
}

fn caught(call: impl FnOnce() -> Result<()>) -> lmada_status_t {
    #[cfg(feature = "capi")]
    super::panics::silence();
    match inside(|| catch_unwind(AssertUnwindSafe(call))) {
        Ok(Ok(())) => LMADA_OK,
        Ok(Err(error)) => {
            remember(&in_c(error));
            status_of(&error)
        }
        Err(payload) => {
            inside(|| keep_message(payload));
            LMADA_ERROR_INTERNAL
        }
    }
}

fn status_of(error: &Error) -> lmada_status_t {
    match error {
        Error::NullPointer { .. } => LMADA_ERROR_NULL_POINTER,
        Error::InvalidArgument { .. } => LMADA_ERROR_INVALID_ARGUMENT,
        Error::DimensionMismatch { .. } => LMADA_ERROR_DIMENSION_MISMATCH,
        Error::NonFinite { .. } => LMADA_ERROR_NON_FINITE,
        Error::OutOfMemory { .. } => LMADA_ERROR_OUT_OF_MEMORY,
        Error::Busy => LMADA_ERROR_BUSY,
        Error::WrongPhase { .. } => LMADA_ERROR_WRONG_PHASE,
        Error::BadState { .. } => LMADA_ERROR_BAD_STATE,
        Error::Internal { .. } => LMADA_ERROR_INTERNAL,
        Error::Callback { .. } => LMADA_ERROR_CALLBACK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capi::handle::Engine;
    use crate::capi::message::message;
    use crate::optimizer::Optimizer;

    #[test]
    fn a_panic_is_a_status_with_a_message() {
        assert_eq!(guard(|| panic!("injected {}", 7)), LMADA_ERROR_INTERNAL);
        assert!(message().contains("injected 7"), "{}", message());
        assert_eq!(guard(|| Ok(())), LMADA_OK);
        assert!(message().contains("injected 7"), "a success keeps the message of the last failure");
    }

    #[test]
    fn a_panic_inside_a_handle_breaks_it_until_reset() {
        let config = crate::Config { threads: 1, ..crate::Config::default() };
        let handle = lmada_t::new(Engine::F32(Optimizer::new(&config, &[3]).unwrap())).unwrap();
        let opt = &raw const handle;
        // SAFETY: `opt` is live throughout.
        unsafe {
            assert_eq!(with_handle(opt, |_| panic!("injected")), LMADA_ERROR_INTERNAL);
            assert_eq!(with_handle(opt, |_| Ok(())), LMADA_ERROR_INTERNAL);
            assert!(message().contains("lmada_reset"), "{}", message());
            assert_eq!(with_handle_mended(opt, |_| Ok(())), LMADA_OK);
            assert_eq!(with_handle(opt, |_| Ok(())), LMADA_OK);
        }
    }

    #[test]
    fn a_second_call_at_once_is_busy() {
        let config = crate::Config { threads: 1, ..crate::Config::default() };
        let handle = lmada_t::new(Engine::F32(Optimizer::new(&config, &[3]).unwrap())).unwrap();
        let opt = &raw const handle;
        // SAFETY: `opt` is live throughout.
        unsafe {
            let status = with_handle(opt, |_| {
                assert_eq!(with_handle(opt, |_| unreachable!()), LMADA_ERROR_BUSY);
                Ok(())
            });
            assert_eq!(status, LMADA_OK);
        }
    }
}

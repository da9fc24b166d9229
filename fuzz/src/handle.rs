//! A handle of the C interface, and its functions by element type.

use core::ffi::{CStr, c_int, c_void};
use core::marker::PhantomData;
use core::ptr::null_mut;

use lmada::capi::*;

use crate::oracle::number::Number;

pub type Status = lmada_status_t;

/// An element type with its functions. They take pointers, since bad pointers are tested too.
///
/// # Safety
/// For every function: the preconditions of the header.
#[allow(clippy::missing_safety_doc)]
pub trait Real: Number + 'static {
    type Other: Real;

    unsafe fn step(opt: *mut lmada_t, params: *mut Self, grads: *const Self, dim: usize) -> Status;
    unsafe fn step_tensors(
        opt: *mut lmada_t,
        params: *const *mut Self,
        grads: *const *const Self,
        lens: *const usize,
        count: usize,
    ) -> Status;
    unsafe fn direction(opt: *mut lmada_t, direction: *mut Self, grads: *const Self, dim: usize) -> Status;
    unsafe fn feed(opt: *mut lmada_t, offset: usize, grads: *const Self, len: usize) -> Status;
    unsafe fn apply(opt: *mut lmada_t, offset: usize, params: *mut Self, grads: *const Self, len: usize) -> Status;
    unsafe fn apply_direction(
        opt: *mut lmada_t,
        offset: usize,
        direction: *mut Self,
        grads: *const Self,
        len: usize,
    ) -> Status;
    unsafe fn observe(opt: *mut lmada_t, grads: *const Self, dim: usize) -> Status;
    unsafe fn precondition(opt: *mut lmada_t, out: *mut Self, v: *const Self, dim: usize) -> Status;
    unsafe fn averaged_params(opt: *const lmada_t, out: *mut Self, dim: usize) -> Status;
    fn from_bytes(bytes: [u8; 8]) -> Self;
}

macro_rules! real {
    ($type:ty, $other:ty, $step:ident, $tensors:ident, $direction:ident, $feed:ident, $apply:ident,
     $apply_direction:ident, $observe:ident, $precondition:ident, $averaged:ident) => {
        impl Real for $type {
            type Other = $other;

            unsafe fn step(opt: *mut lmada_t, params: *mut Self, grads: *const Self, dim: usize) -> Status {
                // SAFETY: the caller's promise is passed on.
                checked(unsafe { $step(opt, params, grads, dim) })
            }
            unsafe fn step_tensors(
                opt: *mut lmada_t,
                params: *const *mut Self,
                grads: *const *const Self,
                lens: *const usize,
                count: usize,
            ) -> Status {
                // SAFETY: the caller's promise is passed on.
                checked(unsafe { $tensors(opt, params, grads, lens, count) })
            }
            unsafe fn direction(opt: *mut lmada_t, direction: *mut Self, grads: *const Self, dim: usize) -> Status {
                // SAFETY: the caller's promise is passed on.
                checked(unsafe { $direction(opt, direction, grads, dim) })
            }
            unsafe fn feed(opt: *mut lmada_t, offset: usize, grads: *const Self, len: usize) -> Status {
                // SAFETY: the caller's promise is passed on.
                checked(unsafe { $feed(opt, offset, grads, len) })
            }
            unsafe fn apply(
                opt: *mut lmada_t,
                offset: usize,
                params: *mut Self,
                grads: *const Self,
                len: usize,
            ) -> Status {
                // SAFETY: the caller's promise is passed on.
                checked(unsafe { $apply(opt, offset, params, grads, len) })
            }
            unsafe fn apply_direction(
                opt: *mut lmada_t,
                offset: usize,
                direction: *mut Self,
                grads: *const Self,
                len: usize,
            ) -> Status {
                // SAFETY: the caller's promise is passed on.
                checked(unsafe { $apply_direction(opt, offset, direction, grads, len) })
            }
            unsafe fn observe(opt: *mut lmada_t, grads: *const Self, dim: usize) -> Status {
                // SAFETY: the caller's promise is passed on.
                checked(unsafe { $observe(opt, grads, dim) })
            }
            unsafe fn precondition(opt: *mut lmada_t, out: *mut Self, v: *const Self, dim: usize) -> Status {
                // SAFETY: the caller's promise is passed on.
                checked(unsafe { $precondition(opt, out, v, dim) })
            }
            unsafe fn averaged_params(opt: *const lmada_t, out: *mut Self, dim: usize) -> Status {
                // SAFETY: the caller's promise is passed on.
                checked(unsafe { $averaged(opt, out, dim) })
            }
            fn from_bytes(bytes: [u8; 8]) -> Self {
                let (number, _) = bytes.split_first_chunk().expect("no longer than 8 bytes");
                Self::from_le_bytes(*number)
            }
        }
    };
}
real!(
    f32,
    f64,
    lmada_step,
    lmada_step_tensors,
    lmada_direction,
    lmada_feed,
    lmada_apply,
    lmada_apply_direction,
    lmada_observe,
    lmada_precondition,
    lmada_averaged_params
);
real!(
    f64,
    f32,
    lmada_step_f64,
    lmada_step_tensors_f64,
    lmada_direction_f64,
    lmada_feed_f64,
    lmada_apply_f64,
    lmada_apply_direction_f64,
    lmada_observe_f64,
    lmada_precondition_f64,
    lmada_averaged_params_f64
);

/// Checks a status: one of the header, no defect of the library, and a failure has a message.
pub fn checked(status: Status) -> Status {
    let known = (LMADA_OK..=LMADA_ERROR_BAD_STATE).contains(&status) || status == LMADA_ERROR_CALLBACK;
    assert!(known, "status {status}: {}", last_error());
    assert!(status == LMADA_OK || !last_error().is_empty(), "status {status} without words");
    status
}

/// Returns the message of this thread's last failure.
pub fn last_error() -> String {
    // SAFETY: it is never NULL and ends in a NUL.
    unsafe { CStr::from_ptr(lmada_last_error()) }.to_string_lossy().into_owned()
}

/// Callback: reads the next bytes of the slice at `context`; fails if there are too few.
unsafe extern "C" fn read(context: *mut c_void, bytes: *mut c_void, len: usize) -> c_int {
    // SAFETY: the context is a slice, and the library passes an array of `len` bytes.
    let (rest, bytes) =
        unsafe { (&mut *context.cast::<&[u8]>(), core::slice::from_raw_parts_mut(bytes.cast::<u8>(), len)) };
    let Some((next, after)) = rest.split_at_checked(len) else { return 1 };
    bytes.copy_from_slice(next);
    *rest = after;
    0
}

/// Callback: appends to the vector at `context`.
unsafe extern "C" fn write(context: *mut c_void, bytes: *const c_void, len: usize) -> c_int {
    // SAFETY: the context is a vector, and the library passes `len` bytes.
    let (vec, bytes) =
        unsafe { (&mut *context.cast::<Vec<u8>>(), core::slice::from_raw_parts(bytes.cast::<u8>(), len)) };
    vec.extend_from_slice(bytes);
    0
}

/// A live handle, which `Drop` frees.
pub struct Handle<T> {
    raw: *mut lmada_t,
    element: PhantomData<T>,
}

impl<T: Real> Handle<T> {
    /// Creates a handle. The configuration has to be accepted.
    pub fn new(config: &lmada_config_t, dims: &[usize]) -> Self {
        let mut raw = null_mut();
        // SAFETY: all three arguments are valid.
        let status = checked(unsafe { lmada_create_blocks(config, dims.as_ptr(), dims.len(), &mut raw) });
        assert_eq!(status, LMADA_OK, "{config:?} {dims:?}: {}", last_error());
        Self::from_raw(raw)
    }

    /// Takes over a handle that was just created.
    pub fn from_raw(raw: *mut lmada_t) -> Self {
        assert!(!raw.is_null(), "a create that succeeded gives no handle");
        Self { raw, element: PhantomData }
    }

    /// Creates a handle from a state of any element type. Returns the handle and the number of bytes read, or the
    /// status.
    pub fn of_state(state: &[u8]) -> Result<(Self, usize), Status> {
        let mut rest = state;
        let mut raw = core::ptr::dangling_mut();
        let context = (&raw mut rest).cast();
        // SAFETY: `read` may be called with the slice, and `opt` is valid for writing.
        match checked(unsafe { lmada_create_from_state(Some(read), context, &mut raw) }) {
            LMADA_OK => Ok((Self::from_raw(raw), state.len() - rest.len())),
            status => {
                assert!(raw.is_null(), "a create that failed gives a handle");
                Err(status)
            }
        }
    }

    /// Returns the bytes that [`lmada_state_write`] writes.
    pub fn write(&self) -> Result<Vec<u8>, Status> {
        let mut bytes = Vec::<u8>::new();
        let context = (&raw mut bytes).cast();
        // SAFETY: the handle is live, and `write` may be called with the vector.
        match checked(unsafe { lmada_state_write(self.raw, Some(write), context) }) {
            LMADA_OK => Ok(bytes),
            status => Err(status),
        }
    }

    /// Returns the pointer, for calls that may be wrong.
    pub fn raw(&self) -> *mut lmada_t {
        self.raw
    }

    pub fn step(&mut self, params: &mut [T], grads: &[T]) -> Status {
        assert_eq!(params.len(), grads.len());
        // SAFETY: the handle is live, and the slices have that length and do not overlap.
        unsafe { T::step(self.raw, params.as_mut_ptr(), grads.as_ptr(), grads.len()) }
    }

    /// Takes a step over tensors that end at `ends`; the last end is the total length. Gradients of tensors whose bit
    /// in `missing` is set are NULL.
    pub fn step_tensors(&mut self, params: &mut [T], grads: &[T], ends: &[usize], missing: u8) -> Status {
        let start = |index: usize| if index == 0 { 0 } else { ends[index - 1] };
        let lens: Vec<usize> = (0..ends.len()).map(|index| ends[index] - start(index)).collect();
        let given = |index| if missing >> index & 1 == 0 { grads[start(index)..].as_ptr() } else { core::ptr::null() };
        let grads: Vec<*const T> = (0..ends.len()).map(given).collect();
        let base = params.as_mut_ptr();
        // SAFETY: the starts are in the slice or at its end.
        let params: Vec<*mut T> = (0..ends.len()).map(|index| unsafe { base.add(start(index)) }).collect();
        // SAFETY: the handle is live, and the tensors are disjoint parts of the slices.
        unsafe { T::step_tensors(self.raw, params.as_ptr(), grads.as_ptr(), lens.as_ptr(), lens.len()) }
    }

    pub fn direction(&mut self, direction: &mut [T], grads: &[T]) -> Status {
        assert_eq!(direction.len(), grads.len());
        // SAFETY: the handle is live, and the slices have that length and do not overlap.
        unsafe { T::direction(self.raw, direction.as_mut_ptr(), grads.as_ptr(), grads.len()) }
    }

    pub fn feed(&mut self, offset: usize, grads: &[T]) -> Status {
        // SAFETY: the handle is live, and the slice has that length.
        unsafe { T::feed(self.raw, offset, grads.as_ptr(), grads.len()) }
    }

    pub fn apply(&mut self, offset: usize, params: &mut [T], grads: &[T]) -> Status {
        assert_eq!(params.len(), grads.len());
        // SAFETY: the handle is live, and the slices have that length and do not overlap.
        unsafe { T::apply(self.raw, offset, params.as_mut_ptr(), grads.as_ptr(), grads.len()) }
    }

    pub fn apply_direction(&mut self, offset: usize, direction: &mut [T], grads: &[T]) -> Status {
        assert_eq!(direction.len(), grads.len());
        // SAFETY: the handle is live, and the slices have that length and do not overlap.
        unsafe { T::apply_direction(self.raw, offset, direction.as_mut_ptr(), grads.as_ptr(), grads.len()) }
    }

    /// Calls a function that takes only the handle.
    pub fn call(&mut self, function: unsafe extern "C" fn(*mut lmada_t) -> Status) -> Status {
        // SAFETY: the handle is live.
        checked(unsafe { function(self.raw) })
    }

    pub fn set_groups(&mut self, groups: &[lmada_group_t]) -> Status {
        // SAFETY: the handle is live, and the structs have this size.
        checked(unsafe { lmada_set_groups(self.raw, groups.as_ptr(), size_of::<lmada_group_t>(), groups.len()) })
    }

    pub fn config(&self) -> lmada_config_t {
        // SAFETY: all fields are numbers, for which zeros are a value.
        let mut config: lmada_config_t = unsafe { core::mem::zeroed() };
        // SAFETY: the handle is live, and the struct has this size.
        let status = checked(unsafe { lmada_get_config(self.raw, &mut config, size_of::<lmada_config_t>()) });
        assert_eq!(status, LMADA_OK, "{}", last_error());
        config
    }

    pub fn set_lr(&mut self, lr: f64) -> Status {
        // SAFETY: the handle is live.
        checked(unsafe { lmada_set_lr(self.raw, lr) })
    }

    /// Returns the partials of an open step, for reading and writing.
    pub fn partials(&mut self) -> Result<&mut [f64], Status> {
        let (mut values, mut count) = (null_mut(), 0);
        // SAFETY: the handle is live, and both point at their types.
        match checked(unsafe { lmada_partials(self.raw, &mut values, &mut count) }) {
            // SAFETY: the library returned the array. It lives until the next call, which the borrow of the slice
            // prevents.
            LMADA_OK => Ok(unsafe { core::slice::from_raw_parts_mut(values, count) }),
            status => Err(status),
        }
    }

    /// Returns the stats, which a handle always has.
    pub fn stats(&self) -> lmada_stats_t {
        // SAFETY: all fields are numbers, for which zeros are a value.
        let mut stats: lmada_stats_t = unsafe { core::mem::zeroed() };
        let size = size_of::<lmada_stats_t>();
        // SAFETY: the handle is live, and the struct has this size.
        assert_eq!(checked(unsafe { lmada_stats(self.raw, &mut stats, size) }), LMADA_OK, "{}", last_error());
        assert_eq!(stats.struct_size, size);
        stats
    }

    pub fn state_size(&self) -> usize {
        let mut bytes = 0;
        // SAFETY: the handle is live.
        assert_eq!(checked(unsafe { lmada_state_size(self.raw, &mut bytes) }), LMADA_OK);
        bytes
    }

    /// Returns the saved state, if no step is open.
    pub fn save(&self) -> Result<Vec<u8>, Status> {
        let mut bytes = vec![0; self.state_size()];
        // SAFETY: the handle is live, and the buffer has this size.
        match checked(unsafe { lmada_state_save(self.raw, bytes.as_mut_ptr().cast(), bytes.len()) }) {
            LMADA_OK => Ok(bytes),
            status => Err(status),
        }
    }

    pub fn load(&mut self, bytes: &[u8]) -> Status {
        // SAFETY: the handle is live, and the buffer has this size.
        checked(unsafe { lmada_state_load(self.raw, bytes.as_ptr().cast(), bytes.len()) })
    }

    /// Loads states of shares. `firsts` has one number for each block.
    pub fn load_shares(&mut self, firsts: &[usize], states: &[&[u8]]) -> Status {
        let starts: Vec<*const core::ffi::c_void> = states.iter().map(|state| state.as_ptr().cast()).collect();
        let sizes: Vec<usize> = states.iter().map(|state| state.len()).collect();
        let (starts, sizes) = (starts.as_ptr(), sizes.as_ptr());
        // SAFETY: the handle is live, and the states have these sizes.
        checked(unsafe { lmada_state_load_shares(self.raw, firsts.as_ptr(), starts, sizes, states.len()) })
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        // SAFETY: the handle is live, and nobody else has it.
        unsafe { lmada_free(self.raw) }
    }
}

//! A handle: a lock, and an optimizer of one of the two element types.

use core::cell::{Cell, UnsafeCell};

use super::lock::{Inside, Lock};
use super::pointers::Extent;
use crate::error::{Error, Result, Value};
use crate::kernels::Element;
use crate::memory::try_vec;
use crate::optimizer::{Optimizer, USUAL_TENSORS};

/// A handle: an optimizer and its state. `lmada_create`, `lmada_create_blocks` and `lmada_create_from_state` create it,
/// `lmada_free` frees it.
///
/// Different handles may be used from different threads at the same time. A call on a handle returns `LMADA_ERROR_BUSY`
/// while another thread is inside a call on it or holds it (`lmada_hold`). A child process may use a handle after
/// `fork()`, unless another thread was inside a call on it at the moment of the fork.
#[allow(non_camel_case_types)]
pub struct lmada_t {
    lock: Lock,
    /// Set while a call is inside. It stays set after a panic.
    pub(super) broken: Cell<bool>,
    pub(super) inner: UnsafeCell<Inner>,
}

/// The contents of a handle. One call at a time has access.
pub(super) struct Inner {
    pub engine: Engine,
    /// Scratch for the check of a tensor list. Grows to the longest list seen.
    pub extents: Vec<Extent>,
}

/// The optimizer, of one of the two element types.
pub(super) enum Engine {
    F32(Optimizer<f32>),
    F64(Optimizer<f64>),
}

/// Calls a method of the optimizer, for both element types.
macro_rules! either {
    ($engine:expr, $optimizer:ident => $call:expr) => {
        match $engine {
            $crate::capi::handle::Engine::F32($optimizer) => $call,
            $crate::capi::handle::Engine::F64($optimizer) => $call,
        }
    };
}
pub(super) use either;

impl lmada_t {
    pub(super) fn new(engine: Engine) -> Result<Self> {
        Ok(Self {
            lock: Lock::new(),
            broken: Cell::new(false),
            inner: UnsafeCell::new(Inner {
                engine,
                extents: try_vec(2 * USUAL_TENSORS, "the check of a tensor list")?,
            }),
        })
    }

    /// Lets a call in; see [`Lock`].
    #[inline(always)]
    pub(super) fn enter(&self) -> Result<Inside<'_>> {
        self.lock.enter()
    }
}

/// An element type of the interface.
pub(super) trait ElementType: Element {
    /// Returns the optimizer, or an error if the handle is of the other element type.
    fn optimizer(engine: &mut Engine) -> Result<&mut Optimizer<Self>>;
}

const OTHER_TYPE: &str =
    "a handle of this function's element type (the _f64 functions take LMADA_F64, the others LMADA_F32)";

impl ElementType for f32 {
    fn optimizer(engine: &mut Engine) -> Result<&mut Optimizer<Self>> {
        match engine {
            Engine::F32(optimizer) => Ok(optimizer),
            Engine::F64(_) => Err(Error::invalid("opt", Value::Name("an LMADA_F64 handle"), OTHER_TYPE)),
        }
    }
}

impl ElementType for f64 {
    fn optimizer(engine: &mut Engine) -> Result<&mut Optimizer<Self>> {
        match engine {
            Engine::F64(optimizer) => Ok(optimizer),
            Engine::F32(_) => Err(Error::invalid("opt", Value::Name("an LMADA_F32 handle"), OTHER_TYPE)),
        }
    }
}

impl Inner {
    /// Returns the optimizer, or an error if the handle is of the other element type.
    pub fn optimizer<T: ElementType>(&mut self) -> Result<&mut Optimizer<T>> {
        T::optimizer(&mut self.engine)
    }
}

//! All errors of the library. Each names the argument at fault and its value.
//!
//! Errors are plain `Copy` values. Creating or printing an error allocates nothing, so "out of memory" can be reported
//! like any other error. The messages name arguments of the Rust interface; `capi/words.rs` replaces them by those of
//! C.

use core::fmt;
use std::io;

/// The result of a call that may fail.
pub type Result<T> = core::result::Result<T, Error>;

/// The reason why a call failed. A failed call changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A required pointer is NULL.
    #[non_exhaustive]
    NullPointer {
        /// The argument at fault.
        argument: Argument,
    },
    /// An argument has an invalid value.
    #[non_exhaustive]
    InvalidArgument {
        /// The argument at fault.
        argument: Argument,
        /// The value of the argument.
        value: Value,
        /// The values that are valid.
        expected: &'static str,
    },
    /// A length differs from the optimizer's.
    #[non_exhaustive]
    DimensionMismatch {
        /// The argument at fault.
        argument: Argument,
        /// The length of the argument.
        found: u64,
        /// The length of the optimizer.
        expected: u64,
    },
    /// The gradient or a result of the step has a NaN or an infinity.
    #[non_exhaustive]
    NonFinite {
        /// The quantity that is not finite.
        what: &'static str,
        /// Number of NaN and infinite elements; 0 if they were not counted.
        count: u64,
        /// The place of the first such element, if it belongs to this optimizer.
        first: Option<Place>,
    },
    /// The system gave no memory.
    #[non_exhaustive]
    OutOfMemory {
        /// The use of the memory.
        what: &'static str,
        /// Number of bytes; `u64::MAX` if the size itself overflows.
        bytes: u64,
    },
    /// Another thread is inside a call on the same handle, or holds the handle.
    Busy,
    /// The call is not allowed at this point of a step in phases.
    #[non_exhaustive]
    WrongPhase {
        /// The method called.
        call: &'static str,
        /// Why it cannot be called now.
        reason: &'static str,
    },
    /// A saved state is damaged or truncated, or another program wrote it.
    #[non_exhaustive]
    BadState {
        /// Index of the state in a list of several.
        index: Option<usize>,
        /// What is wrong with the state.
        reason: &'static str,
    },
    /// The library has a defect.
    #[non_exhaustive]
    Internal {
        /// What went wrong.
        reason: &'static str,
    },
    /// A reader, writer or callback supplied by the caller failed.
    #[non_exhaustive]
    Callback {
        /// The argument that failed.
        argument: &'static str,
        /// The value that it returned.
        value: Value,
    },
}

/// The place of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Index of the element among the optimizer's parameters.
    pub index: u64,
    /// Index of its tensor and index in the tensor, if the call had a list of tensors.
    pub tensor: Option<(usize, u64)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tensor {
            Some((tensor, index)) => write!(f, "element {} (grads[{tensor}][{index}])", self.index),
            None => write!(f, "element {}", self.index),
        }
    }
}

/// The name of an argument, with an index for an element of an array: `grads[3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Argument {
    /// Name in the interface, for example `dim` or `config.lr`.
    pub name: &'static str,
    /// Index of the element at fault.
    pub index: Option<usize>,
}

impl Argument {
    /// Names element `index` of the array `name`.
    pub const fn element(name: &'static str, index: usize) -> Self {
        Self { name, index: Some(index) }
    }
}

impl From<&'static str> for Argument {
    fn from(name: &'static str) -> Self {
        Self { name, index: None }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}

/// The value of an argument, for the message.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A real number.
    Real(f64),
    /// A count, a length, a size or an address.
    Count(u64),
    /// The value of an enum, or another signed number.
    Integer(i64),
    /// The range of elements from the first number up to, but without, the second.
    Range(u64, u64),
    /// A value described by a text.
    Name(&'static str),
    /// A value of an enum: its name in Rust, for example `Clip::Norm`, and its number in C.
    Variant(&'static str, i32),
    /// The error of a reader or writer.
    Io(io::ErrorKind),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Real(value) => write!(f, "{value:?}"),
            Self::Count(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Range(start, end) => write!(f, "[{start}, {end})"),
            Self::Name(name) => f.write_str(name),
            Self::Variant(name, _) => f.write_str(name),
            Self::Io(kind) => write!(f, "{kind}"),
        }
    }
}

impl Error {
    pub(crate) fn null(argument: impl Into<Argument>) -> Self {
        Self::NullPointer { argument: argument.into() }
    }

    pub(crate) fn invalid(argument: impl Into<Argument>, value: Value, expected: &'static str) -> Self {
        Self::InvalidArgument { argument: argument.into(), value, expected }
    }

    pub(crate) const fn non_finite(what: &'static str) -> Self {
        Self::NonFinite { what, count: 0, first: None }
    }

    pub(crate) const fn bad_state(reason: &'static str) -> Self {
        Self::BadState { index: None, reason }
    }

    /// Adds the index of the state to an error found in one of several states.
    pub(crate) fn in_state(self, index: usize) -> Self {
        match self {
            Self::BadState { reason, .. } => Self::BadState { index: Some(index), reason },
            other => other,
        }
    }

    pub(crate) fn mismatch(argument: impl Into<Argument>, found: u64, expected: u64) -> Self {
        Self::DimensionMismatch { argument: argument.into(), found, expected }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NullPointer { argument } => write!(f, "{argument} is NULL"),
            Self::InvalidArgument { argument, value, expected } => {
                write!(f, "{argument} is {value}: expected {expected}")
            }
            Self::DimensionMismatch { argument, found, expected } => {
                write!(f, "{argument} is {found}: this optimizer has {expected}")
            }
            Self::NonFinite { what, count: 0, .. } => write!(f, "{what} is not finite; the call was refused"),
            Self::NonFinite { what, count, first } => {
                let values = if count == 1 { "value" } else { "values" };
                write!(f, "{what} has {count} NaN or infinite {values}")?;
                match first {
                    Some(place) if count == 1 => write!(f, ", {place}")?,
                    Some(place) => write!(f, ", the first at {place}")?,
                    None => {}
                }
                f.write_str("; the call was refused")
            }
            Self::OutOfMemory { what, bytes: u64::MAX } => {
                write!(f, "out of memory: the size of {what} overflows")
            }
            Self::OutOfMemory { what, bytes } => write!(f, "out of memory: {bytes} bytes for {what}"),
            Self::Busy => f.write_str("another thread is inside a call on this handle, or holds it"),
            Self::WrongPhase { call, reason } => write!(f, "{call} cannot be called now: {reason}"),
            Self::BadState { index: None, reason } => write!(f, "bad saved state: {reason}"),
            Self::BadState { index: Some(index), reason } => write!(f, "bad saved state, states[{index}]: {reason}"),
            Self::Internal { reason } => write!(f, "internal error: {reason}"),
            Self::Callback { argument, value: Value::Integer(code) } => {
                write!(f, "{argument} returned {code}: expected 0 for success")
            }
            Self::Callback { argument, value } => write!(f, "{argument} failed: {value}"),
        }
    }
}

impl std::error::Error for Error {}

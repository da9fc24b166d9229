//! What can go wrong, said once: every failure carries the argument at fault and its value.
//!
//! Errors are plain `Copy` values. Making or printing one allocates nothing, so that running out of memory can be
//! reported like anything else. They speak of the Rust interface; `capi/words.rs` has the same in the words of C.

use core::fmt;
use std::io;

use crate::config::{Clip, HistoryFormat};

/// Result of every fallible call of the library.
pub type Result<T> = core::result::Result<T, Error>;

/// A failed call. Nothing was changed by it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A pointer that has to point at something is NULL.
    #[non_exhaustive]
    NullPointer {
        /// The argument at fault.
        argument: Argument,
    },
    /// A value that the function does not take.
    #[non_exhaustive]
    InvalidArgument {
        /// The argument at fault.
        argument: Argument,
        /// The value found in it.
        value: Value,
        /// What would have been taken.
        expected: &'static str,
    },
    /// A length that does not fit the optimizer's.
    #[non_exhaustive]
    DimensionMismatch {
        /// The argument at fault.
        argument: Argument,
        /// The length found.
        found: u64,
        /// The length that fits.
        expected: u64,
    },
    /// A NaN or an infinity: in the gradient, or in what the step would have computed.
    #[non_exhaustive]
    NonFinite {
        /// The quantity that is not finite.
        what: &'static str,
        /// How many such values there are, where they were counted; 0 otherwise.
        count: u64,
        /// Where the first of them is, if it is among this optimizer's.
        first: Option<Place>,
    },
    /// Memory could not be had.
    #[non_exhaustive]
    OutOfMemory {
        /// What it was wanted for.
        what: &'static str,
        /// Bytes asked for; `u64::MAX` where the size itself overflows.
        bytes: u64,
    },
    /// Another thread is inside a call on the same handle, or holds it.
    Busy,
    /// The call does not belong at this point of a step.
    #[non_exhaustive]
    WrongPhase {
        /// The method called.
        call: &'static str,
        /// Why it cannot be called now.
        reason: &'static str,
    },
    /// A saved state that is damaged, truncated or not one of ours.
    #[non_exhaustive]
    BadState {
        /// Which of several it is.
        index: Option<usize>,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A defect of the library itself.
    #[non_exhaustive]
    Internal {
        /// What went wrong.
        reason: &'static str,
    },
    /// A reader, writer or callback supplied by the caller failed.
    #[non_exhaustive]
    Callback {
        /// Which argument that is.
        argument: &'static str,
        /// What it returned.
        value: Value,
    },
}

/// Where an element lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Its index among the optimizer's parameters.
    pub index: u64,
    /// The tensor it is in and its index there, where the call had a list of tensors.
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

/// An argument by name, and by index where it is an array: `grads[3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Argument {
    /// Its name in the interface, as `dim` or `config.lr`.
    pub name: &'static str,
    /// The element at fault.
    pub index: Option<usize>,
}

impl Argument {
    /// Element `index` of the array argument `name`.
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

/// An argument's value, for the message.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A real number.
    Real(f64),
    /// A count, a length, a size or an address.
    Count(u64),
    /// An enum's value or another signed number.
    Integer(i64),
    /// The half-open range of elements from the first to the second number.
    Range(u64, u64),
    /// A value with a name.
    Name(&'static str),
    /// A kind of clipping.
    Clip(Clip),
    /// A format of the window.
    HistoryFormat(HistoryFormat),
    /// How a reader or writer failed.
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
            Self::Clip(kind) => write!(f, "Clip::{kind:?}"),
            Self::HistoryFormat(format) => write!(f, "HistoryFormat::{format:?}"),
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

    /// The same, found in one of several saved states.
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
                write!(f, "{argument} returned {code}: expected 0, for success")
            }
            Self::Callback { argument, value } => write!(f, "{argument} failed: {value}"),
        }
    }
}

impl std::error::Error for Error {}

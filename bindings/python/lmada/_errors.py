"""The library's errors in Python: one exception class for each status."""

from __future__ import annotations

from ._library import LIBRARY


class LmadaError(Exception):
    """A call that the library refused. It has changed nothing.

    `str(error)` names the argument and its value. `status` is the number of the status in lmada.h. Each status has a
    subclass. This class itself is raised only for a status that a later library may add.
    """

    status = -1


class NullPointerError(LmadaError, ValueError):
    """A pointer that must not be NULL is NULL."""

    status = 1


class InvalidArgumentError(LmadaError, ValueError):
    """A value out of range, or arrays that overlap."""

    status = 2


class DimensionMismatchError(LmadaError, ValueError):
    """A length that does not fit the optimizer."""

    status = 3


class NonFiniteError(LmadaError, ArithmeticError):
    """A NaN or an infinity in the gradient, or a step whose result would not be finite.

    Nothing has changed: the program may continue with the next step.
    """

    status = 4


class OutOfMemoryError(LmadaError, MemoryError):
    """There is not enough memory."""

    status = 5


class BusyError(LmadaError, RuntimeError):
    """Another thread is inside a call on the same optimizer."""

    status = 6


class WrongPhaseError(LmadaError, RuntimeError):
    """The call is not allowed at this point of a step in phases, or before the first step."""

    status = 7


class BadStateError(LmadaError, ValueError):
    """A saved state is damaged or cut short, or the bytes are not a state of this library."""

    status = 8


class InternalError(LmadaError, RuntimeError):
    """A defect of the library. Every call on the optimizer raises this error until `reset`."""

    status = 9


class CallbackError(LmadaError, RuntimeError):
    """A callback failed without an exception. Exceptions of a callback reach the caller unchanged."""

    status = 10


_CLASSES = {
    kind.status: kind
    for kind in (
        NullPointerError,
        InvalidArgumentError,
        DimensionMismatchError,
        NonFiniteError,
        OutOfMemoryError,
        BusyError,
        WrongPhaseError,
        BadStateError,
        InternalError,
        CallbackError,
    )
}


def error_of(status: int) -> LmadaError:
    """The exception for a status other than LMADA_OK, with the library's message for this thread."""
    # Between the failed call and this one only finalizers can have run, and lmada_free does not change the message.
    message: bytes = LIBRARY.lmada_last_error()
    error = _CLASSES.get(status, LmadaError)(message.decode())
    error.status = status
    return error


def check(status: int) -> None:
    """Raises the exception for a status other than LMADA_OK."""
    if status:
        raise error_of(status)

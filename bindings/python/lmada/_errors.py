"""The library's errors in Python: one exception class for each status."""

from __future__ import annotations

from ._library import LIBRARY


class LmadaError(Exception):
    """A call that the library refused. It has changed nothing.

    `str(error)` says which argument was wrong and what its value was. `status` is the number of the status in lmada.h.
    Each status has a subclass; this class itself is raised only for a status that a later library may add.
    """

    status = -1


class NullPointerError(LmadaError, ValueError):
    """A pointer that has to point at something is NULL."""

    status = 1


class InvalidArgumentError(LmadaError, ValueError):
    """A value out of range, arrays that overlap, and the like."""

    status = 2


class DimensionMismatchError(LmadaError, ValueError):
    """A length that does not fit the optimizer."""

    status = 3


class NonFiniteError(LmadaError, ArithmeticError):
    """A NaN or an infinity in the gradient, or a step whose result would not be finite.

    Nothing has changed: the next step may follow.
    """

    status = 4


class OutOfMemoryError(LmadaError, MemoryError):
    """There is not enough memory."""

    status = 5


class BusyError(LmadaError, RuntimeError):
    """Another thread is inside a call on the same optimizer."""

    status = 6


class WrongPhaseError(LmadaError, RuntimeError):
    """The call does not belong at this point of a step in phases, or comes before the first step."""

    status = 7


class BadStateError(LmadaError, ValueError):
    """A saved state is damaged or cut short, or the bytes are no state of this library."""

    status = 8


class InternalError(LmadaError, RuntimeError):
    """A defect of the library. The optimizer answers with this until `reset`."""

    status = 9


class CallbackError(LmadaError, RuntimeError):
    """A callback failed without an exception. An exception in a callback is raised itself."""

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
    """The exception for a status that is not LMADA_OK, with the message that the library has for this thread."""
    # Between the call that failed and this one only finalizers may have run; lmada_free leaves the message alone.
    message: bytes = LIBRARY.lmada_last_error()
    error = _CLASSES.get(status, LmadaError)(message.decode())
    error.status = status
    return error


def check(status: int) -> None:
    """Raises what a status other than LMADA_OK stands for."""
    if status:
        raise error_of(status)

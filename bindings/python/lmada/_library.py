"""Finds liblmada, checks its binary interface, and declares its functions."""

from __future__ import annotations

import ctypes
import operator
import os
import sys
from pathlib import Path
from typing import Any, List

# The binary interface that this package is written for: `LMADA_ABI_VERSION` of lmada.h.
ABI_VERSION = 1

HOW_TO_SET = (
    "Set the environment variable LMADA_LIBRARY to the full path of liblmada before `import lmada`, or install the "
    "library where the system's loader looks for it."
)

_FILE = {"darwin": "liblmada.dylib", "win32": "lmada.dll"}.get(sys.platform, "liblmada.so.0")
_HERE = Path(__file__).resolve().parent

POINTER = ctypes.c_void_p
SIZE = ctypes.c_size_t
I32, U32, U64 = ctypes.c_int32, ctypes.c_uint32, ctypes.c_uint64
F64 = ctypes.c_double
# lmada_write_t and lmada_read_t: the addresses of context and bytes, and the number of bytes.
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, POINTER, SIZE)

# The arguments of the functions that return a status.
_CALLS: dict[str, List[Any]] = {
    "config_init": [POINTER, SIZE],
    "config_recommended": [POINTER, SIZE],
    "create_blocks": [POINTER, POINTER, SIZE, POINTER],
    "memory": [POINTER, SIZE, POINTER],
    "reset": [POINTER],
    "begin": [POINTER],
    "partials": [POINTER, POINTER, POINTER],
    "solve": [POINTER],
    "end": [POINTER],
    "cancel": [POINTER],
    "set_lr": [POINTER, F64],
    "set_grad_scale": [POINTER, F64],
    "get_config": [POINTER, POINTER, SIZE],
    "set_config": [POINTER, POINTER],
    "set_groups": [POINTER, POINTER, SIZE, SIZE],
    "stats": [POINTER, POINTER, SIZE],
    "step_bf16": [POINTER, POINTER, POINTER, POINTER, SIZE],
    "feed_bf16": [POINTER, SIZE, POINTER, SIZE],
    "apply_bf16": [POINTER, SIZE, POINTER, POINTER, POINTER, SIZE],
    "state_size": [POINTER, POINTER],
    "state_save": [POINTER, POINTER, SIZE],
    "state_load": [POINTER, POINTER, SIZE],
    "state_load_shares": [POINTER, POINTER, POINTER, POINTER, SIZE],
    "state_write": [POINTER, CALLBACK, POINTER],
    "create_from_state": [CALLBACK, POINTER, POINTER],
}
# Each of these functions exists under this name for float32 and with the suffix "_f64" for float64.
_TYPED_CALLS: dict[str, List[Any]] = {
    "step": [POINTER, POINTER, POINTER, SIZE],
    "step_tensors": [POINTER, POINTER, POINTER, POINTER, SIZE],
    "direction": [POINTER, POINTER, POINTER, SIZE],
    "feed": [POINTER, SIZE, POINTER, SIZE],
    "apply": [POINTER, SIZE, POINTER, POINTER, SIZE],
    "apply_direction": [POINTER, SIZE, POINTER, POINTER, SIZE],
    "observe": [POINTER, POINTER, SIZE],
    "precondition": [POINTER, POINTER, POINTER, SIZE],
    "averaged_params": [POINTER, POINTER, SIZE],
}


def _candidates() -> list[str]:
    """The possible paths of the library, the first choice first."""
    chosen = os.environ.get("LMADA_LIBRARY")
    if chosen:
        return [chosen]
    bundled = _HERE / _FILE
    in_source_tree = _HERE.parents[2] / "target" / "lmada" / _FILE if len(_HERE.parents) > 2 else bundled
    return [str(path) for path in (bundled, in_source_tree) if path.exists()] + [_FILE]


def _open() -> tuple[ctypes.CDLL, str]:
    reasons = []
    for candidate in _candidates():
        try:
            return ctypes.CDLL(candidate), candidate
        except OSError as failure:
            reasons.append(str(failure))
    raise ImportError(f"lmada finds no library: {'; '.join(reasons)}. {HOW_TO_SET}")


def _declare(library: ctypes.CDLL, path: str) -> None:
    try:
        version = library.lmada_abi_version
    except AttributeError:
        raise ImportError(f"{path} is not an lmada library. {HOW_TO_SET}") from None
    version.restype = U32
    if version() != ABI_VERSION:
        newer = "package" if version() > ABI_VERSION else "library"
        raise ImportError(
            f"{path} has binary interface {version()}, this package needs {ABI_VERSION}: update the {newer}"
        )
    calls = {**_CALLS, **_TYPED_CALLS, **{name + "_f64": arguments for name, arguments in _TYPED_CALLS.items()}}
    for name, arguments in calls.items():
        function = getattr(library, "lmada_" + name, None)
        if function is None:
            raise ImportError(f"{path} has no function lmada_{name}, which this package needs: update the library")
        function.argtypes, function.restype = arguments, I32
    library.lmada_free.argtypes, library.lmada_free.restype = [POINTER], None
    library.lmada_schedule.argtypes, library.lmada_schedule.restype = [I32, F64, U64, U64, U64], F64
    library.lmada_status_string.argtypes = [I32]
    for text in (library.lmada_version, library.lmada_status_string, library.lmada_last_error):
        text.restype = ctypes.c_char_p


def unsigned(number: Any, name: str, kind: Any = SIZE) -> int:
    """Converts an integer for an argument or a field of this unsigned type.

    ctypes would silently truncate a number that is out of range, and does not accept NumPy's integers.
    """
    try:
        value = operator.index(number)
    except TypeError:
        raise TypeError(f"{name} cannot be {number!r}") from None
    if not 0 <= value <= kind(-1).value:
        raise ValueError(f"{name} cannot be {value}")
    return value


LIBRARY, _PATH = _open()
_declare(LIBRARY, _PATH)


class TypedCalls:
    """The functions of the library for one element type."""

    def __init__(self, suffix: str):
        for name in _TYPED_CALLS:
            setattr(self, name, getattr(LIBRARY, f"lmada_{name}{suffix}"))

    def __getattr__(self, name: str) -> Any:  # tells type checkers about the other attributes
        raise AttributeError(name)


F32_CALLS, F64_CALLS = TypedCalls(""), TypedCalls("_f64")


def library_path() -> str:
    """The path of the library in use, or the name under which the system's loader found the library."""
    return _PATH


def library_version() -> str:
    """The version of the library in use, as "0.1.0"."""
    text: bytes = LIBRARY.lmada_version()
    return text.decode()

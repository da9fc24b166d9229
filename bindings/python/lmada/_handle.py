"""A handle of the library: creation, options, statistics, release. `Optimizer` adds the steps."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Type, TypeVar, Union

import numpy as np

from ._errors import check
from ._library import F32_CALLS, F64, F64_CALLS, LIBRARY, POINTER, SIZE, U32, U64, unsigned
from ._options import DTYPES, Config, Options, dtype_number, filled, put, to_c, to_python

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack


class Stats(NamedTuple):
    """Statistics of the last step, or of the open step between `solve` and `end`.

    Over several blocks, norms are the root of the sum of squares, `scale` is the smallest, `rank` is the sum, `eig_max`
    and `eig_min` are the largest and the smallest.
    """

    steps: int
    """Steps accepted since creation, reset or the start of the loaded run."""
    history_len: int
    """Gradients in the window."""
    rank: int
    """Directions that the preconditioner acts on."""
    grad_norm: float
    """Norm of the gradient as given."""
    update_norm: float
    """Norm of the update, before clipping and update momentum."""
    scale: float
    """Factor of clipping or grafting on the update."""
    eig_max: float
    """Largest eigenvalue of MM', without eps; 0 at rank 0."""
    eig_min: float
    """Smallest eigenvalue of MM' above the noise floor, without eps; 0 at rank 0."""
    state_bytes: int
    """Memory that the optimizer holds, in bytes."""
    lr: float
    """Learning rate of the next step."""
    refused: int
    """Steps refused because of a NaN or infinity since creation or reset. Not part of a saved state."""
    non_finite_index: Optional[int]
    """The first element that was not finite in the last refused gradient, counted from 0 over all parameters."""


class _Stats(ctypes.Structure):
    """lmada_stats_t, field by field."""

    _fields_ = [
        ("struct_size", SIZE),
        ("steps", U64),
        ("history_len", U32),
        ("rank", U32),
        ("grad_norm", F64),
        ("update_norm", F64),
        ("scale", F64),
        ("eig_max", F64),
        ("eig_min", F64),
        ("state_bytes", U64),
        ("lr", F64),
        ("refused", U64),
        ("non_finite_index", U64),
    ]


class Group(NamedTuple):
    """The parameters `start` to `stop - 1`, counted over the model from 0, with their own factors."""

    start: int
    stop: int
    lr_scale: float = 1.0
    """Factor on the learning rate, >= 0. 0 freezes the range: the gradient is not read and counts as zeros."""
    weight_decay_scale: float = 1.0
    """Factor on the weight decay, >= 0."""


class _Group(ctypes.Structure):
    """lmada_group_t, field by field."""

    _fields_ = [("offset", SIZE), ("len", SIZE), ("lr_scale", F64), ("weight_decay_scale", F64)]


class Handle:
    """See `Optimizer`."""

    _handle: Optional[int] = None

    def __init__(self, dim: Union[int, Sequence[int]], *, dtype: Any = np.float32, **options: "Unpack[Options]"):
        if not isinstance(dim, Iterable):
            dim = [unsigned(dim, "dim")]
            if dim == [0]:
                raise ValueError("an optimizer has at least one parameter, not 0")
        config = put(filled(), options)
        config.dtype = dtype_number(dtype)
        blocks = tuple(unsigned(length, "the length of a block") for length in dim)
        handle = POINTER()
        lengths = (SIZE * len(blocks))(*blocks)
        check(LIBRARY.lmada_create_blocks(ctypes.byref(config), lengths, len(blocks), ctypes.byref(handle)))
        self._adopt(handle.value, blocks)

    def _adopt(self, handle: Optional[int], blocks: Tuple[int, ...]) -> None:
        """Takes ownership of a handle."""
        self._handle = handle
        self._blocks = blocks
        self._dim = sum(blocks)
        number = self._config().dtype
        self._dtype = DTYPES[number]
        self._calls = F64_CALLS if number else F32_CALLS

    def _open(self) -> int:
        """The handle, for a call."""
        if self._handle is None:
            raise ValueError("this optimizer has been closed")
        return self._handle

    @property
    def dtype(self) -> "np.dtype[Any]":
        """float32 or float64, the type of parameters and gradients."""
        return self._dtype

    @property
    def blocks(self) -> Tuple[int, ...]:
        """The lengths of the blocks. Each block has its own preconditioner."""
        return self._blocks

    def __len__(self) -> int:
        """The number of parameters."""
        return self._dim

    @property
    def closed(self) -> bool:
        """Whether the memory has been released."""
        return self._handle is None

    def close(self) -> None:
        """Releases the memory. May be called more than once, but not while another thread uses the optimizer."""
        handle, self._handle = self._handle, None
        LIBRARY.lmada_free(handle)

    def __del__(self) -> None:
        # When the interpreter ends, the module may be gone before its objects.
        if self._handle is not None and LIBRARY is not None:
            self.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        # An optimizer whose creation failed is closed too, and has no other attributes.
        if self.closed:
            return f"<lmada.{type(self).__name__}: closed>"
        state = f"{self._dim} parameters"
        if len(self._blocks) != 1:
            state += f" in {len(self._blocks)} blocks"
        return f"<lmada.{type(self).__name__} of {self._dtype}: {state}>"

    def reset(self) -> None:
        """Forgets every gradient and average, like a new optimizer, and ends a step in phases. Keeps the options."""
        check(LIBRARY.lmada_reset(self._open()))

    def stats(self) -> Stats:
        """Statistics of the last step."""
        stats = _Stats()
        check(LIBRARY.lmada_stats(self._open(), ctypes.byref(stats), ctypes.sizeof(stats)))
        values: Dict[str, Any] = {name: getattr(stats, name) for name in Stats._fields}
        if values["non_finite_index"] == 2**64 - 1:
            values["non_finite_index"] = None
        return Stats(**values)

    def _config(self) -> Config:
        config = Config()
        check(LIBRARY.lmada_get_config(self._open(), ctypes.byref(config), ctypes.sizeof(config)))
        return config

    def config(self) -> Options:
        """The current value of every option, including the learning rate."""
        return to_python(self._config())

    def set_config(self, **options: "Unpack[Options]") -> None:
        """Sets options for the next steps. Other options keep their values.

        Options that determine the layout of the state cannot change: `history_size`, `history_format`, `density`,
        `momentum_kind`, whether `diagonal_beta` and `average_beta` are 0, and whether `clip_kind` is one of the clips
        by vectors.
        """
        check(LIBRARY.lmada_set_config(self._open(), ctypes.byref(put(self._config(), options))))

    def set_lr(self, lr: float) -> None:
        """Sets the learning rate of the next steps: >= 0, and `lr * weight_decay` at most 1."""
        check(LIBRARY.lmada_set_lr(self._open(), to_c("lr", lr)))

    def set_grad_scale(self, scale: float) -> None:
        """Sets the factor on the gradients of the next steps, the option `grad_scale`: >= 0."""
        check(LIBRARY.lmada_set_grad_scale(self._open(), to_c("grad_scale", scale)))

    def set_groups(self, groups: Iterable[Group]) -> None:
        """Replaces all parameter groups, for the next steps.

        The ranges must be disjoint. Parameters in no group have factors of 1. A saved state includes the groups, and
        `reset` keeps them. Groups take no time.
        """
        given: List[_Group] = []
        for start, stop, lr_scale, weight_decay_scale in groups:
            first, end = unsigned(start, "the start of a group"), unsigned(stop, "the stop of a group")
            length = unsigned(end - first, "the length of a group")
            given.append(_Group(first, length, lr_scale, weight_decay_scale))
        array = (_Group * len(given))(*given)
        check(LIBRARY.lmada_set_groups(self._open(), array, ctypes.sizeof(_Group), len(given)))


HandleType = TypeVar("HandleType", bound=Handle)


def adopted(kind: Type[HandleType], handle: Optional[int], blocks: Tuple[int, ...]) -> HandleType:
    """Makes an optimizer that owns an existing handle."""
    self = kind.__new__(kind)
    self._adopt(handle, blocks)
    return self


def memory(dim: int, *, dtype: Any = np.float32, **options: "Unpack[Options]") -> int:
    """The bytes that an optimizer for `dim` parameters would hold, without making one. Options as in `Optimizer`."""
    config, held = put(filled(), options), U64()
    config.dtype = dtype_number(dtype)
    check(LIBRARY.lmada_memory(ctypes.byref(config), unsigned(dim, "dim"), ctypes.byref(held)))
    return held.value

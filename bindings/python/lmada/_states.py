"""Saving and restoring an optimizer: as bytes, through a file, and with copy and pickle."""

from __future__ import annotations

import ctypes
import io
import struct
from typing import TYPE_CHECKING, Any, Callable, Iterable, Optional, Protocol, Sequence, Tuple, Type, TypeVar, Union

import numpy as np
import numpy.typing as npt

from ._errors import BadStateError, check
from ._handle import Handle, adopted
from ._library import CALLBACK, LIBRARY, POINTER, SIZE, unsigned

if TYPE_CHECKING:
    from typing_extensions import Self

# Types that hold the bytes of a state.
Bytes = Union[bytes, bytearray, memoryview]


OptimizerType = TypeVar("OptimizerType", bound="States")


class Writer(Protocol):
    """A file that is open for writing bytes, or a similar object."""

    def write(self, piece: memoryview, /) -> Any:
        """Takes the next bytes. Returns the number of bytes taken, or None for all."""


class Reader(Protocol):
    """A file that is open for reading bytes, or a similar object."""

    def read(self, count: int, /) -> Optional[bytes]:
        """The next `count` bytes. Fewer if there are fewer at the moment, none at the end."""


class States(Handle):
    """See `Optimizer`."""

    def save(self) -> bytes:
        """The complete state: window, averages, step count, learning rate, options, parameter groups, a checksum.

        A run that resumes from the state has the same bits as one that was never interrupted. `write` needs no second
        copy of the state in memory. Raises WrongPhaseError inside a step in phases.
        """
        return self._saved().tobytes()

    def _saved(self) -> "npt.NDArray[np.uint8]":
        size = SIZE()
        check(LIBRARY.lmada_state_size(self._open(), ctypes.byref(size)))
        state = np.empty(size.value, dtype=np.uint8)
        check(LIBRARY.lmada_state_save(self._open(), state.ctypes.data, state.size))
        return state

    def load(self, state: Bytes) -> None:
        """Replaces the current state with a saved one.

        The optimizer must have the type, lengths, `history_size`, `history_format`, `density`, `momentum_kind` and
        `clip_kind` of the state, and `diagonal_beta` and `average_beta` must be on or off as in the state. Other
        options may differ, and keep their values. The optimizer gets the state's learning rate and parameter groups.
        `load` checks everything before it changes anything. It raises BadStateError for damaged bytes,
        InvalidArgumentError or DimensionMismatchError for a state of another layout.
        """
        bytes_ = _of_state(state)
        check(LIBRARY.lmada_state_load(self._open(), bytes_.ctypes.data, bytes_.size))

    def load_shares(self, firsts: Union[int, Sequence[int]], states: Iterable[Bytes]) -> None:
        """Computes the state of this optimizer from states that several processes saved.

        Use it for a restart on another number of processes, or with other shares. `firsts[b]` is the number of
        parameters of block b that the states hold before this optimizer's share. With one block, `firsts` may be a
        number. In every block the shares of the states follow each other in the order of `states`. `states` are all
        states, or the consecutive ones that overlap this optimizer's shares. If `history_format` is not "full", old and
        new shares start at multiples of 4,096 parameters from the start of their block ("sparse"), or of 256 ("f16",
        "int8"). Raises the errors of `load`.
        """
        numbers = [firsts] if isinstance(firsts, (int, np.integer)) else list(firsts)
        if len(numbers) != len(self._blocks):
            raise ValueError(f"firsts has {len(numbers)} elements: this optimizer has {len(self._blocks)} blocks")
        starts = (SIZE * len(numbers))(*(unsigned(number, "an element of firsts") for number in numbers))
        kept = [_of_state(state) for state in states]
        pointers = (POINTER * len(kept))(*(state.ctypes.data for state in kept))
        sizes = (SIZE * len(kept))(*(state.size for state in kept))
        check(LIBRARY.lmada_state_load_shares(self._open(), starts, pointers, sizes, len(kept)))

    def write(self, file: Writer) -> None:
        """Writes the bytes of `save` to a file, piece by piece, without a second copy of the state in memory.

        Exceptions of the file reach the caller. The file then has an incomplete state: write to a new file, and rename
        the file after `write` has returned.
        """

        def move(address: int, count: int) -> None:
            # The file gets a copy of this small piece, since the library's memory is valid only during this call.
            _write_all(file, memoryview((ctypes.c_char * count).from_address(address).raw))

        _in_pieces(move, lambda callback: LIBRARY.lmada_state_write(self._open(), callback, None))

    @classmethod
    def read(cls, file: Reader) -> "Self":
        """Makes a new optimizer from a state of `write` or `save`, with the saved options.

        The optimizer continues with the same bits. `read` reads no byte after the state. Raises EOFError if the state
        is cut short, BadStateError if it is damaged, and the exceptions of the file.
        """
        head, handle = _Head(), POINTER()

        def move(address: int, count: int) -> None:
            piece = _read_all(file, count)
            head.take(piece)
            ctypes.memmove(address, piece, count)

        def create(callback: Any) -> int:
            status: int = LIBRARY.lmada_create_from_state(callback, None, ctypes.byref(handle))
            return status

        _in_pieces(move, create)
        try:
            blocks = head.blocks()
        except BaseException:
            LIBRARY.lmada_free(handle)
            raise
        return adopted(cls, handle.value, blocks)

    def __reduce__(self) -> Tuple[Any, ...]:
        return restored, (type(self), self.save())

    def __copy__(self) -> "Self":
        return restored(type(self), self.save())

    def __deepcopy__(self, _: Any) -> "Self":
        return self.__copy__()


def _of_state(state: Bytes) -> "npt.NDArray[np.uint8]":
    if not len(state):
        raise BadStateError("bad saved state: it is empty")
    return np.frombuffer(state, dtype=np.uint8)


class _Memory:
    """Bytes in memory as a file."""

    def __init__(self, state: Bytes):
        self._rest = memoryview(state).cast("B")

    def read(self, count: int) -> bytes:
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken.tobytes()


def restored(kind: Type[OptimizerType], state: Bytes) -> OptimizerType:
    """Makes an optimizer from a state in memory."""
    return kind.read(_Memory(state))


def _in_pieces(move: Callable[[int, int], None], call: Callable[[Any], int]) -> None:
    """Calls the library with a callback that calls `move(address, count)`, and raises the exception of `move`."""
    raised = []

    def callback(_: Any, address: int, count: int) -> int:
        try:
            move(address, count)
            return 0
        except BaseException as failure:  # an exception must not leave a function that C calls
            raised.append(failure)
            return 1

    status = call(CALLBACK(callback))
    if raised:
        raise raised[0]
    check(status)


def _write_all(file: Writer, piece: memoryview) -> None:
    """Writes all of a piece. A raw file may take a part of it at a time."""
    while len(piece):
        written = file.write(piece)
        # A raw file returns None if it took nothing.
        if written is None and not isinstance(file, io.RawIOBase):
            return
        if not written:
            raise OSError("the file took none of the bytes")
        piece = piece[written:]


def _read_all(file: Reader, count: int) -> bytes:
    """Reads `count` bytes. A raw file may return a part of them at a time."""
    found = bytearray()
    while len(found) < count:
        more = file.read(count - len(found))
        if not more:
            raise EOFError("the saved state is cut short")
        found += more
    if len(found) > count:
        raise ValueError("the file returned more bytes than requested")
    return bytes(found)


class _Head:
    """The first bytes of a state, up to the lengths of the blocks, which no function of the library returns.

    Call `blocks` only after the library has checked the complete state. The saved format:

        magic (8 bytes), version (4), number n of options (4), n options, steps, steps averaged, number of blocks,
        number of groups (8 bytes each), checksum (4), the length of each block (8 bytes each)
    """

    VERSION = 3

    def __init__(self) -> None:
        self._bytes, self._wanted = bytearray(), 16

    def _counts(self) -> int:
        """The position of the four numbers before the checksum."""
        return 16 + 8 * int(struct.unpack_from("<I", self._bytes, 12)[0])

    def _count(self) -> int:
        return int(struct.unpack_from("<Q", self._bytes, self._counts() + 16)[0])

    def take(self, piece: bytes) -> None:
        """Keeps the part of a piece that belongs to the head."""
        taken = 0
        while taken < len(piece) and len(self._bytes) < self._wanted:
            more = piece[taken : taken + self._wanted - len(self._bytes)]
            self._bytes += more
            taken += len(more)
            if len(self._bytes) < self._wanted:
                break
            if self._wanted == 16:
                self._wanted = self._counts() + 32
            elif self._wanted == self._counts() + 32:
                self._wanted += 4 + 8 * self._count()

    def blocks(self) -> Tuple[int, ...]:
        """The lengths of the blocks."""
        if struct.unpack_from("<I", self._bytes, 8)[0] != self.VERSION:
            raise NotImplementedError("this state has a newer format than this package knows: update the package lmada")
        return struct.unpack_from(f"<{self._count()}Q", self._bytes, self._counts() + 36)

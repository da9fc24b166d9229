"""The addresses of NumPy arrays. The package neither converts nor copies arrays."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Tuple, Union

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
# One array, or a list of the arrays of a model. None in a list of gradients: the step does not change that array.
Arrays = Union[Array, Sequence[Array]]
Gradients = Union[Array, Sequence[Optional[Array]]]

BF16 = np.dtype(np.uint16)


def address(array: Any, dtype: "np.dtype[Any]", name: str, writes: bool = False) -> int:
    """The address of the first element of an array that is of this type and contiguous in memory."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} has to be a NumPy array, not {type(array).__name__}")
    if array.dtype != dtype:
        what = "uint16, the bits of bfloat16 numbers" if dtype == BF16 else dtype
        raise TypeError(f"{name} has to be of {what}, not of {array.dtype}")
    if not array.flags.forc:
        raise ValueError(f"{name} has to be contiguous in memory")
    if writes and not array.flags.writeable:
        raise ValueError(f"{name} is read-only")
    return int(array.ctypes.data)


def same_layout(first: Array, second: Array, names: str) -> None:
    """Refuses two contiguous arrays unless elements with the same index have the same position in memory."""
    if first.shape != second.shape:
        raise ValueError(f"{names} have shapes {first.shape} and {second.shape}")
    a, b = first.flags, second.flags
    if not (a.c_contiguous and b.c_contiguous or a.f_contiguous and b.f_contiguous):
        raise ValueError(f"{names} have different memory orders: one by rows (C), the other by columns (Fortran)")


def addresses(arrays: Sequence[Any], dtype: "np.dtype[Any]", name: str, writes: bool = False) -> Array:
    """The addresses of several arrays. None, allowed only where arrays are read, becomes 0."""
    found = [
        0 if array is None and not writes else address(array, dtype, f"{name}[{number}]", writes)
        for number, array in enumerate(arrays)
    ]
    return np.array(found, dtype=np.uintp)


def matched(
    params: Sequence[Array], grads: Sequence[Optional[Array]], dtype: "np.dtype[Any]"
) -> Tuple[Array, Array, Array]:
    """The addresses of parameters and gradients, and the lengths."""
    if len(params) != len(grads):
        raise ValueError(f"there are {len(params)} arrays of parameters and {len(grads)} of gradients")
    to, of = addresses(params, dtype, "params", writes=True), addresses(grads, dtype, "grads")
    for number, (array, gradient) in enumerate(zip(params, grads)):
        if gradient is not None:
            same_layout(array, gradient, f"params[{number}] and grads[{number}]")
    return to, of, np.array([array.size for array in params], dtype=np.uintp)

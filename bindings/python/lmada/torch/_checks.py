"""Checks of long lists of tensors, in one call each where PyTorch has such a call.

A step gets its tensors by address, so it has to know that they still lie where they were and are still of the shape and
type that they were. In Python that is a loop over the tensors. Newer versions of PyTorch have both checks in C++, for
their compiler. These functions are not documented, so any error in them leads to the loops.
"""

from __future__ import annotations

from typing import Any, Callable, List, Sequence

import torch

data_ptr = torch.Tensor.data_ptr
_compiled: Any = vars(torch)["_C"]


def _compiled_addresses() -> Any:
    """PyTorch's own comparison of addresses; None where this version has none that works as expected."""
    try:
        same: Any = _compiled._tensors_data_ptrs_at_indices_equal
        pair = [torch.zeros(1), torch.zeros(1)]
        right = [tensor.data_ptr() for tensor in pair]
        if same(pair, right, [0, 1]) is True and same(pair, [right[0], right[1] + 4], [0, 1]) is False:
            return same
    except (AttributeError, TypeError, ValueError, RuntimeError):
        pass
    return None


_SAME_ADDRESSES = _compiled_addresses()


def same_addresses(tensors: List[torch.Tensor], addresses: List[int], numbers: List[int]) -> bool:
    """Whether tensors lie at these addresses. `numbers` is `[0, 1, ...]`, as many as there are tensors."""
    if _SAME_ADDRESSES is not None:
        return bool(_SAME_ADDRESSES(tensors, addresses, numbers))
    return list(map(data_ptr, tensors)) == addresses


def layout_check(like: Sequence[torch.Tensor]) -> Callable[[Sequence[torch.Tensor]], bool]:
    """A function that tells whether tensors have the types, devices, shapes and strides of these, one by one.

    It may raise TypeError or AttributeError for an object that is no tensor.
    """
    try:
        from torch._C._dynamo.guards import TensorGuards  # type: ignore[import-not-found, unused-ignore]

        guards = TensorGuards(*like, dynamic_dims_sizes=None, dynamic_dims_strides=None)
        halves = [torch.zeros_like(tensor, dtype=torch.float16) for tensor in like[:1]]
        if guards.check(*like) and not (halves and guards.check(*halves, *like[1:])):
            return lambda tensors: bool(guards.check(*tensors))
    except (ImportError, AttributeError, TypeError, ValueError, RuntimeError):
        pass
    shapes = [(tensor.dtype, tensor.device, tensor.shape, tensor.stride()) for tensor in like]
    return lambda tensors: all(
        tensor.layout == torch.strided
        and (tensor.dtype, tensor.device, tensor.shape, tensor.stride()) == shape
        and not (tensor.is_conj() or tensor.is_neg())
        for tensor, shape in zip(tensors, shapes)
    )


def count_change(params: List[torch.Tensor]) -> None:
    """Tells autograd that parameters have changed: a graph that still needs their old values then refuses to run."""
    many: Any = getattr(_compiled, "_increment_version", None)
    if many is None:
        # Parts of length 0 share the counters of their parameters.
        torch._foreach_zero_([param.detach().as_strided((0,), (1,)) for param in params])
        return
    try:
        many(params)
    except TypeError:  # of some versions it takes one tensor
        for param in params:
            many(param)

"""Checks of long lists of tensors, with one call for a list if PyTorch has such a call.

A step uses the addresses of tensors from the last step, so it has to check that addresses, shapes and types have not
changed. In Python these checks are loops over the tensors. Newer versions of PyTorch have both checks in C++, for their
compiler. These functions are not documented, so after any error in them this module uses the loops.
"""

from __future__ import annotations

from typing import Any, Callable, List, Sequence

import torch

data_ptr = torch.Tensor.data_ptr
_compiled: Any = vars(torch)["_C"]


def _compiled_addresses() -> Any:
    """PyTorch's comparison of addresses. None if this version has no such function that works as expected."""
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
    """Whether tensors have these addresses. `numbers` is `[0, 1, ...]`, with one number for each tensor."""
    if _SAME_ADDRESSES is not None:
        return bool(_SAME_ADDRESSES(tensors, addresses, numbers))
    return list(map(data_ptr, tensors)) == addresses


def layout_check(like: Sequence[torch.Tensor]) -> Callable[[Sequence[torch.Tensor]], bool]:
    """Returns a function that checks whether tensors have the types, devices, shapes and strides of `like`.

    The function may raise TypeError or AttributeError for an object that is not a tensor.
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
    """Tells autograd that parameters have changed. A graph that still needs the old values then refuses to run."""
    many: Any = getattr(_compiled, "_increment_version", None)
    if many is None:
        # Views of length 0 share the version counters of their parameters.
        torch._foreach_zero_([param.detach().as_strided((0,), (1,)) for param in params])
        return
    try:
        many(params)
    except TypeError:  # in some versions the function takes one tensor
        for param in params:
            many(param)

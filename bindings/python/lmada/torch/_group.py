"""The parameters of a group: their addresses, the optimizer that moves them, and their float32 masters."""

from __future__ import annotations

import warnings
from array import array
from operator import attrgetter, itemgetter
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import torch

from .._errors import check
from .._handle import Group
from .._library import LIBRARY
from .._optimizer import Optimizer
from .._options import NAMES
from .._states import restored
from ._checks import count_change, data_ptr, layout_check, same_addresses

# The keys of the state in an entry of `param_groups` of a state dict. The other keys are options.
STATE, MASTERS = "lmada_state", "lmada_masters"

# The options that each step compares, besides the learning rate.
OTHERS = tuple(name for name in NAMES if name != "lr")
_others = itemgetter(*OTHERS)
_grad = attrgetter("grad")

_ELEMENTS = {
    torch.float32: (np.float32, 1),
    torch.float64: (np.float64, 1),
    torch.bfloat16: (np.float32, 1),
    torch.complex64: (np.float32, 2),
    torch.complex128: (np.float64, 2),
}


def is_dense(tensor: torch.Tensor) -> bool:
    """Whether the elements have no gaps between them in memory, in any order."""
    if not tensor.numel():
        return True
    expected = 1
    for stride, size in sorted((stride, size) for stride, size in zip(tensor.stride(), tensor.shape) if size != 1):
        if stride != expected:
            return False
        expected *= size
    return True


def _where(number: int, tensor: torch.Tensor) -> str:
    return f"parameter {number} of the group (of shape {tuple(tensor.shape)})"


def dtype_of(params: List[torch.Tensor]) -> torch.dtype:
    """Returns the type of the parameters of a group. Raises ValueError if one of them is not supported."""
    for number, param in enumerate(params):
        if param.device.type != "cpu":
            raise ValueError(f"LMAdagrad steps tensors of the CPU: {_where(number, param)} is on {param.device}")
        if param.layout != torch.strided:
            raise ValueError(f"LMAdagrad steps dense tensors: {_where(number, param)} is {param.layout}")
        if param.dtype not in _ELEMENTS:
            raise ValueError(
                f"LMAdagrad steps float32, float64, bfloat16, complex64 and complex128: {_where(number, param)} is "
                f"{param.dtype}"
            )
        if param.dtype != params[0].dtype:
            raise ValueError(
                f"the parameters of a group are of one type: {_where(number, param)} is {param.dtype}, those before it "
                f"{params[0].dtype}. Give each type a group of its own"
            )
    dtype: torch.dtype = params[0].dtype
    return dtype


class ParamGroup:
    """One handle of the library over all parameters of a group, in place.

    bfloat16 parameters have float32 master copies in one array of the group's length. The library moves the masters;
    the parameters are the rounded masters. Complex parameters are pairs of real numbers.
    """

    def __init__(self, entry: Dict[str, Any], optimizer: Optional[Optimizer] = None):
        self.params: List[torch.Tensor] = entry["params"]
        self.dtype = dtype_of(self.params) if self.params else torch.float32
        element, numbers = _ELEMENTS[self.dtype]
        self.lengths = [param.numel() * numbers for param in self.params]
        dim = sum(self.lengths)
        if optimizer is None:
            optimizer = Optimizer([dim], dtype=element, **options_of(entry))
        elif (len(optimizer), optimizer.dtype) != (dim, np.dtype(element)):
            raise ValueError(
                f"the saved state is one of {len(optimizer)} parameters of {optimizer.dtype}, the group has {dim} of "
                f"{np.dtype(element)}"
            )
        self.optimizer = optimizer
        self._options: Any = float(entry["lr"]), _others(entry)
        self._scale = 1.0
        self._missing: Optional[Tuple[int, ...]] = ()
        self._warned = False
        self._locate()
        self.masters: Optional[torch.Tensor] = None
        if self.dtype == torch.bfloat16:
            self._refuse_gaps()
            self.masters = torch.cat([in_memory_order(param).float() for param in self.params])

    @classmethod
    def restored(cls, entry: Dict[str, Any]) -> "ParamGroup":
        """Makes a group from an entry of a state dict, and removes the state from the entry."""
        if STATE not in entry:
            raise ValueError("this is no state dict of an LMAdagrad: a group has no " + STATE)
        # The bytes may have been converted to another number type.
        state = entry.pop(STATE).to(device="cpu", dtype=torch.uint8).contiguous().numpy().data
        masters = entry.pop(MASTERS, None)
        group = cls(entry, restored(Optimizer, state))
        if group.masters is not None:
            if masters is None or masters.numel() != group.masters.numel():
                raise ValueError("the state dict is not one of these bfloat16 parameters: it lacks their " + MASTERS)
            group.masters.copy_(masters)
        # The options in the state may be older than those in the entry. The next step sets the options of the entry.
        group._options, group._missing = (None, None), None
        return group

    def save_into(self, entry: Dict[str, Any]) -> None:
        """Adds the state to an entry of a state dict."""
        entry[STATE] = torch.from_numpy(self.optimizer._saved())
        if self.masters is not None:
            entry[MASTERS] = self.masters.clone()

    @staticmethod
    def forget(entry: Dict[str, Any]) -> None:
        """Removes the state from an entry."""
        entry.pop(STATE, None)
        entry.pop(MASTERS, None)

    def take_params(self, params: List[torch.Tensor]) -> None:
        """Uses the parameters of the entry, which may be in a new list."""
        if len(params) != len(self.lengths):
            raise ValueError("the number of parameters in a group has changed: add parameters with add_param_group")
        if params is not self.params:
            self.params = params
            self._locate()

    def _locate(self) -> None:
        """Finds the addresses of the parameters, at the start and after they have moved."""
        if self.params and dtype_of(self.params) != self.dtype:
            raise ValueError(f"the parameters of the group were {self.dtype} and are now {self.params[0].dtype}")
        numbers = _ELEMENTS[self.dtype][1]
        for number, (param, length) in enumerate(zip(self.params, self.lengths)):
            if param.numel() * numbers != length:
                raise ValueError(f"{_where(number, param)} has changed its number of elements: add a new group")
        self._numbers = list(range(len(self.params)))
        self._addresses = list(map(data_ptr, self.params))
        # These tensors keep the memory alive, so that no other tensor, perhaps of another size, gets such an address.
        self._held = [param.detach() for param in self.params]
        self._gapped = [n for n, param in enumerate(self.params) if not is_dense(param)]
        self._param_list = array("Q", self._addresses)
        self._length_list = array("Q", self.lengths)
        self._grad_addresses: List[int] = [0] * len(self.params)
        self._grad_list = array("Q", self._grad_addresses)
        self._grad_matches = layout_check([torch.empty_like(param.detach()) for param in self.params])

    def set_options(self, entry: Dict[str, Any], scale: float) -> None:
        """Sets the options of the entry. Also multiplies gradients by `scale`."""
        lr, others = float(entry["lr"]), _others(entry)
        if others != self._options[1]:
            self.optimizer.set_config(**options_of(entry))
            self._scale = 1.0
        elif lr != self._options[0]:
            self.optimizer.set_lr(lr)
        self._options = lr, others
        if scale != self._scale:
            self.optimizer.set_grad_scale(entry["grad_scale"] * scale)
            self._scale = scale

    def step(self, maximize: bool) -> None:
        """Steps all parameters that have a gradient. Takes no step if no parameter has one."""
        params = self.params
        if not params:
            return
        if not same_addresses(params, self._addresses, self._numbers):
            self._locate()
        grads: List[Any] = list(map(_grad, params))
        try:
            plain = self._grad_matches(grads) and not maximize and not self._gapped and self.masters is None
        except (TypeError, AttributeError):
            plain = False
        if plain:
            if not same_addresses(grads, self._grad_addresses, self._numbers):
                self._grad_addresses = list(map(data_ptr, grads))
                self._grad_list = array("Q", self._grad_addresses)
            self._call(self._param_list, self._grad_list)
            count_change(params)
        elif any(grad is not None for grad in grads):
            self._step_with_copies([self._aligned(number, grad, maximize) for number, grad in enumerate(grads)])
            count_change([param for param, grad in zip(params, grads) if grad is not None])

    def _call(self, params: "array[int]", grads: "array[int]") -> None:
        opt = self.optimizer
        status = opt._calls.step_tensors(
            opt._open(),
            params.buffer_info()[0],
            grads.buffer_info()[0],
            self._length_list.buffer_info()[0],
            len(self.lengths),
        )
        if status:
            check(status)

    def _aligned(self, number: int, grad: Optional[torch.Tensor], maximize: bool) -> Optional[torch.Tensor]:
        """The gradient with the memory layout of its parameter: a copy if the layouts differ."""
        if grad is None:
            return None
        param = self.params[number]
        if grad.layout != torch.strided:
            raise RuntimeError(f"LMAdagrad does not support sparse gradients: {_where(number, param)} has one")
        if grad.device.type != "cpu" or grad.shape != param.shape:
            raise RuntimeError(f"the gradient of {_where(number, param)} is on {grad.device}, of {tuple(grad.shape)}")
        grad = grad.detach()
        if maximize:
            grad = -grad
        if grad.dtype != param.dtype or grad.stride() != param.stride() or not is_dense(param):
            # If the parameter is not dense, this tensor is contiguous, like the copy of the parameter.
            aligned = torch.empty_like(param.detach())
            grad = aligned.copy_(grad)
        plain: torch.Tensor = grad.resolve_conj().resolve_neg()
        return plain

    def _step_with_copies(self, grads: List[Optional[torch.Tensor]]) -> None:
        """A step with missing or copied gradients, or with parameters that the library cannot move in place."""
        if self.masters is not None:
            self._step_bf16(grads)
        else:
            targets = [param.detach() for param in self.params]
            for number in self._gapped:
                self._warn(number)
                targets[number] = torch.empty_like(targets[number], memory_format=torch.contiguous_format).copy_(
                    targets[number]
                )
                gradient = grads[number]
                grads[number] = None if gradient is None else gradient.contiguous()
            self._call(
                array("Q", map(data_ptr, targets)),
                array("Q", (0 if grad is None else grad.data_ptr() for grad in grads)),
            )
            for number in self._gapped:
                self.params[number].detach().copy_(targets[number])

    def _warn(self, number: int) -> None:
        if not self._warned:
            self._warned = True
            what = _where(number, self.params[number])
            warnings.warn(f"{what} is not contiguous in memory: each step copies it to an array and back", stacklevel=6)

    def _refuse_gaps(self) -> None:
        for number in self._gapped:
            where = _where(number, self.params[number])
            raise ValueError(f"{where} is not contiguous in memory, as bfloat16 parameters must be")

    def _step_bf16(self, grads: List[Optional[torch.Tensor]]) -> None:
        """A step in phases, one tensor after the other. Reads gradients and writes parameters in place."""
        self._refuse_gaps()
        masters = self._current_masters()
        opt = self.optimizer
        self._freeze(tuple(number for number, grad in enumerate(grads) if grad is None))
        # The library does not read the gradient of a frozen parameter.
        blank = torch.zeros(max(self.lengths, default=0), dtype=torch.bfloat16)
        of = [blank.data_ptr() if grad is None else grad.data_ptr() for grad in grads]
        handle, offset, pieces = opt._open(), 0, []
        for param, address, length in zip(self.params, of, self.lengths):
            pieces.append((offset, masters.data_ptr() + 4 * offset, param.data_ptr(), address, length))
            offset += length
        opt.begin()
        try:
            for start, _, _, address, length in pieces:
                check(LIBRARY.lmada_feed_bf16(handle, start, address, length))
            opt.solve()
        except BaseException:
            opt.cancel()
            raise
        for number, (start, master, copy, address, length) in enumerate(pieces):
            written = None if grads[number] is None else copy
            check(LIBRARY.lmada_apply_bf16(handle, start, master, written, address, length))
        opt.end()

    def _current_masters(self) -> torch.Tensor:
        """The masters. If the program has changed a parameter since the last step, updates its master."""
        masters, offset = self.masters, 0
        assert masters is not None
        for param, length in zip(self.params, self.lengths):
            now, master = in_memory_order(param), masters[offset : offset + length]
            changed = master.to(torch.bfloat16) != now
            if changed.any():
                torch.where(changed, now.float(), master, out=master)
            offset += length
        return masters

    def _freeze(self, missing: Tuple[int, ...]) -> None:
        """Freezes the parameters whose gradients are missing in this step."""
        if missing == self._missing:
            return
        starts = np.cumsum([0, *self.lengths])
        self.optimizer.set_groups(
            Group(int(starts[number]), int(starts[number + 1]), lr_scale=0.0) for number in missing
        )
        self._missing = missing

    def averaged_params(self) -> List[torch.Tensor]:
        """See `LMAdagrad.averaged_params`."""
        flat, offset, found = torch.from_numpy(self.optimizer.averaged_params()), 0, []
        for param, length in zip(self.params, self.lengths):
            piece = flat[offset : offset + length]
            offset += length
            if param.is_complex():
                piece = torch.view_as_complex(piece.view(-1, 2))
            like = param.detach()
            # The elements are in the memory order of the parameter.
            strides = like.stride() if is_dense(like) else torch.empty_like(like).stride()
            found.append(piece.as_strided(like.shape, strides))
        return found


def in_memory_order(param: torch.Tensor) -> torch.Tensor:
    """The elements of a dense tensor in memory order."""
    flat: torch.Tensor = param.detach().as_strided((param.numel(),), (1,))
    return flat


def options_of(entry: Dict[str, Any]) -> Any:
    """The library's options among the entries of a group."""
    return {name: float(entry[name]) if name == "lr" else entry[name] for name in NAMES}

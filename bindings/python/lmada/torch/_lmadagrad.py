"""LMAdagrad, a `torch.optim.Optimizer`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Union

import torch
import torch.optim.optimizer as _optimizer

from .._handle import Stats
from .._options import defaults, filled, put
from ._group import ParamGroup

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._options import Options


# Older versions of PyTorch lack some of the names below. With type Any, type checkers accept them.
_base: Any = _optimizer
_autograd: Any = torch.autograd


class LMAdagrad(torch.optim.Optimizer):
    """Limited-memory full-matrix Adagrad for the parameters of a PyTorch model.

        optimizer = lmada.torch.LMAdagrad(model.parameters(), lr=0.01)

    `params` is an iterable of tensors or of groups, as for any optimizer of PyTorch: float32, float64, bfloat16,
    complex64 or complex128, on the CPU, with one type in a group. `lr` and the keywords are the options of
    `lmada.Optimizer`, with the same defaults. `**lmada.recommended()` gives the options that trained best in the
    library's own measurements. `maximize` moves the parameters uphill.

    A group is one optimizer of the library over all its parameters, which a step moves in place. The optimizer sees how
    all of them vary together, and takes about `history_size` numbers a parameter. Each group has its own window, and
    may have its own options. Put parameters that should be preconditioned together into one group.

    - A step does not change a parameter whose gradient is None; the gradient counts as zeros in the window. A group
      without any gradient takes no step.
    - Options in `param_groups` may change between steps, for example by a scheduler. A change of options that determine
      the layout of the state (see `lmada.Optimizer.set_config`) raises InvalidArgumentError in the next step.
    - `state_dict()` holds the complete state. A run that loads the state dict continues with the same bits.
      `torch.save` can save it, and `torch.load` with `weights_only` can load it.
    - A gradient with a NaN or infinity raises NonFiniteError, and its group has not changed. (Groups before it have
      stepped.) With a `GradScaler` such steps are skipped, and gradients are unscaled without a pass over memory.
    - bfloat16 parameters have float32 masters, which are part of the state. If the program changes a parameter, the
      next step updates its master.

    Raises ValueError for tensors that are not supported, InvalidArgumentError (a ValueError) for options out of range,
    and TypeError for unknown options.
    """

    # With this attribute, a GradScaler sets `grad_scale` and `found_inf`, both tensors, during a step.
    _step_supports_amp_scaling = True

    def __init__(  # type: ignore[misc]  # `lr` is a name of Options too
        self,
        params: Any,
        lr: Union[float, torch.Tensor] = 1e-2,
        *,
        maximize: bool = False,
        **options: "Unpack[Options]",
    ):
        if isinstance(lr, torch.Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        given: Dict[str, Any] = {**options, "lr": float(lr)}
        put(filled(), given)  # refuses unknown options
        self._groups: List[ParamGroup] = []
        super().__init__(params, {**defaults(), **given, "lr": lr, "maximize": maximize})

    def add_param_group(self, param_group: Dict[str, Any]) -> None:
        """Adds a group: a dict with "params" and the options that differ from those of the optimizer."""
        super().add_param_group(param_group)
        try:
            self._groups.append(ParamGroup(self.param_groups[-1]))
        except BaseException:
            self.param_groups.pop()
            raise

    def step(self, closure: Optional[Callable[[], Any]] = None) -> Any:  # type: ignore[override]
        """Takes one step. Calls `closure` once to compute the loss and its gradients, and returns the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        found_inf, grad_scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        if found_inf is not None and float(found_inf) > 0:
            return loss
        scale = 1.0 if grad_scale is None else 1.0 / float(grad_scale)
        if len(self.param_groups) != len(self._groups):
            raise ValueError("the number of groups in param_groups has changed: add groups with add_param_group")
        for entry, group in zip(self.param_groups, self._groups):
            group.take_params(entry["params"])
            group.set_options(entry, scale)
        # No group steps before the parameters and options of all groups are checked.
        for entry, group in zip(self.param_groups, self._groups):
            group.step(entry["maximize"])
        return loss

    def _is_watched(self) -> bool:
        """Whether there are step hooks or a profiler."""
        its: Any = self
        return bool(
            its._optimizer_step_pre_hooks
            or its._optimizer_step_post_hooks
            or _base._global_optimizer_pre_hooks
            or _base._global_optimizer_post_hooks
            or _autograd._profiler_enabled()
        )

    def stats(self) -> List[Stats]:
        """Statistics of the last step of each group."""
        return [group.optimizer.stats() for group in self._groups]

    def averaged_params(self) -> List[List[torch.Tensor]]:
        """The average of the parameters over the steps, as new tensors, for each group. Needs `average_beta`.

        For bfloat16 parameters it is the average of the float32 masters.
        """
        return [group.averaged_params() for group in self._groups]

    def state_dict(self) -> Dict[str, Any]:
        """The options of each group and its complete state, as tensors of bytes."""
        # The entries hold the states during this call, so that hooks of state dicts see the states.
        for entry, group in zip(self.param_groups, self._groups):
            group.save_into(entry)
        try:
            return super().state_dict()
        finally:
            for entry, group in zip(self.param_groups, self._groups):
                group.forget(entry)

    def __getstate__(self) -> Dict[str, Any]:
        state: Any = super().__getstate__()  # type: ignore[misc, unused-ignore]
        state["param_groups"] = [dict(entry) for entry in self.param_groups]
        for entry, group in zip(state["param_groups"], self._groups):
            group.save_into(entry)
        return dict(state)

    def __setstate__(self, state: Dict[str, Any]) -> None:
        # `load_state_dict` calls this function too. A refused state must change nothing.
        for entry in state["param_groups"]:
            for name, value in state.get("defaults", getattr(self, "defaults", {})).items():
                entry.setdefault(name, value)
        groups = [ParamGroup.restored(entry) for entry in state["param_groups"]]
        super().__setstate__(state)
        self._groups = groups


def _skip_wrapper() -> None:
    """Skips PyTorch's wrapper of a step if there are no hooks and no profiler."""
    wrapped = _base.Optimizer.profile_hook_step(LMAdagrad.step)
    plain = LMAdagrad.step

    @functools.wraps(plain)
    def step(self: LMAdagrad, closure: Optional[Callable[[], Any]] = None) -> Any:
        return wrapped(self, closure) if self._is_watched() else plain(self, closure)

    # Without this attribute, PyTorch would wrap the step.
    step.hooked = True  # type: ignore[attr-defined]
    LMAdagrad.step = step  # type: ignore[method-assign]


if hasattr(_base.Optimizer, "profile_hook_step") and hasattr(_base, "_global_optimizer_pre_hooks"):
    _skip_wrapper()

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


# Older versions of PyTorch lack some of the names below; as Any they are no errors for type checkers.
_base: Any = _optimizer
_autograd: Any = torch.autograd


class LMAdagrad(torch.optim.Optimizer):
    """Limited-memory full-matrix Adagrad for the parameters of a PyTorch model.

        optimizer = lmada.torch.LMAdagrad(model.parameters(), lr=0.01)

    `params` is an iterable of tensors or of groups, as for any optimizer of PyTorch: float32, float64, bfloat16,
    complex64 or complex128, on the CPU, of one type a group. `lr` and the keywords are the options of
    `lmada.Optimizer`, with the same defaults; `**lmada.recommended()` gives those that trained best in the library's
    own measurements. `maximize` moves the parameters uphill.

    A group is one optimizer of the library over all its parameters, which are moved where they lie: it sees how all of
    them vary together, and takes about `history_size` numbers a parameter. Each group may have options of its own, and
    has a window of its own; so put parameters that are to be preconditioned together into one group.

    - A parameter whose gradient is None is left alone in that step; its gradient counts as zeros in the window. A group
      without any gradient takes no step.
    - Options in `param_groups` may be changed between steps, by a scheduler for example; those that fix the shape of
      the state (see `lmada.Optimizer.set_config`) raise InvalidArgumentError in the next step.
    - `state_dict()` holds the whole state; a run that loads it goes on with the same bits. It may be saved by
      `torch.save`, and loaded with `weights_only`.
    - A gradient with a NaN or infinity raises NonFiniteError: its group has not changed. (Groups before it have
      stepped.) With a `GradScaler` such steps are skipped, and gradients are unscaled without a pass over memory.
    - bfloat16 parameters have float32 masters, which are a part of the state. A parameter that was changed by hand
      replaces its master in the next step.

    Raises ValueError for tensors that it cannot step, InvalidArgumentError (a ValueError) for options out of range, and
    TypeError for options that do not exist.
    """

    # A GradScaler then sets `grad_scale` and `found_inf`, both tensors, for the time of a step.
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
        put(filled(), given)  # refuses names that are no options
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
        """One step. `closure`, called once, computes the loss and its gradients anew; the step returns that loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        found_inf, grad_scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        if found_inf is not None and float(found_inf) > 0:
            return loss
        scale = 1.0 if grad_scale is None else 1.0 / float(grad_scale)
        if len(self.param_groups) != len(self._groups):
            raise ValueError("param_groups has other groups than it had: add groups by add_param_group")
        for entry, group in zip(self.param_groups, self._groups):
            group.take_params(entry["params"])
            group.set_options(entry, scale)
        # No group steps before the parameters and options of all groups have been taken.
        for entry, group in zip(self.param_groups, self._groups):
            group.step(entry["maximize"])
        return loss

    def _is_watched(self) -> bool:
        """Whether there are hooks of steps, or a profiler."""
        its: Any = self
        return bool(
            its._optimizer_step_pre_hooks
            or its._optimizer_step_post_hooks
            or _base._global_optimizer_pre_hooks
            or _base._global_optimizer_post_hooks
            or _autograd._profiler_enabled()
        )

    def stats(self) -> List[Stats]:
        """What the last step of each group looked like."""
        return [group.optimizer.stats() for group in self._groups]

    def averaged_params(self) -> List[List[torch.Tensor]]:
        """With the option `average_beta`: the average of the parameters over the steps, as new tensors, for each group.

        Of bfloat16 parameters it is that of the float32 masters.
        """
        return [group.averaged_params() for group in self._groups]

    def state_dict(self) -> Dict[str, Any]:
        """The options of each group and its whole state, as tensors of bytes."""
        # For the time of the call, so that hooks of state dicts see the states.
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
        # `load_state_dict` calls this too. A state that is refused has changed nothing.
        for entry in state["param_groups"]:
            for name, value in state.get("defaults", getattr(self, "defaults", {})).items():
                entry.setdefault(name, value)
        groups = [ParamGroup.restored(entry) for entry in state["param_groups"]]
        super().__setstate__(state)
        self._groups = groups


def _skip_wrapper() -> None:
    """Leaves out PyTorch's wrapper of a step where there are no hooks and no profiler."""
    wrapped = _base.Optimizer.profile_hook_step(LMAdagrad.step)
    plain = LMAdagrad.step

    @functools.wraps(plain)
    def step(self: LMAdagrad, closure: Optional[Callable[[], Any]] = None) -> Any:
        return wrapped(self, closure) if self._is_watched() else plain(self, closure)

    # PyTorch would wrap a step without this attribute.
    step.hooked = True  # type: ignore[attr-defined]
    LMAdagrad.step = step  # type: ignore[method-assign]


if hasattr(_base.Optimizer, "profile_hook_step") and hasattr(_base, "_global_optimizer_pre_hooks"):
    _skip_wrapper()

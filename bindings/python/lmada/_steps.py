"""Steps in one call, and `observe` and `precondition` for the caller's own update rules."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy as np

from ._arrays import BF16, Array, Arrays, Gradients, address, addresses, matched, same_layout
from ._errors import check
from ._handle import Handle
from ._library import LIBRARY


class Steps(Handle):
    """See `Optimizer`."""

    def step(self, params: Arrays, grads: Gradients) -> None:
        """Takes one step: stores the gradient in the window and moves the parameters, in place.

        `params` and `grads` are arrays of the optimizer's type and of the same shape, with `len(self)` elements; or
        lists of the arrays of the model, one after the other, with `len(self)` elements together. In a list of
        gradients, None counts as zeros, and its parameters do not move. Arrays are contiguous in memory. `step` copies
        no array.

        A step that raises has changed nothing. Raises NonFiniteError if the gradient or the update is not finite,
        DimensionMismatchError for another length, InvalidArgumentError if arrays overlap, WrongPhaseError inside a step
        in phases, and TypeError or ValueError for arrays of another type, shape or layout.
        """
        if isinstance(params, np.ndarray):
            if not isinstance(grads, np.ndarray):
                raise TypeError(f"grads has to be one array, as params is, not {type(grads).__name__}")
            to = address(params, self._dtype, "params", writes=True)
            of = address(grads, self._dtype, "grads")
            same_layout(params, grads, "params and grads")
            check(self._calls.step(self._open(), to, of, params.size))
            return
        if isinstance(grads, np.ndarray):
            raise TypeError("grads has to be a list of arrays, as params is")
        tensors, gradients, lengths = matched(params, grads, self._dtype)
        check(
            self._calls.step_tensors(
                self._open(), tensors.ctypes.data, gradients.ctypes.data, lengths.ctypes.data, len(tensors)
            )
        )

    def step_bf16(self, params: Array, grads: Array, params_bf16: Optional[Array] = None) -> None:
        """`step` with the gradient in bfloat16: an array of uint16 that holds the upper halves of float32 numbers.

        The optimizer and `params` are float32. `step_bf16` writes the moved parameters to `params_bf16`, an array of
        uint16, rounded to nearest, ties to even. The arrays must not overlap.
        """
        to, copy, of = self._bf16(params, grads, params_bf16)
        check(LIBRARY.lmada_step_bf16(self._open(), to, copy, of, params.size))

    def _bf16(self, params: Array, grads: Array, params_bf16: Optional[Array]) -> "tuple[int, Optional[int], int]":
        to, of = address(params, np.dtype(np.float32), "params", writes=True), address(grads, BF16, "grads")
        same_layout(params, grads, "params and grads")
        if params_bf16 is None:
            return to, None, of
        copy = address(params_bf16, BF16, "params_bf16", writes=True)
        same_layout(params, params_bf16, "params and params_bf16")
        return to, copy, of

    def direction(self, grads: Array, out: Optional[Array] = None) -> Array:
        """Stores the gradient, writes the direction to `out` or to a new array, and returns this array.

        The direction is the vector that `step` would multiply by the learning rate and subtract, without weight decay.
        Raises the errors of `step`, and InvalidArgumentError with `average_beta`, since the library does not see the
        parameters.
        """
        return self._map(self._calls.direction, grads, out, "grads")

    def observe(self, grads: Array) -> None:
        """Stores the gradient in the window without moving parameters. The step counts.

        Use it with `precondition` for your own update rules. Raises the errors of `step`.
        """
        check(self._calls.observe(self._open(), address(grads, self._dtype, "grads"), grads.size))

    def precondition(self, v: Array, out: Optional[Array] = None) -> Array:
        """Preconditions a vector with the current window, into `out` or a new array, and returns this array.

        The state does not change. For the newest gradient the result is the direction of the last step without clip,
        graft and momentum. Raises WrongPhaseError before the first step.
        """
        return self._map(self._calls.precondition, v, out, "v")

    def _map(self, function: Any, given: Array, out: Optional[Array], name: str) -> Array:
        of = address(given, self._dtype, name)
        if out is None:
            out = np.empty_like(given, subok=False)
        to = address(out, self._dtype, "out", writes=True)
        same_layout(given, out, f"{name} and out")
        check(function(self._open(), to, of, given.size))
        return out

    def averaged_params(self, out: Optional[Arrays] = None) -> Arrays:
        """Writes the bias-corrected average of the parameters over the steps to `out`, or to a new array.

        Needs the option `average_beta`. Evaluate the average if the learning rate does not fall. `out` is an array, or
        a list of the arrays of the model. Raises WrongPhaseError before the first step and with `average_beta` 0.
        """
        if out is not None and not isinstance(out, np.ndarray):
            return self._averaged_list(out)
        if out is None:
            out = np.empty(len(self), dtype=self._dtype)
        to = address(out, self._dtype, "out", writes=True)
        check(self._calls.averaged_params(self._open(), to, out.size))
        return out

    def _averaged_list(self, out: Sequence[Array]) -> Sequence[Array]:
        addresses(out, self._dtype, "out", writes=True)
        total = sum(array.size for array in out)
        if total != len(self):
            raise ValueError(f"out has {total} elements: this optimizer has {len(self)}")
        flat, start = np.empty(total, dtype=self._dtype), 0
        self.averaged_params(flat)
        for array in out:
            order: Any = "C" if array.flags.c_contiguous else "F"
            array[...] = flat[start : start + array.size].reshape(array.shape, order=order)
            start += array.size
        return out

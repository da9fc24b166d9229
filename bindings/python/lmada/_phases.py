"""One step in phases: for gradients that come in pieces, and for parameters split over processes."""

from __future__ import annotations

import ctypes
from typing import Optional

import numpy as np

from ._arrays import BF16, Array, address, same_layout
from ._errors import check
from ._library import LIBRARY, POINTER, SIZE, unsigned
from ._steps import Steps


class Phases(Steps):
    """See `Optimizer`."""

    def begin(self) -> None:
        """Opens a step in phases.

        The order is: `begin`; `feed` for every piece of the gradient, in any order; `partials` if parameters are split
        over processes; `solve`; `apply` for every piece; `end`. Until `end` or `cancel`, `step`, `direction`, `set_lr`,
        `save` and `load` raise WrongPhaseError.
        """
        check(LIBRARY.lmada_begin(self._open()))

    def feed(self, grads: Array, offset: int = 0) -> None:
        """Passes the gradient of the parameters from number `offset` on. `feed` accepts a NaN; `solve` then refuses it.

        The pieces must cover every parameter once. Raises InvalidArgumentError if the piece is out of range or overlaps
        an earlier one.
        """
        of = address(grads, self._dtype, "grads")
        check(self._calls.feed(self._open(), unsigned(offset, "offset"), of, grads.size))

    def feed_bf16(self, grads: Array, offset: int = 0) -> None:
        """`feed` with the gradient in bfloat16, as in `step_bf16`."""
        of = address(grads, BF16, "grads")
        check(LIBRARY.lmada_feed_bf16(self._open(), unsigned(offset, "offset"), of, grads.size))

    def partials(self) -> Array:
        """The sums of the step, as a new array of float64, for parameters split over processes.

        Add the sums over the processes, element by element and to the same bits on all, and pass the totals to `solve`.
        With one process this call is not needed.

            totals = opt.partials()
            comm.Reduce(MPI.IN_PLACE if comm.rank == 0 else totals, totals, root=0)
            comm.Bcast(totals, root=0)
            opt.solve(totals)
        """
        return self._partials().copy()

    def _partials(self) -> Array:
        values, count = POINTER(), SIZE()
        check(LIBRARY.lmada_partials(self._open(), ctypes.byref(values), ctypes.byref(count)))
        held = ctypes.cast(values, ctypes.POINTER(ctypes.c_double))
        return np.ctypeslib.as_array(held, shape=(count.value,))

    def solve(self, totals: Optional[Array] = None) -> None:
        """Computes the step, without changing state or parameters. `stats` then describes this step.

        `totals` are the sums of `partials` over all processes, in float64. Raises NonFiniteError like `step`, on all
        processes, and InvalidArgumentError if the processes differ in step, options or learning rate. After an error
        the step is still open: call `cancel`.
        """
        if totals is not None:
            address(totals, np.dtype(np.float64), "totals")
            values = self._partials()
            if totals.shape != values.shape:
                raise ValueError(f"totals has shape {totals.shape}: the partials have shape {values.shape}")
            values[:] = totals
        check(LIBRARY.lmada_solve(self._open()))

    def apply(self, params: Array, grads: Array, offset: int = 0) -> None:
        """Moves the parameters from number `offset` on. `grads` is the gradient that `feed` got for these parameters.

        The pieces must cover every parameter once. After the first `apply`, finish the step or call `reset`.
        """
        to, of = address(params, self._dtype, "params", writes=True), address(grads, self._dtype, "grads")
        same_layout(params, grads, "params and grads")
        check(self._calls.apply(self._open(), unsigned(offset, "offset"), to, of, params.size))

    def apply_bf16(self, params: Array, grads: Array, params_bf16: Optional[Array] = None, offset: int = 0) -> None:
        """`apply` with the gradient and a copy of the parameters in bfloat16, as in `step_bf16`."""
        to, copy, of = self._bf16(params, grads, params_bf16)
        check(LIBRARY.lmada_apply_bf16(self._open(), unsigned(offset, "offset"), to, copy, of, params.size))

    def apply_direction(self, out: Array, grads: Array, offset: int = 0) -> None:
        """`apply`, but writes the direction, without learning rate and weight decay, instead of moving parameters."""
        to, of = address(out, self._dtype, "out", writes=True), address(grads, self._dtype, "grads")
        same_layout(out, grads, "out and grads")
        check(self._calls.apply_direction(self._open(), unsigned(offset, "offset"), to, of, out.size))

    def end(self) -> None:
        """Ends the step, which then counts. Raises WrongPhaseError if a piece was not applied."""
        check(LIBRARY.lmada_end(self._open()))

    def cancel(self) -> None:
        """Drops the open step and returns to the state before `begin`. Possible before the first `apply`."""
        check(LIBRARY.lmada_cancel(self._open()))

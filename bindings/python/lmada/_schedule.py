"""Learning rates over a run."""

from __future__ import annotations

import math
from typing import Literal, get_args

from ._library import F64, LIBRARY, U64, unsigned

Schedule = Literal["constant", "linear", "cosine"]


def schedule(kind: Schedule, peak: float, step: int, *, total: int, warmup: int = 0) -> float:
    """The learning rate of step number `step`, from 1, in a run of `total` steps.

    Over the first `warmup` steps the rate rises linearly to `peak`. Then it stays at `peak` ("constant"), or falls to 0
    at `total`, linearly ("linear") or by half a cosine ("cosine"). Beyond `total` the rate is 0. Raises ValueError for
    numbers out of range.

        opt.set_lr(lmada.schedule("cosine", 0.01, step, warmup=50, total=1000))
    """
    kinds = get_args(Schedule)
    if kind not in kinds:
        raise ValueError(f"a schedule cannot be {kind!r}; it is one of {', '.join(kinds)}")
    counts = [unsigned(step, "step", U64), unsigned(warmup, "warmup", U64), unsigned(total, "total", U64)]
    lr: float = LIBRARY.lmada_schedule(kinds.index(kind), F64(peak), *counts)
    if math.isnan(lr):
        raise ValueError(
            f"a schedule needs a finite peak >= 0, a step >= 1 and a warmup of at most total: peak is {peak}, "
            f"step {step}, warmup {warmup}, total {total}"
        )
    return lr

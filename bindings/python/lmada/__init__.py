"""Limited-memory full-matrix Adagrad for NumPy and PyTorch: the Python interface of the library lmada.

    import lmada

    opt = lmada.Optimizer(w.size, lr=0.05)
    for _ in range(steps):
        opt.step(w, gradient(w))

`Optimizer` moves NumPy arrays in place, and its documentation lists the options. `lmada.torch.LMAdagrad` is the
optimizer for PyTorch. Only `import lmada.torch` imports PyTorch.
"""

from ._errors import (
    BadStateError,
    BusyError,
    CallbackError,
    DimensionMismatchError,
    InternalError,
    InvalidArgumentError,
    LmadaError,
    NonFiniteError,
    NullPointerError,
    OutOfMemoryError,
    WrongPhaseError,
)
from ._handle import Group, Stats, memory
from ._library import library_path, library_version
from ._optimizer import Optimizer
from ._options import ClipKind, HistoryFormat, MomentumKind, Options, defaults, recommended
from ._schedule import schedule

__all__ = [
    "BadStateError",
    "BusyError",
    "CallbackError",
    "ClipKind",
    "DimensionMismatchError",
    "Group",
    "HistoryFormat",
    "InternalError",
    "InvalidArgumentError",
    "LmadaError",
    "MomentumKind",
    "NonFiniteError",
    "NullPointerError",
    "Optimizer",
    "Options",
    "OutOfMemoryError",
    "Stats",
    "WrongPhaseError",
    "defaults",
    "library_path",
    "library_version",
    "memory",
    "recommended",
    "schedule",
]

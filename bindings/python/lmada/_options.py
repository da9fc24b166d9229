"""The options: lmada_config_t, and its translation from and to keywords."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, Literal, Mapping, TypedDict, get_args

import numpy as np

from ._errors import check
from ._library import F64, I32, LIBRARY, SIZE, U32, unsigned

# Options with a choice. The library numbers the choices from 0 in this order.
HistoryFormat = Literal["full", "bf16", "f16", "int8", "sparse"]
MomentumKind = Literal["none", "gradient", "update", "window"]
ClipKind = Literal["none", "norm", "ema_norm", "graft_ema_norm", "ema_vector", "graft_ema_vector", "graft_input"]


class Config(ctypes.Structure):
    """lmada_config_t, field by field."""

    _fields_ = [
        ("struct_size", SIZE),
        # options: generated from src/config.rs by `make option-lists`
        ("dtype", I32),
        ("history_size", U32),
        ("history_format", I32),
        ("density", F64),
        ("lr", F64),
        ("eps", F64),
        ("eps_relative", F64),
        ("power", F64),
        ("eps_on_root", ctypes.c_bool),
        ("rank_tol", F64),
        ("centered", ctypes.c_bool),
        ("history_decay", F64),
        ("orthogonal_scale", F64),
        ("momentum_kind", I32),
        ("momentum", F64),
        ("bias_correction", ctypes.c_bool),
        ("clip_kind", I32),
        ("clip_norm", F64),
        ("clip_factor", F64),
        ("clip_beta", F64),
        ("weight_decay", F64),
        ("threads", U32),
        ("diagonal_beta", F64),
        ("diagonal_eps", F64),
        ("grad_scale", F64),
        ("grad_clip_norm", F64),
        ("average_beta", F64),
        # options: end
    ]


class Options(TypedDict, total=False):
    """The options as keywords. `Optimizer` documents each option."""

    # options: generated from src/config.rs by `make option-lists`
    history_size: int
    history_format: HistoryFormat
    density: float
    lr: float
    eps: float
    eps_relative: float
    power: float
    eps_on_root: bool
    rank_tol: float
    centered: bool
    history_decay: float
    orthogonal_scale: float
    momentum_kind: MomentumKind
    momentum: float
    bias_correction: bool
    clip_kind: ClipKind
    clip_norm: float
    clip_factor: float
    clip_beta: float
    weight_decay: float
    threads: int
    diagonal_beta: float
    diagonal_eps: float
    grad_scale: float
    grad_clip_norm: float
    average_beta: float
    # options: end


NAMES = tuple(name for name, *_ in Config._fields_ if name not in ("struct_size", "dtype"))
_TYPES: Dict[str, Any] = {name: kind for name, kind, *_ in Config._fields_}

CHOICES: Dict[str, Any] = {
    "history_format": get_args(HistoryFormat),
    "momentum_kind": get_args(MomentumKind),
    "clip_kind": get_args(ClipKind),
}
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def dtype_number(dtype: Any) -> int:
    """Returns 0 for float32 and 1 for float64, for any dtype that NumPy accepts."""
    found = np.dtype(dtype)
    if found not in DTYPES:
        raise ValueError(f"dtype cannot be {found}; it is one of float32, float64")
    return DTYPES.index(found)


def filled(recommended: bool = False) -> Config:
    """A configuration with the defaults, or with the recommended options."""
    config = Config()
    init = LIBRARY.lmada_config_recommended if recommended else LIBRARY.lmada_config_init
    check(init(ctypes.byref(config), ctypes.sizeof(config)))
    return config


def put(config: Config, options: Mapping[str, Any]) -> Config:
    """Sets the given options. Other options keep their values."""
    for name, value in options.items():
        if name not in NAMES:
            raise TypeError(f"there is no option {name!r}; the options are {', '.join(NAMES)}")
        setattr(config, name, to_c(name, value))
    return config


def to_c(name: str, value: Any) -> Any:
    """Converts the value of an option for its field. The library checks the range."""
    kind = _TYPES[name]
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise ValueError(f"option {name} cannot be {value!r}; it is one of {', '.join(CHOICES[name])}")
        return CHOICES[name].index(value)
    if kind is U32:
        return unsigned(value, f"option {name}", U32)
    if kind is F64:
        try:
            return F64(value).value
        except TypeError:
            raise TypeError(f"option {name} cannot be {value!r}") from None
        except OverflowError:
            raise ValueError(f"option {name} is beyond the range of float64") from None
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"option {name} is True or False, not {value!r}")
    return bool(value)


def to_python(config: Config) -> Options:
    """Every option as a keyword value."""
    values: Dict[str, Any] = {name: getattr(config, name) for name in NAMES}
    for name, choices in CHOICES.items():
        values[name] = choices[values[name]]
    return values  # type: ignore[return-value]


def defaults() -> Options:
    """Every option with its default value. `Optimizer` documents each option."""
    return to_python(filled())


def recommended() -> Options:
    """Every option with the value that trained best in the library's own measurements.

    The options use diagonal preconditioning, which excludes `centered` and the clips by vectors. `lr` is on Adam's
    scale. Use them as a start: `Optimizer(dim, **{**lmada.recommended(), "lr": 0.003})`.
    """
    return to_python(filled(recommended=True))

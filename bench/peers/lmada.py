"""lmada through ctypes: what the comparison needs of it."""

import ctypes

import torch

SIZE, I32, U32, U64 = ctypes.c_size_t, ctypes.c_int32, ctypes.c_uint32, ctypes.c_uint64
F64, BOOL = ctypes.c_double, ctypes.c_bool

# lmada_history_format_t
FULL, BF16, F16, INT8, SPARSE = range(5)
# lmada_momentum_t
MOMENTUM_UPDATE = 2


class Config(ctypes.Structure):
    """lmada_config_t of include/lmada.h, ABI version 1."""

    _fields_ = [
        ("struct_size", SIZE), ("dtype", I32), ("history_size", U32), ("history_format", I32), ("density", F64),
        ("lr", F64), ("eps", F64), ("eps_relative", F64), ("power", F64), ("eps_on_root", BOOL), ("rank_tol", F64),
        ("centered", BOOL), ("history_decay", F64), ("orthogonal_scale", F64), ("momentum_kind", I32),
        ("momentum", F64), ("bias_correction", BOOL), ("clip_kind", I32), ("clip_norm", F64), ("clip_factor", F64),
        ("clip_beta", F64), ("weight_decay", F64), ("threads", U32), ("diagonal_beta", F64), ("diagonal_eps", F64),
    ]  # fmt: skip


class Stats(ctypes.Structure):
    """lmada_stats_t, likewise."""

    _fields_ = [
        ("struct_size", SIZE), ("steps", U64), ("history_len", U32), ("rank", U32), ("grad_norm", F64),
        ("update_norm", F64), ("scale", F64), ("eig_max", F64), ("eig_min", F64), ("state_bytes", U64),
    ]  # fmt: skip


class Library:
    """`path`: the library; `steps`: what steps.c was compiled to."""

    def __init__(self, path: str, steps: str):
        self.calls = ctypes.CDLL(path)
        self.take_steps = ctypes.CDLL(steps).take_steps
        self.take_steps.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, SIZE, SIZE, SIZE, SIZE]
        self.calls.lmada_last_error.restype = ctypes.c_char_p
        self.calls.lmada_version.restype = ctypes.c_char_p
        self.calls.lmada_free.restype = None
        self.calls.lmada_step.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, SIZE]
        if self.calls.lmada_abi_version() != 1:
            raise RuntimeError(f"{path} has another binary interface than this program")
        self.version = self.calls.lmada_version().decode()

    def check(self, status: int) -> None:
        if status:
            raise RuntimeError(f"lmada, status {status}: {self.calls.lmada_last_error().decode()}")


class Optimizer:
    """One handle, float32. Arrays are given as tensors; nothing is copied."""

    def __init__(self, library: Library, dim: int, **options: float):
        """`options`: fields of the configuration that are not to have their defaults."""
        self.library, self.dim, self.handle = library, dim, ctypes.c_void_p()
        config = Config()
        library.check(library.calls.lmada_config_init(ctypes.byref(config), SIZE(ctypes.sizeof(config))))
        for name, value in options.items():
            setattr(config, name, value)
        library.check(library.calls.lmada_create(ctypes.byref(config), SIZE(dim), ctypes.byref(self.handle)))

    def step(self, params: torch.Tensor, grads: torch.Tensor) -> None:
        status = self.library.calls.lmada_step(self.handle, params.data_ptr(), grads.data_ptr(), self.dim)
        if status:
            self.library.check(status)

    def steps(self, params: torch.Tensor, grads: list[torch.Tensor], start: int, count: int) -> None:
        """`count` steps through the gradients in turn, from number `start` on, without a way back to Python."""
        pointers = (ctypes.c_void_p * len(grads))(*[g.data_ptr() for g in grads])
        take = self.library.take_steps
        self.library.check(take(self.handle, params.data_ptr(), pointers, len(grads), start, count, self.dim))

    def bytes(self) -> int:
        stats = Stats()
        self.library.check(self.library.calls.lmada_stats(self.handle, ctypes.byref(stats), SIZE(ctypes.sizeof(stats))))
        return stats.state_bytes

    def __del__(self):
        self.library.calls.lmada_free(self.handle)

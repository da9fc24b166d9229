"""The contenders: optimizers that step the parameters `w` once a call, in place, in float32.

The first six of CONTENDERS compute the same update: u = (M M' + EPS I)^(-1/2) g, where M has the last k gradients
including the newest gradient g, and w <- w - LR u. `measuring.py` checks that they agree before it times them.
"""

import ctypes

import numpy
import torch
import torchzero

import lmada

EPS, LR = 1e-6, 1e-3


class Contender:
    """One optimizer.

    `windows`: the most memory that a step holds, in arrays of k gradients in float32.
    `tolerance`: largest relative difference from lmada's direction; None if the contender computes another direction.
    `settling`: number of steps after which a step takes its final time.
    """

    windows: float = 0
    tolerance: float | None = None
    settling: int = 0

    def __init__(self, dim: int, k: int):
        self.k, self.w = k, torch.zeros(dim)

    def fill(self, gradients: list[torch.Tensor]) -> None:
        """Stores k gradients in the window, the oldest first."""
        for g in gradients[-2:]:
            self.step(g)

    def step(self, g: torch.Tensor) -> None:
        raise NotImplementedError

    def bytes(self) -> int | None:
        """Bytes held from step to step, without the parameters; None if no table shows them."""
        return None

    def steps(self, grads: list[torch.Tensor], start: int, count: int) -> None:
        """Takes `count` steps on the gradients in turn, from number `start` on."""
        step = self.step
        for number in range(start, start + count):
            step(grads[number % len(grads)])


class Lmada(Contender):
    """Steps in a loop in C, so that the time does not include calls from Python."""

    name, windows, tolerance = "lmada", 1, 0.0
    take_steps: "ctypes._NamedFuncPointer"  # of steps.c
    options: dict[str, object] = {}

    def __init__(self, dim: int, k: int):
        super().__init__(dim, k)
        common = {"history_size": k, "lr": LR, "eps": EPS, "threads": torch.get_num_threads()}
        self.optimizer = lmada.Optimizer(dim, **{**common, **self.options})
        self.array = self.w.numpy()

    def fill(self, gradients):
        for g in gradients:
            self.step(g)

    def step(self, g):
        self.optimizer.step(self.array, g.numpy())

    def steps(self, grads, start, count):
        pointers = (ctypes.c_void_p * len(grads))(*[g.data_ptr() for g in grads])
        handle, size = ctypes.c_void_p(self.optimizer._open()), ctypes.c_size_t
        numbers = map(size, (len(grads), start, count, len(self.optimizer)))
        if Lmada.take_steps(handle, ctypes.c_void_p(self.w.data_ptr()), pointers, *numbers):
            raise RuntimeError("lmada refused a step")

    def bytes(self):
        return self.optimizer.stats().state_bytes


class LmadaFromPython(Lmada):
    name, tolerance = "lmada, from Python", 1e-12
    steps = Contender.steps


class Full(Lmada):
    name = "full"


class Bf16(Lmada):
    name, windows, tolerance, options = "bf16", 0.5, 1.4e-2, {"history_format": "bf16"}


class F16(Lmada):
    name, windows, tolerance, options = "f16", 0.5, 2e-3, {"history_format": "f16"}


class Int8(Lmada):
    name, windows, tolerance, options = "int8", 0.25, 6e-2, {"history_format": "int8"}


class Sparse(Lmada):
    """With a density of 0.01. Entries that the format leaves out wait for about a hundred steps."""

    name, windows, tolerance, options, settling = "sparse", 0.01, None, {"history_format": "sparse"}, 200


class Diagonal(Lmada):
    """With diagonal preconditioning and momentum of updates: three arrays of the model's length besides the window."""

    name, windows, tolerance = "diagonal preconditioning", 1, None
    options = {"diagonal_beta": 0.99, "momentum_kind": "update"}


class Plain(Lmada):
    """`Diagonal` without diagonal preconditioning."""

    name, windows, tolerance, options = "plain", 1, None, {"momentum_kind": "update"}


class Defaults(Lmada):
    name, options = "defaults", lmada.defaults()


class Recommended(Lmada):
    name, tolerance, options = "recommended", None, lmada.recommended()


class Frugal(Lmada):
    """The recommended setting in the dense format that takes the least memory."""

    name, windows, tolerance = "recommended, int8, k = 10", 0.25, None
    options = {**lmada.recommended(), "history_format": "int8", "history_size": 10}


class Ring(Contender):
    """The last k gradients as the rows of one array, with which torch multiplies faster than with its transpose."""

    def __init__(self, dim, k):
        super().__init__(dim, k)
        self.rows, self.slot = torch.zeros(k, dim), 0

    def fill(self, gradients):
        for row, g in zip(self.rows, gradients):
            row.copy_(g)

    def store(self, g):
        """Stores the gradient in place of the oldest one. Returns the slot."""
        slot = self.slot
        self.rows[slot].copy_(g)
        self.slot = (slot + 1) % self.k
        return slot


class TallSvd(Ring):
    """Computes the thin SVD M = U S V' and u = U (S^2 + EPS)^(-1/2) U'g."""

    name, windows, tolerance = "tall SVD", 4, 1e-2

    def step(self, g):
        self.store(g)
        left, values, _ = torch.linalg.svd(self.rows.T, full_matrices=False)
        self.w.addmv_(left, (values * values + EPS).rsqrt_() * (left.T @ g), alpha=-LR)


class NumpySvd(Ring):
    """`TallSvd` with NumPy, whose wheel has another LAPACK than torch's."""

    name, windows, tolerance = "tall SVD, NumPy", 4, 1e-2

    def step(self, g):
        self.store(g)
        left, values, _ = numpy.linalg.svd(self.rows.numpy().T, full_matrices=False)
        f = 1 / numpy.sqrt(values * values + numpy.float32(EPS))
        self.w.numpy()[:] -= numpy.float32(LR) * (left @ (f * (left.T @ g.numpy())))


class IncrementalGgt(Ring):
    """lmada's method, as fast as torch allows.

    Keeps C = M'M and replaces one row and column in each step. Computes u = M c with c = (C + EPS I)^(-1/2) e_newest by
    an eigendecomposition of C. A step makes two passes over the window and allocates nothing of length d. C is float32
    like all other arrays: eigh takes a third less time in float32.
    """

    name, windows, tolerance = "incremental GGT", 1, 1e-2

    def __init__(self, dim, k):
        super().__init__(dim, k)
        self.gram = torch.zeros(k, k)

    def fill(self, gradients):
        super().fill(gradients)
        torch.mm(self.rows, self.rows.T, out=self.gram)

    def step(self, g):
        newest = self.store(g)
        products = torch.mv(self.rows, g)
        self.gram[newest] = products
        self.gram[:, newest] = products
        values, vectors = torch.linalg.eigh(self.gram)
        f = values.clamp_(min=0).add_(EPS).rsqrt_()
        self.w.addmv_(self.rows.T, vectors @ (f * vectors[newest]), alpha=-LR)


class OfTorch(Contender):
    """An optimizer with the interface of torch.optim, on one parameter tensor."""

    def __init__(self, dim, k):
        super().__init__(dim, k)
        self.parameter = torch.nn.Parameter(self.w)
        self.optimizer = self.make()

    def make(self):
        raise NotImplementedError

    def step(self, g):
        self.parameter.grad = g
        self.optimizer.step()


class Ggt(OfTorch):
    """Stacks the window, computes M'M and its eigendecomposition, U = M Q L^(-1/2), then U L^(-1/2) U'g."""

    # The float32 Gram matrix and U lose digits as d grows: the error is 2e-6 at d = 220 and 1e-3 at d = 10⁶.
    name, windows, tolerance = "torchzero GGT", 4, 1e-1

    def make(self):
        module = torchzero.m.GGT(history_size=self.k, damping=EPS)
        return torchzero.Optimizer([self.parameter], module, torchzero.m.LR(LR))

    def fill(self, gradients):
        # Filling the window with steps would take minutes at k = 100. One step makes the deque; then it is filled.
        self.step(gradients[0])
        history = self.optimizer.modules[0].state[self.parameter]["history"]
        history.clear()
        history.extend(g.clone() for g in gradients)


class Adam(OfTorch):
    name = "Adam"

    def make(self):
        return torch.optim.Adam([self.parameter], lr=LR)


class FusedAdam(OfTorch):
    name = "Adam, fused"

    def make(self):
        return torch.optim.Adam([self.parameter], lr=LR, fused=True)

    def bytes(self):
        tensors = [value for value in self.optimizer.state[self.parameter].values() if torch.is_tensor(value)]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class Adagrad(OfTorch):
    name = "Adagrad"

    def make(self):
        return torch.optim.Adagrad([self.parameter], lr=LR)


class FusedAdagrad(OfTorch):
    name = "Adagrad, fused"

    def make(self):
        return torch.optim.Adagrad([self.parameter], lr=LR, fused=True)


CONTENDERS = [
    Lmada, LmadaFromPython, TallSvd, NumpySvd, Ggt, IncrementalGgt, Adam, FusedAdam, Adagrad, FusedAdagrad,
]  # fmt: skip

# With diagonal preconditioning, without it, and the contender to compare with.
WITH_AND_WITHOUT_DIAGONAL = [Diagonal, Plain, FusedAdam]

# The formats of lmada's window, full first, and the contender to compare with.
FORMATS = [Full, Bf16, F16, Int8, Sparse, FusedAdam]

# The settings whose price README states, and the contender to compare with.
SETTINGS = [Defaults, Recommended, Frugal, FusedAdam]

"""Runs the Python blocks of docs/in-your-training-loop.md, with the names that the page gives to every block.

Each argument is a file with one block. The file's name ends with the line of the page where the block starts.
"""

import sys

import lmada
import numpy as np

# The parameters of the model: an embedding, then weights, then biases.
EMBEDDING, WEIGHTS, BIASES, STEPS, BATCHES = 4, 6, 2, 200, 4
dim = EMBEDDING + WEIGHTS + BIASES
CURVATURE = np.arange(1, dim + 1, dtype=np.float32)


def loss(w):
    """The mean of the losses of all batches, up to a constant. The minimum is where all parameters are 2.5."""
    return float((CURVATURE * (w - 2.5) ** 2).sum() / 2)


def add_gradient(batch, w, gradient, scale):
    """Adds scale times the gradient of one batch's loss, whose minimum is where all parameters are batch + 1."""
    gradient += np.float32(scale) * CURVATURE * (w - np.float32(batch + 1))


def compute_gradient(w, gradient, scale):
    """Writes scale times the gradient of `loss`."""
    gradient[:] = np.float32(scale) * CURVATURE * (w - np.float32(2.5))


def from_bf16(x):
    return (x.astype(np.uint32) << 16).view(np.float32)


def to_bf16(x):
    """Rounds to the nearest bfloat16. Ties go to even."""
    bits = x.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


given = {name: value for name, value in globals().items() if not name.startswith("__")}
for file in sys.argv[1:]:
    print("==", file.rsplit("-", 1)[1])
    names = dict(
        given,
        opt=lmada.Optimizer(dim, **lmada.recommended()),
        params=np.zeros(dim, np.float32),
        grads=np.zeros(dim, np.float32),
    )
    with open(file, encoding="utf-8") as block:
        exec(compile(block.read(), file, "exec"), names)

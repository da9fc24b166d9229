"""Small models and tensors for the tests of lmada.torch."""

from __future__ import annotations

import unittest
from typing import Any, List

import numpy as np
import torch


def model(seed: int = 0, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).to(dtype)


def backward(net: Any, seed: int = 0, scale: Any = 1.0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    dtype = next(net.parameters()).dtype
    inputs, targets = torch.randn(16, 6, generator=generator), torch.randn(16, 3, generator=generator)
    loss = (net(inputs.to(dtype)) - targets.to(dtype)).pow(2).mean()
    (scale(loss) if callable(scale) else loss * scale).backward()
    return loss


def train(net: Any, optimizer: Any, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        backward(net, step)
        optimizer.step()


def tensors(*shapes: Any, dtype: torch.dtype = torch.float32, seed: int = 1) -> List[Any]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in shapes]


def give_gradients(params: List[Any], seed: int) -> None:
    for param, other in zip(params, tensors(*[param.shape for param in params], seed=seed)):
        param.grad = other.detach().to(param.dtype)


def flat(params: List[Any]) -> Any:
    return np.concatenate([param.detach().numpy().ravel() for param in params])


class SameTest(unittest.TestCase):
    """Compares tensors bit by bit."""

    def same(self, first: Any, second: Any) -> None:
        first, second = list(first), list(second)
        self.assertEqual(len(first), len(second))
        self.assertGreater(len(first), 0)
        for a, b in zip(first, second):
            self.assertTrue(torch.equal(a, b), (a, b))

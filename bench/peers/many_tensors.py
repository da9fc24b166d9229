"""The time that LMAdagrad adds to its C call, and Adam's time, on a model of 300 tensors.

Tables in Markdown go to stdout, progress to stderr. Each contender uses one thread, since the model is small.
Contenders are measured in turn: several steps with the same gradient tensors, or one step with new gradient tensors
from a backward pass.
"""

import ctypes
import statistics
import sys
import time

import torch
from lmada._errors import check
from lmada.torch import LMAdagrad

from tables import digits, table, text_of_seconds

TENSORS, ROUNDS, HISTORY = 300, 200, 10
STEPS = 10  # steps of a sample, with gradients in place
LENGTHS = [10, 1_000]  # lengths of a tensor
MOST = 25e-6  # target: seconds that a step adds to the C call


def model(length: int) -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.randn(length)) for _ in range(TENSORS)]


def lmadagrad(params: list[torch.nn.Parameter]) -> LMAdagrad:
    return LMAdagrad(params, history_size=HISTORY, threads=1)


class Stepped:
    """An optimizer and its parameters."""

    def __init__(self, length: int, make):
        self.params = model(length)
        self.optimizer = make(self.params)
        self.step = self.optimizer.step

    def backward(self) -> None:
        self.optimizer.zero_grad()
        torch.cat(self.params).square().sum().backward()


class Call(Stepped):
    """The C call that LMAdagrad makes, with lists of addresses that are made beforehand."""

    def __init__(self, length: int):
        super().__init__(length, lmadagrad)
        self.step = self.call

    def backward(self) -> None:
        super().backward()
        addresses = [[p.data_ptr() for p in self.params], [p.grad.data_ptr() for p in self.params]]
        lengths = [p.numel() for p in self.params]
        self.lists = [(ctypes.c_size_t * TENSORS)(*numbers) for numbers in (*addresses, lengths)]

    def call(self) -> None:
        optimizer = self.optimizer._groups[0].optimizer
        check(optimizer._calls.step_tensors(optimizer._open(), *self.lists, TENSORS))


def medians(length: int, fresh: bool) -> dict[str, float]:
    """The median of the seconds of a step, for each contender."""
    adam = torch.optim.Adam
    contenders = {
        "the C call": Call(length),
        "LMAdagrad": Stepped(length, lmadagrad),
        "Adam, fused": Stepped(length, lambda params: adam(params, fused=True)),
        "Adam, foreach": Stepped(length, lambda params: adam(params, foreach=True)),
    }
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(ROUNDS):
        for name, contender in contenders.items():
            if fresh or number == 0:
                contender.backward()
            if not fresh:
                contender.step()  # brings back into the caches what the other contenders evicted
            steps = 1 if fresh else STEPS
            start = time.perf_counter()
            for _ in range(steps):
                contender.step()
            samples[name].append((time.perf_counter() - start) / steps)
    return {name: statistics.median(taken[HISTORY:]) for name, taken in samples.items()}


def main() -> None:
    torch.set_num_threads(1)
    cases = [(length, fresh) for length in LENGTHS for fresh in (False, True)]
    results = []
    for length, fresh in cases:
        print(f"{TENSORS} tensors of {length}", file=sys.stderr)
        results.append(medians(length, fresh))
    # Every optimizer has to read the gradient attribute of each parameter. This times the reading alone, from Python.
    params = model(1)
    for param in params:
        param.grad = torch.ones(1)
    asking = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for param in params:
            _ = param.grad
        asking.append(time.perf_counter() - start)

    head = [f"{TENSORS} of {length:,}, {'new' if fresh else 'in place'}" for length, fresh in cases]
    head.insert(0, "tensors, gradients")
    rows = [[name] + [text_of_seconds(result[name]) for result in results] for name in results[0]]
    above = [text_of_seconds(result["LMAdagrad"] - result["the C call"]) for result in results]
    rows.append([f"LMAdagrad above the C call ({MOST * 1e6:g} µs)"] + above)
    rows.append(["Adam, foreach, over LMAdagrad"] + [digits(r["Adam, foreach"] / r["LMAdagrad"]) for r in results])
    least = text_of_seconds(statistics.median(asking))
    print(f"\nLMAdagrad (k = {HISTORY}) on a model of {TENSORS} tensors, one thread each. Time a step, median; in")
    print(f"parentheses the target. Reading the gradients of {TENSORS} parameters takes {least} here:\n")
    table(head, rows)


main()

"""Measures contenders: at one size all get the same gradients, and their samples are taken in turn."""

import statistics
import sys
import time

import torch

from contenders import LR
from tables import text_of_seconds

ROUNDS = 15
SAMPLE = 0.03  # seconds that the steps of a sample take together; a longer step is a sample of its own
BUDGET = 8.0  # seconds for all samples of one contender at one size; a slow contender skips some rounds
LONGEST = 20.0  # seconds that one step may take
PAUSE = 0.03  # seconds before a sample, in which the threads of other contenders stop spinning
SHIFT = 1040

REASONS = {"memory": "not enough memory", "time": f"one step takes more than {LONGEST:.0f} s"}


def gradients(dim: int, count: int) -> list[torch.Tensor]:
    """Gradients of norm about 1. Half of the square of the norm is common to all gradients.

    The gradients are overlapping ranges of one array, each of which begins SHIFT elements after the last. The part of
    the numbers with the period SHIFT is common to all.
    """
    generator = torch.Generator().manual_seed(1)
    length = dim + count * SHIFT
    common = torch.randn(SHIFT, generator=generator).repeat(length // SHIFT + 1)[:length]
    numbers = torch.randn(length, generator=generator).add_(common).mul_((0.5 / dim) ** 0.5)
    return [numbers[i * SHIFT :][:dim] for i in range(count)]


def available_memory() -> int:
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable")) * 1024


class Runner:
    """A contender that steps through the gradients in turn, and its times."""

    def __init__(self, kind, dim: int, k: int, grads: list[torch.Tensor]):
        self.name, self.grads, self.next = kind.name, grads, k
        self.contender = kind(dim, k)
        self.contender.fill(grads[:k])
        self.samples: list[float] = []

    def seconds(self, steps: int) -> float:
        start = time.perf_counter()
        self.contender.steps(self.grads, self.next, steps)
        seconds = time.perf_counter() - start
        self.next = (self.next + steps) % len(self.grads)
        return seconds / steps

    def direction(self) -> torch.Tensor:
        self.contender.w.zero_()
        self.once = self.seconds(1)
        return self.contender.w / -LR

    def plan(self) -> None:
        """Takes the settling steps. Then sets the steps of a sample and the number of rounds between two samples."""
        if self.contender.settling:
            self.seconds(self.contender.settling)
        once = self.once
        if once < SAMPLE:
            once = self.seconds(max(1, int(SAMPLE / 10 / max(once, 1e-6))))  # the first step is slower than the rest
        self.steps = max(1, int(SAMPLE / once))
        rounds = min(ROUNDS, max(1, int(BUDGET / (once * (self.steps + 1)))))
        self.every = -(-ROUNDS // rounds)

    def sample(self, round_number: int) -> None:
        if round_number % self.every:
            return
        time.sleep(PAUSE)
        if self.every == 1:
            self.seconds(1)  # brings back into the caches what the other contenders evicted
        self.samples.append(self.seconds(self.steps))


class Result:
    """Median seconds of a step and bytes held for each contender. Without a time, `seconds` has the reason."""

    def __init__(self):
        self.seconds: dict[str, float | str] = {}
        self.bytes: dict[str, int | None] = {}

    def time(self, name: str) -> str:
        value = self.seconds[name]
        return value if isinstance(value, str) else text_of_seconds(value)


def compare(kinds: list, dim: int, k: int) -> Result:
    """Measures `kinds` at one size. Compares the directions with the direction of the first of `kinds`."""
    print(f"d = {dim}, k = {k}", file=sys.stderr)
    result, grads, runners, ours = Result(), gradients(dim, k + 7), [], None
    for kind in kinds:
        if kind.windows * 4 * dim * k > 0.8 * available_memory():
            result.seconds[kind.name] = "memory"
            continue
        runner = Runner(kind, dim, k, grads)
        direction = runner.direction()
        if kind is kinds[0]:
            ours = direction
        elif kind.tolerance is not None and ours is not None:
            difference = float((direction - ours).norm() / ours.norm())
            print(f"    {kind.name}: direction differs from {kinds[0].name}'s by {difference:.1e}", file=sys.stderr)
            if not difference <= kind.tolerance:
                sys.exit(f"{kind.name} and {kinds[0].name} disagree: {difference:.1e} > {kind.tolerance:.0e}")
        if runner.once > LONGEST:
            result.seconds[kind.name] = "time"
            continue
        runner.plan()
        runners.append(runner)
    for round_number in range(ROUNDS):
        for runner in runners:
            runner.sample(round_number)
    for runner in runners:
        result.seconds[runner.name] = statistics.median(runner.samples)
        result.bytes[runner.name] = runner.contender.bytes()
        print(f"    {runner.name}: {result.time(runner.name)}, {len(runner.samples)} samples of {runner.steps}",
              file=sys.stderr)  # fmt: skip
    return result

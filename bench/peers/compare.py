"""lmada against others in PyTorch: one process, the same threads, gradients and sizes, measured in turn.

    compare.py liblmada.so

Tables in Markdown go to stdout, progress to stderr. Ends with status 1 where those who should agree do not.
"""

import os
import statistics
import sys
import time

import torch
import torchzero  # noqa: F401  its import takes seconds, and is no part of anything

import lmada
from contenders import CONTENDERS, LR, Lmada

SIZES = [(220, 10), (100_000, 10), (1_000_000, 10), (10_000_000, 10), (1_000_000, 100), (100_000, 100)]
# What was set as the aim beforehand: how often a step of lmada goes into one of theirs.
REACH = {
    "tall SVD": [60, 150, 80],
    "tall SVD, NumPy": [60, 150, 80],
    "torchzero GGT": [250, 40, 40, None, 35],
    "incremental GGT": [None, 4, 2.7, None, 2.2],
    "Adam": [50],
}

ROUNDS = 15
SAMPLE = 0.03  # seconds that the steps of a sample take together, or one step
BUDGET = 8.0  # seconds for all samples of one contender at one size; then it sits out some rounds
LONGEST = 20.0  # seconds that one step may take
PAUSE = 0.03  # seconds before a sample, in which the threads of others stop waiting awake
SHIFT = 1040


def gradients(dim: int, count: int) -> list[torch.Tensor]:
    """Of norm 1, about: half of its square is common to all, half their own.

    Each is the same stretch of random numbers, begun SHIFT elements later. What has the period SHIFT is in all.
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
        """Steps of a sample, and how many rounds lie between two."""
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
            self.seconds(1)  # into the caches with what the others drove out
        self.samples.append(self.seconds(self.steps))


def compare(dim: int, k: int) -> dict[str, float | str]:
    """Median seconds of a step for each contender, or why there is none."""
    print(f"d = {dim}, k = {k}", file=sys.stderr)
    results: dict[str, float | str] = {}
    grads, runners, ours = gradients(dim, k + 7), [], None
    for kind in CONTENDERS:
        if kind.windows * 4 * dim * k > 0.8 * available_memory():
            results[kind.name] = "memory"
            continue
        runner = Runner(kind, dim, k, grads)
        direction = runner.direction()
        if kind is Lmada:
            ours = direction
        elif kind.tolerance is not None:
            difference = float((direction - ours).norm() / ours.norm())
            print(f"    {kind.name}: direction differs from lmada's by {difference:.1e}", file=sys.stderr)
            if not difference <= kind.tolerance:
                sys.exit(f"{kind.name} does not do the same as lmada: {difference:.1e} > {kind.tolerance:.0e}")
        if runner.once > LONGEST:
            results[kind.name] = "time"
            continue
        runner.plan()
        runners.append(runner)
    for round_number in range(ROUNDS):
        for runner in runners:
            runner.sample(round_number)
    for runner in runners:
        results[runner.name] = statistics.median(runner.samples)
        print(f"    {runner.name}: {text_of_seconds(results[runner.name])}, {len(runner.samples)} samples"
              f" of {runner.steps}", file=sys.stderr)  # fmt: skip
    return results


def digits(number: float) -> str:
    return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f}"


def text_of_seconds(seconds: float) -> str:
    for unit, scale in (("µs", 1e6), ("ms", 1e3), ("s", 1)):
        if seconds * scale < 1000 or unit == "s":
            return f"{digits(seconds * scale)} {unit}"
    raise AssertionError


def table(head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    rule = ["-" * width if i == 0 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    for row in [head, rule, *rows]:
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    Lmada.library = lmada.Library(*map(os.path.abspath, sys.argv[1:]))
    results = [compare(dim, k) for dim, k in SIZES]

    powers = {220: "220", 100_000: "10⁵", 1_000_000: "10⁶", 10_000_000: "10⁷"}
    head = ["d, k"] + [f"{powers[dim]}, {k}" for dim, k in SIZES]
    names = [kind.name for kind in CONTENDERS]
    versions = f"lmada {Lmada.library.version}, torch {torch.__version__}, torchzero {version_of('torchzero')}"
    print(f"\n{versions}, {torch.get_num_threads()} threads each. Time a step, median:\n")
    table(head, [[name] + [time_cell(result[name]) for result in results] for name in names])
    print("\nTheir time over lmada's; in brackets the aim:\n")
    table(head, [[name] + [ratio_cell(name, i, result) for i, result in enumerate(results)] for name in names[1:]])
    reasons = {"memory": "not enough memory", "time": f"one step takes more than {LONGEST:.0f} s"}
    for reason in sorted({value for result in results for value in result.values() if isinstance(value, str)}):
        print(f"\n“{reason}”: left out, {reasons[reason]}.")


def version_of(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def time_cell(value: float | str) -> str:
    return value if isinstance(value, str) else text_of_seconds(value)


def ratio_cell(name: str, size: int, result: dict[str, float | str]) -> str:
    reach = REACH.get(name, [])
    wanted = f" ({reach[size]:g})" if size < len(reach) and reach[size] else ""
    if isinstance(result[name], str):
        return result[name] + wanted
    return digits(result[name] / result["lmada"]) + wanted


main()

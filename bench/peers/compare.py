"""Compares lmada with other optimizers in PyTorch.

All run in one process with the same threads, gradients and sizes, and are measured in turn.

    compare.py steps.so

Tables in Markdown go to stdout, progress to stderr. Ends with status 1 if contenders that compute the same direction
disagree.
"""

import ctypes
import os
import sys
from importlib.metadata import version

import torch
import torchzero  # noqa: F401  imported here because the import takes seconds, which no measurement should include

import lmada
from contenders import CONTENDERS, FORMATS, WITH_AND_WITHOUT_DIAGONAL, SETTINGS, Diagonal, FusedAdam, Lmada, Plain
from measuring import REASONS, Result, compare
from tables import digits, table, text_of_size, with_target

SIZES = [(220, 10), (100_000, 10), (1_000_000, 10), (10_000_000, 10), (1_000_000, 100), (100_000, 100)]
# The targets that were set before the measurement: the time of a contender's step divided by the time of lmada's.
TARGETS = {
    "tall SVD": [60, 150, 80],
    "tall SVD, NumPy": [60, 150, 80],
    "torchzero GGT": [250, 40, 40, None, 35],
    "incremental GGT": [None, 4, 2.7, None, 2.2],
    "Adam": [50],
}

FORMAT_SIZES = [(dim, k) for dim in (1_000_000, 10_000_000) for k in (10, 30, 100)]
# Targets for the last of these sizes: time of a step divided by fused Adam's, and bytes held a parameter.
FORMAT_TARGETS = {"sparse": (2, 8.4)}

DIAGONAL_SIZES = [(dim, k) for k in (3, 10) for dim in (1_000_000, 10_000_000)]
# Targets: time of a step with k = 3 divided by fused Adam's.
DIAGONAL_TARGETS = [2.2, 2.2, None, None]


def ratio(result: Result, name: str, over: str) -> str:
    """The time of `name` divided by the time of `over`, or the reason why one of them has no time."""
    ours, theirs = result.seconds[name], result.seconds[over]
    if isinstance(ours, str) or isinstance(theirs, str):
        return ours if isinstance(ours, str) else theirs
    return digits(ours / theirs)


def print_reasons(results: list[Result]) -> None:
    for reason in sorted({value for result in results for value in result.seconds.values() if isinstance(value, str)}):
        print(f"\n“{reason}”: left out, {REASONS[reason]}.")


def print_contenders() -> None:
    results = [compare(CONTENDERS, dim, k) for dim, k in SIZES]
    head = ["d, k"] + [text_of_size(dim, k) for dim, k in SIZES]
    names = [kind.name for kind in CONTENDERS]

    def against_ours(name: str, size: int) -> str:
        targets = TARGETS.get(name, [])
        return with_target(ratio(results[size], name, Lmada.name), targets[size] if size < len(targets) else None)

    versions = f"lmada {lmada.library_version()}, torch {torch.__version__}, torchzero {version('torchzero')}"
    print(f"\n{versions}, {torch.get_num_threads()} threads each. Time a step, median:\n")
    table(head, [[name] + [result.time(name) for result in results] for name in names])
    print("\nTheir time over lmada's; in parentheses the target:\n")
    table(head, [[name] + [against_ours(name, size) for size in range(len(SIZES))] for name in names[1:]])
    print_reasons(results)


def print_formats() -> None:
    results = [compare(FORMATS, dim, k) for dim, k in FORMAT_SIZES]
    head = ["d, k"] + [text_of_size(dim, k) for dim, k in FORMAT_SIZES]
    names, last = [kind.name for kind in FORMATS], len(FORMAT_SIZES) - 1

    def target(name: str, size: int, which: int) -> float | None:
        return FORMAT_TARGETS[name][which] if name in FORMAT_TARGETS and size == last else None

    def against_adam(name: str, size: int) -> str:
        return with_target(ratio(results[size], name, FusedAdam.name), target(name, size, 0))

    def held(name: str, size: int) -> str:
        result = results[size]
        text = f"{result.bytes[name] / FORMAT_SIZES[size][0]:.2f}" if name in result.bytes else result.time(name)
        return with_target(text, target(name, size, 1))

    print("\nlmada's history formats, sparse with density 0.01. Time a step, median:\n")
    table(head, [[name] + [result.time(name) for result in results] for name in names])
    print("\nTheir time over fused Adam's; in parentheses the target:\n")
    table(head, [[name] + [against_adam(name, size) for size in range(last + 1)] for name in names[:-1]])
    print("\nBytes held a parameter; in parentheses the target:\n")
    table(head, [[name] + [held(name, size) for size in range(last + 1)] for name in names])
    print_reasons(results)


def print_diagonal() -> None:
    results = [compare(WITH_AND_WITHOUT_DIAGONAL, dim, k) for dim, k in DIAGONAL_SIZES]
    head = ["d, k"] + [text_of_size(dim, k) for dim, k in DIAGONAL_SIZES]
    print("\nWith and without diagonal preconditioning, with momentum of updates. Time a step, median:\n")
    table(head, [[kind.name] + [result.time(kind.name) for result in results] for kind in WITH_AND_WITHOUT_DIAGONAL])
    print("\nTheir time over fused Adam's; in parentheses the target:\n")
    ratios = {kind: [ratio(result, kind.name, FusedAdam.name) for result in results] for kind in (Diagonal, Plain)}
    with_targets = [with_target(text, target) for text, target in zip(ratios[Diagonal], DIAGONAL_TARGETS)]
    table(head, [[Diagonal.name] + with_targets, [Plain.name] + ratios[Plain]])
    print_reasons(results)


def print_settings() -> None:
    sizes = [1_000_000, 10_000_000]
    most = max(kind.options["history_size"] for kind in SETTINGS[:-1])
    results = [compare(SETTINGS, dim, most) for dim in sizes]
    head = ["setting", "bytes a parameter"]
    for dim in sizes:
        size = text_of_size(dim, most).split(",")[0]
        head += [f"d = {size}: time a step", "of fused Adam's"]
    print("\nThe library's defaults, the recommended setting, and that setting with int8 and k = 10:\n")
    rows = []
    for kind in SETTINGS:
        rows.append([kind.name, f"{results[-1].bytes[kind.name] / sizes[-1]:.1f}"])
        for result in results:
            rows[-1] += [result.time(kind.name), ratio(result, kind.name, FusedAdam.name)]
    table(head, rows)


def main() -> None:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    Lmada.take_steps = ctypes.CDLL(os.path.abspath(sys.argv[1])).take_steps
    print_contenders()
    print_formats()
    print_diagonal()
    print_settings()


main()

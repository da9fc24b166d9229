"""lmada's k×k work against LAPACK's, as NumPy brings it: one thread each, float64, measured in turn.

    solves.py liblmada.so solver.so

A table in Markdown goes to stdout, progress to stderr. `solver.so` is what bench/parts/solver.c was compiled to. Needs
no PyTorch. Set OPENBLAS_NUM_THREADS=1 (and the like), else NumPy takes all processors.
"""

import ctypes
import os
import statistics
import sys
import time

import numpy

from tables import digits, table, text_of_seconds

SIZES = [10, 30, 100, 300, 1000]
ROUNDS = 15
SAMPLE = 0.01  # seconds that the solves of a sample take together, or one solve
BUDGET = 8.0  # seconds for all samples of one contender at one size

INVERSE_ROOT, GENERAL, EIGH = "lmada, inverse root", "lmada, general way", "NumPy, eigh"


def gram(k: int) -> numpy.ndarray:
    """Of the same kind as in solver.c: random gradients of norm 1."""
    gradients = numpy.random.default_rng(1).uniform(-1, 1, (k, max(2 * k, 64)))
    gradients /= numpy.linalg.norm(gradients, axis=1, keepdims=True)
    return gradients @ gradients.T


class Lmada:
    """A full window, whose solves are timed in C."""

    def __init__(self, path: str, k: int):
        self.calls = ctypes.CDLL(path)
        self.calls.solver_new.restype = ctypes.c_void_p
        self.calls.solver_new.argtypes = [ctypes.c_uint, ctypes.c_bool]
        self.calls.solver_time.restype = ctypes.c_double
        self.calls.solver_time.argtypes = [ctypes.c_void_p, ctypes.c_bool, ctypes.c_size_t]
        self.calls.solver_free.restype = None
        self.calls.solver_free.argtypes = [ctypes.c_void_p]
        self.solver = self.calls.solver_new(k, False)

    def seconds(self, general: bool, solves: int) -> float:
        return self.calls.solver_time(self.solver, general, solves)

    def __del__(self):
        self.calls.solver_free(self.solver)


def eigh_seconds(matrix: numpy.ndarray, solves: int) -> float:
    start = time.perf_counter()
    for _ in range(solves):
        numpy.linalg.eigh(matrix)
    return (time.perf_counter() - start) / solves


def medians(contenders: dict) -> dict[str, float]:
    """Seconds of a solve. A contender gives the seconds that each of so many solves takes."""
    counts, samples = {}, {name: [] for name in contenders}
    for name, seconds in contenders.items():
        seconds(1)  # takes longer than any later one
        once = seconds(1)
        solves = max(1, int(SAMPLE / once))
        counts[name] = solves, min(ROUNDS, max(3, int(BUDGET / (once * solves))))
    for round_number in range(ROUNDS):
        for name, seconds in contenders.items():
            solves, rounds = counts[name]
            if round_number < rounds:
                samples[name].append(seconds(solves))
    return {name: statistics.median(taken) for name, taken in samples.items()}


def measure(solver: str, k: int) -> dict[str, float]:
    print(f"solves, k = {k}", file=sys.stderr)
    ours, matrix = Lmada(solver, k), gram(k)
    return medians({
        INVERSE_ROOT: lambda solves: ours.seconds(False, solves),
        GENERAL: lambda solves: ours.seconds(True, solves),
        EIGH: lambda solves: eigh_seconds(matrix, solves),
    })  # fmt: skip


def main() -> None:
    library, solver = map(os.path.abspath, sys.argv[1:])
    ctypes.CDLL(library)  # `solver` has its soname, and finds it once it is loaded
    results = [measure(solver, k) for k in SIZES]
    print(f"\nThe k×k work alone (f64, one thread), against numpy {numpy.__version__}. Time of a solve, median:\n")
    rows = [[name] + [text_of_seconds(result[name]) for result in results] for name in results[0]]
    ratios = [[f"eigh over {name}"] + [digits(result[EIGH] / result[name]) for result in results]
              for name in (INVERSE_ROOT, GENERAL)]  # fmt: skip
    table(["k"] + [f"{k:,}" for k in SIZES], rows + ratios)


main()

"""Compares lmada's k×k work with NumPy's LAPACK: one thread each, float64, measured in turn.

    solves.py liblmada.so solver.so

A table in Markdown goes to stdout, progress to stderr. `solver.so` is compiled from bench/parts/solver.c. The program
needs no PyTorch. Set OPENBLAS_NUM_THREADS=1, MKL_NUM_THREADS=1 and OMP_NUM_THREADS=1; otherwise NumPy uses all
processors.
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
SAMPLE = 0.01  # seconds that the solves of a sample take together; a longer solve is a sample of its own
BUDGET = 8.0  # seconds for all samples of one contender at one size

INVERSE_ROOT, GENERAL, EIGH = "lmada, inverse root", "lmada, general way", "NumPy, eigh"


def gram(k: int) -> numpy.ndarray:
    """The Gram matrix of random gradients of norm 1, as in solver.c."""
    gradients = numpy.random.default_rng(1).uniform(-1, 1, (k, max(2 * k, 64)))
    gradients /= numpy.linalg.norm(gradients, axis=1, keepdims=True)
    return gradients @ gradients.T


class Lmada:
    """An optimizer with a full window. C code times its solves."""

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
    """The median of the seconds of a solve, for each contender.

    A contender is a function that takes a number of solves and returns the seconds of one.
    """
    counts, samples = {}, {name: [] for name in contenders}
    for name, seconds in contenders.items():
        seconds(1)  # the first solve takes longer than later ones
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
    ctypes.CDLL(library)  # `solver` needs the library by its soname, and the loader finds it once it is loaded
    results = [measure(solver, k) for k in SIZES]
    print(f"\nThe k×k work alone (f64, one thread), against numpy {numpy.__version__}. Time of a solve, median:\n")
    rows = [[name] + [text_of_seconds(result[name]) for result in results] for name in results[0]]
    ratios = [[f"eigh over {name}"] + [digits(result[EIGH] / result[name]) for result in results]
              for name in (INVERSE_ROOT, GENERAL)]  # fmt: skip
    table(["k"] + [f"{k:,}" for k in SIZES], rows + ratios)


main()

"""Saving, restoring and copying; changes of options, groups and learning rates between steps."""

from __future__ import annotations

import copy
import io
import math
import os
import pickle
import subprocess
import sys
import tempfile
import types
import unittest
from typing import Any, List

import numpy as np

import lmada
from test_steps import gradients

SETTINGS: List[Any] = [
    {},
    {"momentum_kind": "update", "clip_kind": "graft_ema_norm"},
    {**lmada.recommended(), "average_beta": 0.9},
    {"history_format": "sparse", "momentum_kind": "gradient"},
    {"history_format": "int8"},
]


class Short:
    """A raw file that takes and returns a part at a time."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def write(self, piece: Any) -> int:
        self.bytes += piece[:7]
        return min(len(piece), 7)

    def read(self, count: int) -> bytes:
        taken, self.bytes = self.bytes[: min(count, 5)], self.bytes[min(count, 5) :]
        return bytes(taken)


class StatesTest(unittest.TestCase):
    def test_each_way_goes_on_with_the_same_bits(self) -> None:
        for options in SETTINGS:
            for dim in (50, [20, 0, 30]):
                opt = lmada.Optimizer(dim, **options)
                w = np.ones(50, np.float32)
                given = gradients(30, 50, np.float32)
                for g in given[:20]:
                    opt.step(w, g)
                opt.set_lr(0.125)
                opt.set_groups([lmada.Group(3, 9, lr_scale=0.5)])
                file, short = io.BytesIO(), Short()
                opt.write(file)
                opt.write(short)
                self.assertEqual(file.getvalue(), opt.save())
                self.assertEqual(bytes(short.bytes), opt.save())
                file.write(b"behind")
                file.seek(0)
                loaded = lmada.Optimizer(dim, **options)
                loaded.load(opt.save())
                others = [
                    loaded,
                    lmada.Optimizer.read(file),
                    lmada.Optimizer.read(short),
                    copy.copy(opt),
                    copy.deepcopy(opt),
                    pickle.loads(pickle.dumps(opt)),
                ]
                self.assertEqual(file.read(), b"behind")
                params = [w.copy() for _ in others]
                for g in given[20:]:
                    opt.step(w, g)
                    for other, v in zip(others, params):
                        other.step(v, g)
                for other, v in zip(others, params):
                    np.testing.assert_array_equal(v, w)
                    self.assertEqual(
                        (other.save(), other.blocks, other.config()), (opt.save(), opt.blocks, opt.config())
                    )

    def test_float64_and_another_process(self) -> None:
        opt = lmada.Optimizer(5, dtype=np.float64, lr=0.25)
        opt.step(np.ones(5), np.arange(5.0))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "run.lmada")
            with open(path, "wb", buffering=0) as file:
                opt.write(file)
            program = "import sys, lmada; print(lmada.Optimizer.read(open(sys.argv[1], 'rb')).save().hex())"
            told = subprocess.run([sys.executable, "-c", program, path], check=True, capture_output=True, text=True)
        self.assertEqual(bytes.fromhex(told.stdout.strip()), opt.save())

    def test_streams_that_fail(self) -> None:
        opt = lmada.Optimizer(5)
        state = opt.save()
        with self.assertRaises(EOFError):
            lmada.Optimizer.read(io.BytesIO(state[:-1]))
        with self.assertRaises(lmada.BadStateError):
            lmada.Optimizer.read(io.BytesIO(state[:40] + bytes([state[40] ^ 1]) + state[41:]))
        with self.assertRaises(lmada.BadStateError):
            opt.load(state[:-1])

        class Full:
            def write(self, piece: Any) -> int:
                raise OSError("the disk is full")

        with self.assertRaisesRegex(OSError, "the disk is full"):
            opt.write(Full())
        self.assertEqual(opt.save(), state)

    def test_what_a_file_keeps_stays_as_it_was(self) -> None:
        """A file may keep a part of a piece after the call."""

        class Keeping:
            def __init__(self) -> None:
                self.pieces: List[memoryview] = []

            def write(self, piece: memoryview) -> None:
                self.pieces.append(piece[:])

        opt = lmada.Optimizer(100_000)
        opt.step(np.ones(100_000, np.float32), np.arange(100_000, dtype=np.float32))
        file = Keeping()
        opt.write(file)
        state = opt.save()
        opt.close()
        self.assertGreater(len(file.pieces), 1)
        self.assertEqual(b"".join(file.pieces), state)

    def test_files_that_take_nothing_or_give_too_much(self) -> None:
        class Blocked(io.RawIOBase):
            def write(self, _: Any) -> None:
                """Returns None, like a raw file that would have to wait."""

        class Stuck:
            def write(self, piece: Any) -> int:
                return 0

        class Generous(io.BytesIO):
            def read(self, count: Any = -1) -> bytes:
                return super().read(count + 1)

        opt = lmada.Optimizer(5)
        for file in (Blocked(), Stuck()):
            with self.assertRaisesRegex(OSError, "took none"):
                opt.write(file)
        with self.assertRaisesRegex(ValueError, "more bytes"):
            lmada.Optimizer.read(Generous(opt.save()))

    def test_a_step_under_way_is_not_saved(self) -> None:
        opt = lmada.Optimizer(5)
        opt.begin()
        for call in (opt.save, lambda: copy.copy(opt), lambda: pickle.dumps(opt)):
            with self.assertRaises(lmada.WrongPhaseError):
                call()

    def test_options_in_flight(self) -> None:
        opt = lmada.Optimizer(5, lr=0.5, weight_decay=0.5, threads=1)
        self.assertEqual(opt.config(), {**lmada.defaults(), "lr": 0.5, "weight_decay": 0.5, "threads": 1})
        opt.set_config(weight_decay=0.25, eps=1e-3)
        opt.set_lr(0.125)
        opt.set_grad_scale(2.0)
        now = opt.config()
        self.assertEqual((now["weight_decay"], now["eps"], now["lr"], now["grad_scale"]), (0.25, 1e-3, 0.125, 2.0))
        self.assertEqual(lmada.Optimizer(5, **lmada.recommended()).config(), lmada.recommended())

    def test_groups(self) -> None:
        plain, grouped = (lmada.Optimizer(10, lr=0.1, weight_decay=1.0) for _ in range(2))
        grouped.set_groups(
            [lmada.Group(0, 3, lr_scale=0), lmada.Group(5, 10, weight_decay_scale=0), lmada.Group(3, 5, lr_scale=0.5)]
        )
        g = gradients(1, 10, np.float32)[0]
        zeroed = g.copy()
        zeroed[:3] = 0
        a, b = np.ones(10, np.float32), np.ones(10, np.float32)
        direction = plain.direction(zeroed)
        grouped.step(b, g)
        a[3:5] = a[3:5] * 0.95 - np.float32(0.05) * direction[3:5]
        a[5:] -= np.float32(0.1) * direction[5:]
        np.testing.assert_allclose(b, a, rtol=3e-7)
        grouped.set_groups([])
        with self.assertRaises(lmada.InvalidArgumentError):
            grouped.set_groups([lmada.Group(0, 4), lmada.Group(3, 5)])
        with self.assertRaises(ValueError):
            grouped.set_groups([lmada.Group(5, 4)])

    def test_schedules(self) -> None:
        self.assertAlmostEqual(lmada.schedule("linear", 0.5, 3, warmup=4, total=8), 0.375)
        self.assertAlmostEqual(lmada.schedule("linear", 0.5, 6, warmup=4, total=8), 0.25)
        self.assertEqual(lmada.schedule("constant", 0.5, 7, total=8), 0.5)
        self.assertAlmostEqual(lmada.schedule("cosine", 1.0, 3, total=8), (1 + math.cos(math.pi * 3 / 8)) / 2)
        self.assertEqual(lmada.schedule("cosine", 1.0, 9, total=8), 0.0)
        for arguments in (("linear", -1.0, 1), ("linear", 1.0, -1), ("fast", 1.0, 1), ("linear", math.nan, 1)):
            with self.assertRaises(ValueError):
                lmada.schedule(*arguments, total=8)  # type: ignore[arg-type]

    def test_memory_is_told_before_it_is_taken(self) -> None:
        for options in SETTINGS:
            self.assertEqual(lmada.memory(1000, **options), lmada.Optimizer(1000, **options).stats().state_bytes)
        self.assertLess(lmada.memory(10**6, history_format="int8"), lmada.memory(10**6) / 3)

    def test_reset_forgets(self) -> None:
        opt, new = lmada.Optimizer(5, lr=0.25), lmada.Optimizer(5, lr=0.25)
        opt.step(np.ones(5, np.float32), np.ones(5, np.float32))
        self.assertNotEqual(opt.save(), new.save())
        opt.reset()
        self.assertEqual(opt.save(), new.save())

    def test_the_library_in_use(self) -> None:
        self.assertRegex(lmada.library_version(), r"^\d+\.\d+\.\d+$")
        self.assertIn("lmada", lmada.library_path())
        for library, words in (("/nowhere/liblmada.so", "finds no library"), ("libc.so.6", "is not an lmada library")):
            run = subprocess.run(
                [sys.executable, "-c", "import lmada"],
                env={**os.environ, "LMADA_LIBRARY": library},
                capture_output=True,
            )
            self.assertNotEqual(run.returncode, 0)
            self.assertIn(words, run.stderr.decode())
            self.assertIn("LMADA_LIBRARY", run.stderr.decode())
        for version, words in ((0, "update the library"), (2, "update the package"), (1, "no function lmada_")):
            other: Any = types.SimpleNamespace(lmada_abi_version=lambda version=version: version)
            with self.assertRaisesRegex(ImportError, words):
                lmada._library._declare(other, "other.so")


if __name__ == "__main__":
    unittest.main()

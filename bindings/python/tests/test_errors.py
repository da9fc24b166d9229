"""Errors: the class of each exception, a message that names the argument, and no change of optimizer or arrays."""

from __future__ import annotations

import pickle
import threading
import unittest
from typing import Any

import numpy as np

import lmada


def ones(count: int, dtype: Any = np.float32) -> Any:
    return np.ones(count, dtype)


class ErrorsTest(unittest.TestCase):
    def test_the_library_s_refusals(self) -> None:
        opt = lmada.Optimizer(3)
        w = ones(3)
        both = ones(4)
        for kind, builtin, words, call in (
            (lmada.InvalidArgumentError, ValueError, "lr is -1", lambda: lmada.Optimizer(3, lr=-1)),
            (lmada.InvalidArgumentError, ValueError, "momentum is 1", lambda: opt.set_config(momentum=1)),
            (lmada.InvalidArgumentError, ValueError, "history_size", lambda: opt.set_config(history_size=4)),
            (lmada.InvalidArgumentError, ValueError, "overlap", lambda: opt.step(both[:3], both[1:])),
            (lmada.DimensionMismatchError, ValueError, "dim is 2", lambda: opt.step(w[:2], ones(2))),
            (lmada.NonFiniteError, ArithmeticError, "element 1", lambda: opt.step(w, ones(3) / np.float32([1, 0, 1]))),
            (lmada.WrongPhaseError, RuntimeError, "", opt.end),
            (lmada.BadStateError, ValueError, "", lambda: opt.load(b"nothing")),
            (lmada.BadStateError, ValueError, "empty", lambda: opt.load(b"")),
            (lmada.OutOfMemoryError, MemoryError, "", lambda: lmada.Optimizer(2**58)),
        ):
            with self.subTest(words or kind.__name__), np.errstate(divide="ignore"):
                before = opt.save(), w.copy()
                with self.assertRaises(kind) as caught:
                    call()
                self.assertIn(words, str(caught.exception))
                self.assertIsInstance(caught.exception, (builtin,))
                self.assertIsInstance(caught.exception, lmada.LmadaError)
                np.testing.assert_array_equal(w, before[1])
                self.assertEqual(opt.save(), before[0])
        self.assertEqual(opt.stats().refused, 1)
        self.assertEqual(opt.stats().non_finite_index, 1)

    def test_every_status_has_a_class_of_its_own(self) -> None:
        kinds = [kind for kind in vars(lmada).values() if isinstance(kind, type) and issubclass(kind, lmada.LmadaError)]
        self.assertEqual(sorted(kind.status for kind in kinds), [-1, *range(1, 11)])
        error = pickle.loads(pickle.dumps(lmada.NonFiniteError("words")))
        self.assertEqual((type(error), str(error), error.status), (lmada.NonFiniteError, "words", 4))

    def test_arrays_that_do_not_fit(self) -> None:
        opt, double = lmada.Optimizer(6), lmada.Optimizer(6, dtype="float64")
        w: Any = ones(6)
        fixed = ones(6)
        fixed.flags.writeable = False
        square = ones(9).reshape(3, 3)
        nine = lmada.Optimizer(9)
        for kind, words, call in (
            (TypeError, "params has to be of float32", lambda: opt.step(ones(6, np.float64), w)),
            (TypeError, "grads has to be of float64", lambda: double.step(ones(6, np.float64), w)),
            (TypeError, "grads has to be one array", lambda: opt.step(w, [1.0] * 6)),
            (TypeError, "grads[1] has to be a NumPy array", lambda: opt.step([w[:3], w[3:]], [ones(3), 5])),
            (TypeError, "params[0] has to be a NumPy array", lambda: opt.step([None], [ones(3)])),
            (TypeError, "uint16", lambda: opt.step_bf16(w, ones(6))),
            (TypeError, "params_bf16", lambda: opt.step_bf16(w, ones(6, np.uint16), [0] * 6)),
            (TypeError, "totals has to be of float64", lambda: opt.solve(ones(6))),
            (TypeError, "totals has to be a NumPy array", lambda: opt.solve([0.0] * 6)),
            (TypeError, "not of >f4", lambda: opt.step(w, ones(6).astype(">f4"))),
            (ValueError, "contiguous", lambda: opt.step(ones(12)[::2], w)),
            (ValueError, "read-only", lambda: opt.step(fixed, w)),
            (ValueError, "shapes (6,) and (2, 3)", lambda: opt.step(w, ones(6).reshape(2, 3))),
            (ValueError, "different memory orders", lambda: nine.step(square, np.asfortranarray(square) + square.T)),
            (ValueError, "1 arrays of parameters and 2", lambda: opt.step([w], [w, w])),
            (ValueError, "at least one parameter", lambda: lmada.Optimizer(0)),
            (ValueError, "length of a block", lambda: lmada.Optimizer([3, -1])),
            (ValueError, "float16", lambda: lmada.Optimizer(3, dtype="float16")),
        ):
            with self.subTest(words):
                before = w.copy()
                with self.assertRaises(kind) as caught:
                    call()
                self.assertIn(words, str(caught.exception))
                np.testing.assert_array_equal(w, before)

    def test_options_that_are_none(self) -> None:
        for kind, words, options in (
            (TypeError, "there is no option 'rate'", {"rate": 1}),
            (ValueError, "none, gradient, update, window", {"momentum_kind": "heavy"}),
            (ValueError, "history_size cannot be -1", {"history_size": -1}),
            (TypeError, "history_size cannot be 1.5", {"history_size": 1.5}),
            (TypeError, "lr cannot be 'high'", {"lr": "high"}),
            (TypeError, "centered is True or False", {"centered": "no"}),
        ):
            with self.subTest(words):
                with self.assertRaises(kind) as caught:
                    lmada.Optimizer(3, **options)  # type: ignore[arg-type]
                self.assertIn(words, str(caught.exception))

    def test_a_closed_optimizer(self) -> None:
        with lmada.Optimizer(3) as opt:
            self.assertFalse(opt.closed)
        opt.close()
        self.assertTrue(opt.closed)
        self.assertIn("closed", repr(opt))
        for call in (opt.save, opt.stats, opt.reset, lambda: opt.step(ones(3), ones(3))):
            with self.assertRaisesRegex(ValueError, "closed"):
                call()

    def test_an_optimizer_whose_creation_failed_has_a_repr(self) -> None:
        self.assertIn("closed", repr(lmada.Optimizer.__new__(lmada.Optimizer)))

    def test_numbers_beyond_those_of_c(self) -> None:
        """ctypes would take their lowest bits."""
        large = 2**64
        opt = lmada.Optimizer(3)
        for call in (
            lambda: lmada.Optimizer(large + 3),
            lambda: lmada.Optimizer([3, large]),
            lambda: lmada.memory(large + 3),
            lambda: opt.set_groups([lmada.Group(large, large + 2, 0.0)]),
            lambda: opt.set_groups([lmada.Group(0, large + 2, 0.0)]),
            lambda: opt.load_shares(large, [opt.save()]),
            lambda: lmada.schedule("linear", 1.0, large, total=8),
            lambda: lmada.schedule("linear", 1.0, 1, total=large + 8),
            lambda: lmada.schedule("linear", 1.0, 1, total=8, warmup=large),
        ):
            with self.assertRaisesRegex(ValueError, "cannot be 18446744073709551"):
                call()
        for options in ({"history_size": 2**32 + 1}, {"threads": 2**32}):
            with self.assertRaisesRegex(ValueError, "cannot be 429496729"):
                opt.set_config(**options)  # type: ignore[arg-type]
        with self.assertRaisesRegex(ValueError, "option eps is beyond"):
            opt.set_config(eps=10**400)
        short = np.zeros(3, np.uint16)
        opt.begin()
        opt.feed(ones(3))
        opt.solve()
        for call in (
            lambda: opt.feed(ones(3), large),
            lambda: opt.feed_bf16(short, large),
            lambda: opt.apply(ones(3), ones(3), large),
            lambda: opt.apply_bf16(ones(3), short, offset=large),
            lambda: opt.apply_direction(ones(3), ones(3), large),
        ):
            with self.assertRaisesRegex(ValueError, "offset cannot be 18446744073709551616"):
                call()

    def test_numbers_of_other_types(self) -> None:
        opt = lmada.Optimizer(3)
        self.assertEqual(lmada.schedule("linear", np.float32(0.5), np.int64(6), total=8, warmup=np.uint8(4)), 0.25)
        opt.set_lr(np.float32(0.5))
        opt.set_groups([lmada.Group(np.uint64(1), np.uint64(3), 0.0)])
        for words, call in (
            ("lr cannot be 'high'", lambda: opt.set_lr("high")),  # type: ignore[arg-type]
            ("grad_scale cannot be None", lambda: opt.set_grad_scale(None)),  # type: ignore[arg-type]
            ("dim cannot be 3.0", lambda: lmada.Optimizer(3.0)),  # type: ignore[arg-type]
            ("length of a block cannot be 1.5", lambda: lmada.Optimizer([1.5])),  # type: ignore[list-item]
            ("step cannot be 1.5", lambda: lmada.schedule("linear", 1.0, 1.5, total=8)),  # type: ignore[arg-type]
        ):
            with self.assertRaisesRegex(TypeError, words):
                call()

    def test_a_second_thread_is_refused_and_the_gil_released(self) -> None:
        """While one thread is inside a long step, Python continues and sees the optimizer busy."""
        opt = lmada.Optimizer(1_000_000, threads=1)
        w, g = ones(len(opt)), ones(len(opt))
        busy = False
        for _ in range(100):
            thread = threading.Thread(target=opt.step, args=(w, g))
            thread.start()
            while thread.is_alive() and not busy:
                try:
                    opt.stats()
                except lmada.BusyError:
                    busy = True
            thread.join()
            if busy:
                break
        self.assertTrue(busy)


if __name__ == "__main__":
    unittest.main()

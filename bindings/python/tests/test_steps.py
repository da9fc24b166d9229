"""Steps compared with the reference with a tall SVD, for each option and each function that steps."""

from __future__ import annotations

import unittest
from typing import Any, Dict, List

import numpy as np

import lmada
from reference import Reference, adagrad, trajectories

# The promised relative error of a direction.
PROMISED = {np.float32: 2e-6, np.float64: 1e-10}

OPTIONS: List[Dict[str, Any]] = [
    {},
    {"history_size": 1},
    {"eps": 1e-2, "power": 0.25},
    {"eps_relative": 1e-3},
    {"eps": 1e-3, "eps_on_root": True, "power": 1.0},
    {"history_decay": 0.8},
    {"centered": True, "orthogonal_scale": 0.5, "eps": 1e-3},
    {"momentum_kind": "gradient", "momentum": 0.8, "eps": 1e-3, "orthogonal_scale": 0.1},
    {"momentum_kind": "update"},
    {"momentum_kind": "update", "bias_correction": False},
    {"momentum_kind": "window", "momentum": 0.7},
    {"clip_kind": "norm", "clip_norm": 0.3},
    {"clip_kind": "ema_norm", "clip_factor": 0.9, "clip_beta": 0.8},
    {"clip_kind": "graft_ema_norm", "clip_beta": 0.5},
    {"clip_kind": "ema_vector", "clip_beta": 0.8},
    {"clip_kind": "graft_ema_vector", "clip_beta": 0.8},
    {"clip_kind": "graft_input"},
    {"weight_decay": 0.3, "lr": 0.5},
    {"grad_scale": 0.125},
    {"grad_clip_norm": 2.0},
    {"diagonal_beta": 0.9, "diagonal_eps": 1e-12},
    {"diagonal_beta": 0.9, "clip_kind": "graft_input"},
    {"diagonal_beta": 0.99, "momentum_kind": "update", "eps": 0.0, "eps_relative": 1e-9, "diagonal_eps": 1e-30},
    {"threads": 1},
]


def gradients(count: int, dim: int, dtype: Any, seed: int = 1) -> List[Any]:
    return list(np.random.default_rng(seed).standard_normal((count, dim)).astype(dtype))


class StepsTest(unittest.TestCase):
    def near(self, found: Any, wanted: Any, base: Any, dtype: Any, what: Any) -> None:
        """Compares the movement of the parameters. Parameters are rounded to their type once a step."""
        moved = np.linalg.norm(wanted - base)
        rounding = np.finfo(dtype).eps * np.linalg.norm(wanted)
        self.assertLessEqual(np.linalg.norm(found - wanted), PROMISED[dtype] * moved + rounding, what)

    def test_the_notes_reference_step_by_step(self) -> None:
        for dtype in (np.float32, np.float64):
            w = np.linspace(-1, 1, 40).astype(dtype)
            history: List[Any] = []
            opt = lmada.Optimizer(w.size, dtype=dtype, lr=0.1, eps=1e-6, history_size=5)
            for g in gradients(17, w.size, dtype):
                before = w.copy()
                history = [*history, g][-5:]
                opt.step(w, g)
                self.near(w, adagrad(before.astype(float), history, 0.1, 1e-6), before, dtype, dtype)

    def test_the_notes_trajectories(self) -> None:
        for case in trajectories():
            for dtype, error in ((np.float32, 1e-5), (np.float64, 1e-9)):
                w = np.array(case["start"], dtype=dtype)
                opt = lmada.Optimizer(
                    w.size, dtype=dtype, lr=case["lr"], eps=case["eps"], history_size=case["history_size"]
                )
                for gradient, wanted in zip(case["gradients"], case["parameters"]):
                    opt.step(w, np.array(gradient, dtype=dtype))
                    self.assertLessEqual(np.linalg.norm(w - wanted), error * np.linalg.norm(wanted))

    def test_every_option_step_by_step(self) -> None:
        for dtype in (np.float32, np.float64):
            for options in OPTIONS:
                with self.subTest(dtype=dtype.__name__, **options):
                    w = np.linspace(-1, 1, 30).astype(dtype)
                    all_options = {"history_size": 6, "lr": 0.1, **options}
                    opt, reference = lmada.Optimizer(30, dtype=dtype, **all_options), Reference(30, **all_options)
                    for g in gradients(15, 30, dtype):
                        before = w.copy()
                        opt.step(w, g)
                        self.near(w, reference.step(before, g), before, dtype, options)

    def test_blocks_are_optimizers_of_their_own(self) -> None:
        whole = lmada.Optimizer([12, 0, 8], lr=0.1)
        parts = [lmada.Optimizer(12, lr=0.1), lmada.Optimizer(8, lr=0.1)]
        w = np.ones(20, np.float32)
        first, second = np.ones(12, np.float32), np.ones(8, np.float32)
        for g in gradients(5, 20, np.float32):
            whole.step(w, g)
            parts[0].step(first, g[:12])
            parts[1].step(second, g[12:])
        np.testing.assert_array_equal(w, np.concatenate([first, second]))
        self.assertEqual((whole.blocks, len(whole)), ((12, 0, 8), 20))

    def test_lists_of_arrays_step_as_one(self) -> None:
        for dtype in (np.float32, np.float64):
            one, many = lmada.Optimizer(26, dtype=dtype, lr=0.1), lmada.Optimizer(26, dtype=dtype, lr=0.1)
            w = np.ones(26, dtype)
            parts = [np.ones((4, 5), dtype), np.ones((2, 3), dtype, order="F")]
            for g in gradients(4, 26, dtype):
                one.step(w, g)
                many.step(parts, [g[:20].reshape(4, 5), g[20:].reshape(2, 3, order="F")])
            np.testing.assert_array_equal(w[:20], parts[0].ravel())
            np.testing.assert_array_equal(w[20:], parts[1].ravel(order="F"))

    def test_a_gradient_that_is_none_leaves_its_array_alone(self) -> None:
        zeros, none = (lmada.Optimizer(5, lr=0.1, weight_decay=0.5) for _ in range(2))
        a, b = [np.ones(2, np.float32), np.ones(3, np.float32)], [np.ones(2, np.float32), np.ones(3, np.float32)]
        for g in gradients(3, 3, np.float32):
            zeros.step(a, [np.zeros(2, np.float32), g])
            none.step(b, [None, g])
        np.testing.assert_array_equal(b[0], np.ones(2))
        np.testing.assert_array_equal(a[1], b[1])

    def test_direction_observe_and_precondition(self) -> None:
        for dtype in (np.float32, np.float64):
            stepped, directed, own = (lmada.Optimizer(30, dtype=dtype, lr=1.0) for _ in range(3))
            w = np.zeros(30, dtype)
            for g in gradients(12, 30, dtype):
                before = w.copy()
                stepped.step(w, g)
                direction = directed.direction(g)
                own.observe(g)
                u = own.precondition(g, np.empty_like(g))
                np.testing.assert_allclose(w, before - direction, rtol=0, atol=2 * np.finfo(dtype).eps)
                self.assertLess(np.linalg.norm(u - direction), 1e-5 * np.linalg.norm(u))
            with self.assertRaises(lmada.WrongPhaseError):
                lmada.Optimizer(30, dtype=dtype).precondition(w)

    def test_averaged_params(self) -> None:
        opt = lmada.Optimizer(7, dtype=np.float64, average_beta=0.9, lr=0.1)
        parts, average = [np.ones(4), np.ones(3)], np.zeros(7)
        with self.assertRaises(lmada.WrongPhaseError):
            opt.averaged_params()
        for step, g in enumerate(gradients(6, 7, np.float64), 1):
            opt.step(parts, [g[:4], g[4:]])
            average = 0.9 * average + 0.1 * np.concatenate(parts)
            np.testing.assert_allclose(opt.averaged_params(), average / (1 - 0.9**step), rtol=1e-13)
        out = [np.empty(4), np.empty((3, 1), order="F")]
        opt.averaged_params(out)
        np.testing.assert_array_equal(np.concatenate([out[0], out[1].ravel()]), opt.averaged_params())
        with self.assertRaises(ValueError):
            opt.averaged_params([np.empty(4)])

    def test_bfloat16(self) -> None:
        """A bfloat16 step equals the step on these numbers in float32. The copy is rounded to nearest, ties to even."""
        plain, short, phases = (lmada.Optimizer(50, lr=0.1) for _ in range(3))
        a, b, c = np.ones(50, np.float32), np.ones(50, np.float32), np.ones(50, np.float32)
        copy, other = np.zeros(50, np.uint16), np.zeros(50, np.uint16)
        for g in gradients(6, 50, np.float32):
            bits = (g.view(np.uint32) >> 16).astype(np.uint16)
            same = (bits.astype(np.uint32) << 16).view(np.float32)
            plain.step(a, same)
            short.step_bf16(b, bits, copy)
            phases.begin()
            phases.feed_bf16(bits)
            phases.solve()
            phases.apply_bf16(c, bits, other)
            phases.end()
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, c)
            whole = a.view(np.uint32).astype(np.uint64)
            rounded = ((whole + 0x7FFF + ((whole >> 16) & 1)) >> 16).astype(np.uint16)
            np.testing.assert_array_equal(copy, rounded)
            np.testing.assert_array_equal(other, rounded)
        short.step_bf16(b, bits)

    def test_compressed_windows_train(self) -> None:
        for history_format, most in (("full", 1e-6), ("bf16", 1e-2), ("f16", 2e-3), ("int8", 0.1)):
            opt, full = lmada.Optimizer(600, history_format=history_format), lmada.Optimizer(600)
            for g in gradients(12, 600, np.float32):
                a, b = opt.direction(g), full.direction(g)
            self.assertLess(np.linalg.norm(a - b), most * np.linalg.norm(b), history_format)
        sparse = lmada.Optimizer(600, history_format="sparse", density=0.1)
        direction = sparse.direction(gradients(1, 600, np.float32)[0])
        self.assertEqual(np.count_nonzero(direction), 60)


if __name__ == "__main__":
    unittest.main()

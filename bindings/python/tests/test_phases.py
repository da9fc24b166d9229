"""Steps in phases, and parameters split over processes (here several optimizers)."""

from __future__ import annotations

import unittest
from typing import Any

import numpy as np

import lmada
from test_steps import gradients


class PhasesTest(unittest.TestCase):
    def test_one_piece_has_the_bits_of_a_step(self) -> None:
        for dtype in (np.float32, np.float64):
            whole, phases = lmada.Optimizer(9, dtype=dtype), lmada.Optimizer(9, dtype=dtype)
            a, b = np.ones(9, dtype), np.ones(9, dtype)
            for g in gradients(4, 9, dtype):
                whole.step(a, g)
                phases.begin()
                phases.feed(g)
                phases.solve()
                self.assertEqual(phases.stats().steps, whole.stats().steps)
                phases.apply(b, g)
                phases.end()
                np.testing.assert_array_equal(a, b)

    def test_pieces_come_in_any_order(self) -> None:
        whole, phases = lmada.Optimizer(20, dtype=np.float64), lmada.Optimizer(20, dtype=np.float64)
        a, b = np.ones(20), np.ones(20)
        for g in gradients(15, 20, np.float64):
            whole.step(a, g)
            phases.begin()
            for start, stop in ((12, 20), (0, 5), (5, 12)):
                phases.feed(g[start:stop], offset=start)
            phases.solve()
            for start, stop in ((5, 20), (0, 5)):
                phases.apply(b[start:stop], g[start:stop], offset=start)
            phases.end()
        np.testing.assert_allclose(a, b, rtol=1e-12)

    def test_directions_in_phases(self) -> None:
        whole, phases = lmada.Optimizer(20), lmada.Optimizer(20)
        out = np.empty(20, np.float32)
        for g in gradients(3, 20, np.float32):
            phases.begin()
            phases.feed(g)
            phases.solve()
            phases.apply_direction(out, g)
            phases.end()
            np.testing.assert_array_equal(out, whole.direction(g))

    def test_shares_step_as_the_whole(self) -> None:
        whole = lmada.Optimizer(20, dtype=np.float64, lr=0.1)
        shares = [lmada.Optimizer([12], dtype=np.float64, lr=0.1), lmada.Optimizer([8], dtype=np.float64, lr=0.1)]
        w, parts = np.ones(20), [np.ones(12), np.ones(8)]
        for g in gradients(12, 20, np.float64):
            whole.step(w, g)
            pieces = [g[:12], g[12:]]
            for opt, piece in zip(shares, pieces):
                opt.begin()
                opt.feed(piece)
            totals = shares[0].partials() + shares[1].partials()
            for opt, part, piece in zip(shares, parts, pieces):
                opt.solve(totals)
                opt.apply(part, piece)
                opt.end()
        np.testing.assert_allclose(np.concatenate(parts), w, rtol=1e-12)
        # Resumes on one process.
        again = lmada.Optimizer(20, dtype=np.float64, lr=0.1)
        again.load_shares(0, [opt.save() for opt in shares])
        self.assertEqual(again.stats().steps, 12)
        g = gradients(1, 20, np.float64, seed=2)[0]
        np.testing.assert_allclose(again.direction(g), whole.direction(g), rtol=1e-9)
        with self.assertRaises(ValueError):
            again.load_shares([0, 1], [shares[0].save()])

    def test_a_step_can_be_dropped(self) -> None:
        opt = lmada.Optimizer(4)
        w = np.ones(4, np.float32)
        opt.step(w, np.ones(4, np.float32))
        before = opt.save()
        opt.begin()
        with self.assertRaises(lmada.WrongPhaseError):
            opt.step(w, np.ones(4, np.float32))
        opt.feed(np.full(4, np.nan, np.float32))
        with self.assertRaises(lmada.NonFiniteError):
            opt.solve()
        opt.cancel()
        self.assertEqual(opt.save(), before)

    def test_bad_pieces_are_refused(self) -> None:
        opt = lmada.Optimizer(6)
        piece: Any = np.ones(4, np.float32)
        with self.assertRaises(lmada.WrongPhaseError):
            opt.feed(piece)
        opt.begin()
        opt.feed(piece)
        for offset in (2, 4):
            with self.assertRaises(lmada.InvalidArgumentError):
                opt.feed(piece, offset=offset)
        with self.assertRaises(ValueError):
            opt.feed(piece, offset=-1)
        with self.assertRaises(lmada.WrongPhaseError):
            opt.solve()
        opt.feed(piece[:2], offset=4)
        with self.assertRaises(ValueError):
            opt.solve(np.zeros(3))
        opt.solve(opt.partials())
        opt.reset()


if __name__ == "__main__":
    unittest.main()

"""Steps of lmada.torch.LMAdagrad, compared with the reference, and bit by bit with the NumPy optimizer."""

from __future__ import annotations

import unittest
import warnings
from typing import Any, List

import numpy as np
import torch

import lmada
from lmada.torch import LMAdagrad
from reference import adagrad, trajectories
from torch_models import SameTest, flat, give_gradients, tensors


class StepTest(SameTest):
    def test_the_notes_reference_step_by_step(self) -> None:
        for dtype, promised in ((torch.float32, 2e-6), (torch.float64, 1e-10)):
            params = tensors((4, 5), (7,), (), dtype=dtype)
            optimizer, history = LMAdagrad(params, lr=0.1, eps=1e-6, history_size=4), []
            for step in range(12):
                give_gradients(params, step)
                before = flat(params).astype(float)
                history = [*history, np.concatenate([param.grad.numpy().ravel() for param in params])][-4:]
                optimizer.step()
                wanted = adagrad(before, history, 0.1, 1e-6)
                allowed = promised * np.linalg.norm(wanted - before) + torch.finfo(dtype).eps * np.linalg.norm(wanted)
                self.assertLessEqual(np.linalg.norm(flat(params) - wanted), allowed)

    def test_the_notes_trajectories(self) -> None:
        for case in trajectories():
            for dtype, error in ((torch.float32, 1e-5), (torch.float64, 1e-9)):
                w = torch.tensor(case["start"], dtype=dtype)
                params = [
                    torch.nn.Parameter(w[: w.numel() // 2].clone()),
                    torch.nn.Parameter(w[w.numel() // 2 :].clone()),
                ]
                optimizer = LMAdagrad(params, lr=case["lr"], eps=case["eps"], history_size=case["history_size"])
                for gradient, wanted in zip(case["gradients"], case["parameters"]):
                    for param, piece in zip(params, (gradient[: w.numel() // 2], gradient[w.numel() // 2 :])):
                        param.grad = torch.tensor(piece, dtype=dtype)
                    optimizer.step()
                    self.assertLessEqual(np.linalg.norm(flat(params) - wanted), error * np.linalg.norm(wanted))

    def test_a_group_is_one_optimizer_over_all_its_tensors(self) -> None:
        for dtype in (torch.float32, torch.float64):
            params = tensors((3, 4), (5,), (2, 3, 2), (0,), dtype=dtype)
            options: Any = {**lmada.recommended(), "weight_decay": 0.1, "clip_kind": "norm"}
            optimizer = LMAdagrad(params, **options)
            w = flat(params)
            opt = lmada.Optimizer(w.size, dtype=w.dtype, **options)
            addresses = [param.data_ptr() for param in params]
            for step in range(8):
                give_gradients(params, step)
                opt.step(w, np.concatenate([param.grad.numpy().ravel() for param in params]))
                optimizer.step()
                np.testing.assert_array_equal(flat(params), w)
            self.assertEqual(addresses, [param.data_ptr() for param in params])
            self.assertEqual(optimizer.stats(), [opt.stats()])

    def test_missing_gradients(self) -> None:
        a, b = tensors((3,), (4,)), tensors((3,), (4,))
        first, second = LMAdagrad(a, lr=0.1, weight_decay=0.5), LMAdagrad(b, lr=0.1, weight_decay=0.5)
        b[0].requires_grad_(False)
        start = a[0].clone()
        for step in range(3):
            give_gradients(a, step)
            give_gradients(b, step)
            a[0].grad = torch.zeros(3)
            b[0].grad = None
            version = b[0]._version
            first.step()
            second.step()
            self.same(a[1:], b[1:])
            self.assertTrue(torch.equal(b[0], start))
            self.assertEqual(b[0]._version, version)
        second.zero_grad(set_to_none=True)
        before = second.state_dict()["param_groups"][0]["lmada_state"]
        second.step()
        self.assertEqual(second.stats()[0].steps, 3)
        self.same([before], [second.state_dict()["param_groups"][0]["lmada_state"]])

    def test_bfloat16(self) -> None:
        params = tensors((40,), (5, 6), (3, 0), dtype=torch.bfloat16)
        optimizer = LMAdagrad(params, lr=0.01)
        masters = torch.cat([param.detach().float().ravel() for param in params]).numpy()
        opt, rounded = lmada.Optimizer(70, lr=0.01), np.zeros(70, np.uint16)
        for step in range(20):
            give_gradients(params, step)
            bits = torch.cat([param.grad.ravel() for param in params]).view(torch.int16).numpy().view(np.uint16)
            opt.begin()
            opt.feed_bf16(bits[:40])
            opt.feed_bf16(bits[40:], offset=40)
            opt.solve()
            opt.apply_bf16(masters, bits, rounded)
            opt.end()
            optimizer.step()
            found = torch.cat([param.detach().ravel() for param in params]).view(torch.int16).numpy().view(np.uint16)
            np.testing.assert_array_equal(found, rounded)
            np.testing.assert_array_equal(optimizer._groups[0].masters.numpy(), masters)
        # A change of a parameter by the program updates its master. A parameter without a gradient keeps its bits.
        with torch.no_grad():
            params[0].fill_(3)
        before = params[1].clone()
        give_gradients(params, 1)
        params[1].grad = None
        optimizer.step()
        self.assertLess(float((params[0].detach().float() - 3).abs().max()), 0.1)
        self.assertTrue(torch.equal(params[1], before))
        give_gradients(params, 2)
        optimizer.step()
        self.assertFalse(torch.equal(params[1], before))
        # A refused call has changed nothing.
        before, masters = params[0].clone(), optimizer._groups[0].masters.clone()
        params[0].grad[3] = float("nan")
        with self.assertRaises(lmada.NonFiniteError):
            optimizer.step()
        self.same([before, masters], [params[0], optimizer._groups[0].masters])
        give_gradients(params, 3)
        optimizer.step()

    def test_complex_parameters_are_pairs(self) -> None:
        a = [
            torch.nn.Parameter(torch.randn(3, 2, dtype=torch.complex64)),
            torch.nn.Parameter(torch.randn(4, dtype=torch.complex64)),
        ]
        b = [torch.nn.Parameter(torch.view_as_real(param.detach()).clone()) for param in a]
        first, second = LMAdagrad(a, lr=0.1, average_beta=0.5), LMAdagrad(b, lr=0.1, average_beta=0.5)
        for _ in range(4):
            for p, q in zip(a, b):
                p.grad = torch.randn_like(p)
                q.grad = torch.view_as_real(p.grad).clone()
                if p.dim() == 1:
                    p.grad, q.grad = p.grad.conj(), q.grad * torch.tensor([1.0, -1.0])
            first.step()
            second.step()
            self.same([torch.view_as_real(param.detach()) for param in a], b)
        averages = zip(first.averaged_params()[0], second.averaged_params()[0])
        for p, q in averages:
            torch.testing.assert_close(torch.view_as_real(p), q)

    def test_layouts_of_parameters_and_gradients(self) -> None:
        generator = torch.Generator().manual_seed(3)

        def made() -> List[Any]:
            image = torch.randn(2, 3, 4, 5, generator=generator).contiguous(memory_format=torch.channels_last)
            return [torch.nn.Parameter(image), torch.nn.Parameter(torch.randn(4, 3, generator=generator).t())]

        params = made()
        optimizer = LMAdagrad(params, lr=0.1, average_beta=0.9)
        plain = [torch.nn.Parameter(param.detach().contiguous()) for param in params]
        other = LMAdagrad(plain, lr=0.1, average_beta=0.9)
        for step in range(5):
            for p, q in zip(params, plain):
                q.grad = torch.randn(p.shape, generator=generator)
                # The gradient has the memory layout of the parameter, or another.
                p.grad = q.grad.clone() if step % 2 else torch.empty_like(p).copy_(q.grad)
            optimizer.step()
            other.step()
            for p, q in zip(params, plain):
                torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-6)
        for p, q in zip(optimizer.averaged_params()[0], other.averaged_params()[0]):
            torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-6)
        self.same(
            [torch.tensor(p.stride()) for p in params],
            [torch.tensor(a.stride()) for a in optimizer.averaged_params()[0]],
        )

    def test_gaps_in_memory_are_copied_with_a_warning_once(self) -> None:
        gaps = [torch.nn.Parameter(torch.ones(4, 6)[:, ::2]), torch.nn.Parameter(torch.ones(3))]
        plain = [torch.nn.Parameter(param.detach().contiguous()) for param in gaps]
        optimizer, other = LMAdagrad(gaps, lr=0.1), LMAdagrad(plain, lr=0.1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for step in range(3):
                give_gradients(gaps, step)
                give_gradients(plain, step)
                optimizer.step()
                other.step()
                self.same(gaps, plain)
        self.assertEqual(["not contiguous in memory" in str(warning.message) for warning in caught], [True])

    def test_parameters_and_gradients_that_move_are_found(self) -> None:
        a, b = tensors((5,), (2, 2)), tensors((5,), (2, 2))
        first, second = LMAdagrad(a, lr=0.1), LMAdagrad(b, lr=0.1)
        kept = []
        for step in range(6):
            give_gradients(a, step)
            give_gradients(b, step)
            if step % 2:
                kept.append(a[1].data)
                a[1].data = a[1].data.clone()
                a[0].grad.data = a[0].grad.data.clone()
            first.step()
            second.step()
            self.same(a, b)
        a[1].data = torch.ones(3)
        with self.assertRaisesRegex(ValueError, "number of elements"):
            first.step()
        a[1].data = torch.ones(2, 2, dtype=torch.float64)
        with self.assertRaisesRegex(ValueError, "type"):
            first.step()

    def test_a_graph_of_the_old_parameters_is_refused(self) -> None:
        for dtype in (torch.float32, torch.bfloat16):
            weight = torch.nn.Parameter(torch.ones(3, dtype=dtype))
            optimizer = LMAdagrad([weight], lr=0.1)
            loss = (weight * weight).sum()
            loss.backward(retain_graph=True)
            optimizer.step()
            with self.assertRaisesRegex(RuntimeError, "modified by an inplace operation"):
                loss.backward()

    def test_what_is_not_finite_is_refused(self) -> None:
        params = tensors((3,), (4,))
        optimizer = LMAdagrad(params, lr=0.1)
        give_gradients(params, 1)
        optimizer.step()
        before = [param.clone() for param in params], optimizer.state_dict()["param_groups"][0]["lmada_state"]
        params[1].grad[2] = float("inf")
        versions = [param._version for param in params]
        with self.assertRaisesRegex(lmada.NonFiniteError, r"grads\[1\]"):
            optimizer.step()
        self.same(before[0], params)
        self.same([before[1]], [optimizer.state_dict()["param_groups"][0]["lmada_state"]])
        self.assertEqual(versions, [param._version for param in params])
        self.assertEqual(optimizer.stats()[0].refused, 1)

    def test_what_cannot_be_stepped(self) -> None:
        for words, params in (
            ("on meta", [torch.nn.Parameter(torch.empty(3, device="meta"))]),
            ("float16", [torch.nn.Parameter(torch.ones(3, dtype=torch.float16))]),
            ("of one type", [torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(3).double())]),
        ):
            with self.assertRaisesRegex(ValueError, words):
                LMAdagrad(params)
        with self.assertRaises(lmada.InvalidArgumentError):
            LMAdagrad(tensors((3,)), lr=-1)
        with self.assertRaisesRegex(TypeError, "there is no option 'betas'"):
            LMAdagrad(tensors((3,)), betas=(0.9, 0.99))  # type: ignore[call-arg]
        params = tensors((3, 2))
        optimizer = LMAdagrad(params)
        params[0].grad = torch.ones(3, 2).to_sparse()
        with self.assertRaisesRegex(RuntimeError, "sparse gradients"):
            optimizer.step()
        if torch.cuda.is_available():
            with self.assertRaisesRegex(ValueError, "on cuda:0"):
                LMAdagrad([torch.nn.Parameter(torch.ones(3, device="cuda"))])


if __name__ == "__main__":
    unittest.main()

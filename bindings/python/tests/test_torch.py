"""lmada.torch.LMAdagrad: against the reference, against the NumPy optimizer, and in all that PyTorch asks of optimizers."""

from __future__ import annotations

import copy
import io
import pickle
import unittest
import warnings
from typing import Any, List

import numpy as np
import torch

import lmada
from lmada.torch import LMAdagrad
from reference import adagrad, trajectories


def model(seed: int = 0, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).to(dtype)


def backward(net: Any, seed: int = 0, scale: Any = 1.0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    dtype = next(net.parameters()).dtype
    inputs, targets = torch.randn(16, 6, generator=generator), torch.randn(16, 3, generator=generator)
    loss = (net(inputs.to(dtype)) - targets.to(dtype)).pow(2).mean()
    (scale(loss) if callable(scale) else loss * scale).backward()
    return loss


def train(net: Any, optimizer: Any, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        backward(net, step)
        optimizer.step()


def tensors(*shapes: Any, dtype: torch.dtype = torch.float32, seed: int = 1) -> List[Any]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in shapes]


def give_gradients(params: List[Any], seed: int) -> None:
    for param, other in zip(params, tensors(*[param.shape for param in params], seed=seed)):
        param.grad = other.detach().to(param.dtype)


def flat(params: List[Any]) -> Any:
    return np.concatenate([param.detach().numpy().ravel() for param in params])


class TorchTest(unittest.TestCase):
    def same(self, first: Any, second: Any) -> None:
        for a, b in zip(first, second):
            self.assertTrue(torch.equal(a, b), (a, b))

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
                params = [torch.nn.Parameter(w[: w.numel() // 2].clone()), torch.nn.Parameter(w[w.numel() // 2 :].clone())]
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

    def test_groups_have_options_of_their_own_and_schedules(self) -> None:
        net = model()
        optimizer = LMAdagrad(
            [{"params": net[0].parameters(), "weight_decay": 0.5}, {"params": net[2].parameters(), "lr": 0.5, "eps": 0.25}],
            lr=0.25,
        )
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        parts: List[Any] = [list(net[0].parameters()), list(net[2].parameters())]
        plain = [
            lmada.Optimizer(sum(p.numel() for p in part), lr=lr, weight_decay=decay, eps=eps)
            for part, lr, decay, eps in zip(parts, (0.25, 0.5), (0.5, 0.0), (1e-6, 0.25))
        ]
        for step in range(6):
            optimizer.zero_grad()
            backward(net, step)
            for part, opt, lr in zip(parts, plain, (0.25, 0.5)):
                opt.set_lr(lr * 0.5 ** (step // 2))
                w = flat(part)
                opt.step(w, np.concatenate([p.grad.numpy().ravel() for p in part]))
                part.append(w)
            optimizer.step()
            schedule.step()
            for part in parts:
                np.testing.assert_array_equal(flat(part[:2]), part.pop())
        optimizer.param_groups[0]["weight_decay"] = 0.125
        train(net, optimizer, range(1))
        self.assertEqual(optimizer._groups[0].optimizer.config()["weight_decay"], 0.125)
        optimizer.param_groups[0]["history_size"] = 3
        with self.assertRaisesRegex(lmada.InvalidArgumentError, "history_size"):
            train(net, optimizer, range(1))

    def test_learning_rates_may_be_tensors(self) -> None:
        lr, a, b = torch.tensor(0.5), tensors((4,)), tensors((4,))
        first, second = LMAdagrad(a, lr=lr), LMAdagrad(b, lr=0.5)
        for step in range(3):
            give_gradients(a, step)
            give_gradients(b, step)
            lr.mul_(0.5)
            second.param_groups[0]["lr"] *= 0.5
            first.step()
            second.step()
            self.same(a, b)

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

    def test_parameters_that_are_added_later(self) -> None:
        a, b = tensors((3,)), tensors((4,), seed=2)
        optimizer = LMAdagrad(a, lr=0.5)
        give_gradients(a, 1)
        optimizer.step()
        optimizer.add_param_group({"params": b, "lr": 0.25})
        give_gradients(a + b, 2)
        before = b[0].clone()
        optimizer.step()
        self.assertEqual([stats.steps for stats in optimizer.stats()], [2, 1])
        g = b[0].grad
        torch.testing.assert_close(b[0].detach(), (before - 0.25 * g / g.norm()).detach())
        with self.assertRaises(ValueError):
            optimizer.add_param_group({"params": tensors((2,)), "eps": -1})
        self.assertEqual(len(optimizer.param_groups), 2)
        optimizer.step()
        optimizer.param_groups[0]["params"].append(b[0])
        with self.assertRaisesRegex(ValueError, "add_param_group"):
            optimizer.step()

    def test_closure_and_maximize(self) -> None:
        net, calls = model(), []
        optimizer = LMAdagrad(net.parameters(), lr=0.05)

        def closure() -> Any:
            calls.append(torch.is_grad_enabled())
            optimizer.zero_grad()
            return backward(net)

        with torch.no_grad():
            losses = [float(optimizer.step(closure)) for _ in range(20)]
        self.assertEqual(calls, [True] * 20)
        self.assertLess(losses[-1], 0.8 * losses[0])
        a, b = tensors((5,), (2, 2)), tensors((5,), (2, 2))
        down, up = LMAdagrad(a, lr=0.1), LMAdagrad(b, lr=0.1, maximize=True)
        for step in range(4):
            give_gradients(a, step)
            for p, q in zip(a, b):
                q.grad = -p.grad
            down.step()
            up.step()
            self.same(a, b)

    def test_states_go_on_with_the_same_bits(self) -> None:
        for dtype in (torch.float32, torch.float64, torch.bfloat16):
            net, other = model(0, dtype), model(1, dtype)
            options: Any = {**lmada.recommended(), "lr": 0.01}
            optimizer = LMAdagrad([{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": 0.02}], **options)
            second = LMAdagrad([{"params": other[0].parameters()}, {"params": other[2].parameters()}], **options)
            train(net, optimizer, range(40))
            file = io.BytesIO()
            torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, file)
            self.assertNotIn("lmada_state", optimizer.param_groups[0])
            copied = copy.deepcopy((net, optimizer))
            pickled = pickle.loads(pickle.dumps((net, optimizer)))
            file.seek(0)
            saved = torch.load(file)
            other.load_state_dict(saved["net"])
            second.load_state_dict(saved["optimizer"])
            second.load_state_dict(second.state_dict())
            self.assertEqual([group["lr"] for group in second.param_groups], [0.01, 0.02])
            for one, its in ((net, optimizer), (other, second), copied, pickled):
                train(one, its, range(40, 60))
                self.same(net.parameters(), one.parameters())
                self.assertEqual([s.steps for s in its.stats()], [60, 60])

    def test_states_that_do_not_fit_change_nothing(self) -> None:
        net = model()
        optimizer = LMAdagrad(net.parameters(), lr=0.1)
        train(net, optimizer, range(3))
        good = optimizer.state_dict()
        damaged = copy.deepcopy(good)
        damaged["param_groups"][0]["lmada_state"][50] ^= 1
        damaged["param_groups"][0]["lr"] = 7.0
        lacking = torch.optim.SGD(net.parameters(), lr=0.1).state_dict()
        longer = tensors((6, 8), (9,), (8, 3), (3,))
        for kind, state in (
            (lmada.BadStateError, damaged),
            (ValueError, lacking),
            (ValueError, LMAdagrad(longer).state_dict()),
            (ValueError, LMAdagrad(tensors((8, 6), (8,), (3, 8), (3,), dtype=torch.float64)).state_dict()),
        ):
            with self.assertRaises(kind):
                optimizer.load_state_dict(state)
            self.assertEqual(optimizer.param_groups[0]["lr"], 0.1)
            self.same([good["param_groups"][0]["lmada_state"]], [optimizer.state_dict()["param_groups"][0]["lmada_state"]])
        older = copy.deepcopy(good)
        for name in ("maximize", "average_beta"):
            del older["param_groups"][0][name]
        optimizer.load_state_dict(older)
        train(net, optimizer, range(1))

    def test_bfloat16(self) -> None:
        params = tensors((40,), (5, 6), dtype=torch.bfloat16)
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
        # One that was changed by hand is its own master again; one without a gradient keeps its bits.
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
        # What is refused has changed nothing.
        before, masters = params[0].clone(), optimizer._groups[0].masters.clone()
        params[0].grad[3] = float("nan")
        with self.assertRaises(lmada.NonFiniteError):
            optimizer.step()
        self.same([before, masters], [params[0], optimizer._groups[0].masters])
        give_gradients(params, 3)
        optimizer.step()

    def test_complex_parameters_are_pairs(self) -> None:
        a = [torch.nn.Parameter(torch.randn(3, 2, dtype=torch.complex64)), torch.nn.Parameter(torch.randn(4, dtype=torch.complex64))]
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
                # The gradient lies as the parameter does, or not.
                p.grad = q.grad.clone() if step % 2 else torch.empty_like(p).copy_(q.grad)
            optimizer.step()
            other.step()
            for p, q in zip(params, plain):
                torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-6)
        for p, q in zip(optimizer.averaged_params()[0], other.averaged_params()[0]):
            torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-6)
        self.same([torch.tensor(p.stride()) for p in params], [torch.tensor(a.stride()) for a in optimizer.averaged_params()[0]])

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
        self.assertEqual(["gaps in memory" in str(warning.message) for warning in caught], [True])

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

    def test_what_a_grad_scaler_sets(self) -> None:
        a, b = model(), model()
        first, second = LMAdagrad(a.parameters(), lr=0.1), LMAdagrad(b.parameters(), lr=0.1)
        for step in range(4):
            for net, optimizer, scale in ((a, first, 1.0), (b, second, 1024.0)):
                optimizer.zero_grad()
                backward(net, step, scale)
            second.grad_scale, second.found_inf = torch.tensor(1024.0), torch.tensor(0.0)
            first.step()
            second.step()
            del second.grad_scale, second.found_inf
            for p, q in zip(a.parameters(), b.parameters()):
                torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-6)
        second.found_inf = torch.tensor(1.0)
        before = [param.clone() for param in b.parameters()]
        second.step()
        self.same(before, b.parameters())
        self.assertEqual(second.stats()[0].steps, 4)
        del second.found_inf
        backward(b)
        second.step()
        self.assertEqual(second._groups[0].optimizer.config()["grad_scale"], 1.0)

    @unittest.skipUnless(hasattr(torch.amp, "GradScaler"), "this PyTorch has a GradScaler for CUDA only")
    def test_a_grad_scaler(self) -> None:
        for unscales in (False, True):
            a, b = model(), model()
            first, second = LMAdagrad(a.parameters(), lr=0.1), LMAdagrad(b.parameters(), lr=0.1)
            scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20, growth_interval=3)
            for step in range(8):
                overflows = step in (2, 5)
                second.zero_grad()
                backward(b, step, scaler.scale)
                if overflows:
                    next(iter(b.parameters())).grad[0, 0] = float("inf")
                else:
                    first.zero_grad()
                    backward(a, step)
                    first.step()
                if unscales:
                    scaler.unscale_(second)
                    torch.nn.utils.clip_grad_norm_(b.parameters(), 1e9)
                scaler.step(second)
                scaler.update()
                for p, q in zip(a.parameters(), b.parameters()):
                    torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-5)
            self.assertEqual(second.stats()[0].steps, 6)

    @unittest.skipUnless(hasattr(torch.optim.Optimizer, "register_step_pre_hook"), "this PyTorch has no hooks of steps")
    def test_hooks(self) -> None:
        net, seen = model(), []
        optimizer = LMAdagrad(net.parameters(), lr=0.1)
        optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
        optimizer.register_step_post_hook(lambda *_: seen.append("after"))
        train(net, optimizer, range(2))
        self.assertEqual(seen, ["before", "after"] * 2)
        if hasattr(optimizer, "register_state_dict_post_hook"):
            optimizer.register_state_dict_post_hook(lambda _, state: seen.append("lmada_state" in state["param_groups"][0]))
            state = optimizer.state_dict()
            self.assertEqual(seen[-1], True)
            optimizer.register_load_state_dict_pre_hook(lambda _, given: {**given, "param_groups": state["param_groups"]})
            optimizer.load_state_dict({"state": {}, "param_groups": []})
            self.assertEqual(optimizer.stats()[0].steps, 2)

    def test_averaged_params(self) -> None:
        params = tensors((3, 2), (4,), dtype=torch.float64)
        optimizer, average = LMAdagrad(params, lr=0.1, average_beta=0.5), np.zeros(10)
        for step in range(1, 5):
            give_gradients(params, step)
            optimizer.step()
            average = 0.5 * average + 0.5 * flat(params)
            found = optimizer.averaged_params()[0]
            self.assertEqual([tensor.shape for tensor in found], [param.shape for param in params])
            np.testing.assert_allclose(flat(found), average / (1 - 0.5**step), rtol=1e-12)


if __name__ == "__main__":
    unittest.main()

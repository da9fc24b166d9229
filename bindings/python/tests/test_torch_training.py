"""PyTorch's requirements for optimizers besides a step: groups, schedules, closures, states, scalers, hooks."""

from __future__ import annotations

import copy
import io
import pickle
import unittest
from typing import Any, List

import numpy as np
import torch

import lmada
from lmada.torch import LMAdagrad
from torch_models import SameTest, backward, flat, give_gradients, model, tensors, train


class TrainingTest(SameTest):
    def test_groups_have_options_of_their_own_and_schedules(self) -> None:
        net = model()
        optimizer = LMAdagrad(
            [
                {"params": net[0].parameters(), "weight_decay": 0.5},
                {"params": net[2].parameters(), "lr": 0.5, "eps": 0.25},
            ],
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
        before = [param.clone() for param in net.parameters()]
        optimizer.param_groups[1]["history_size"] = 3
        with self.assertRaisesRegex(lmada.InvalidArgumentError, "history_size"):
            train(net, optimizer, range(1))
        self.same(before, net.parameters())

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
        optimizer.add_param_group({"params": []})
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
        optimizer.step()
        before = a[0].clone()
        for number in (0, 1):
            optimizer.param_groups[number]["params"].append(b[0])
            with self.assertRaisesRegex(ValueError, "add_param_group"):
                optimizer.step()
            optimizer.param_groups[number]["params"].pop()
        self.same([before], a)

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
            optimizer = LMAdagrad(
                [{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": 0.02}], **options
            )
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
            self.same(
                [good["param_groups"][0]["lmada_state"]], [optimizer.state_dict()["param_groups"][0]["lmada_state"]]
            )
        older = copy.deepcopy(good)
        for name in ("maximize", "average_beta"):
            del older["param_groups"][0][name]
        optimizer.load_state_dict(older)
        train(net, optimizer, range(1))

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
            optimizer.register_state_dict_post_hook(
                lambda _, state: seen.append("lmada_state" in state["param_groups"][0])
            )
            state = optimizer.state_dict()
            self.assertEqual(seen[-1], True)
            optimizer.register_load_state_dict_pre_hook(
                lambda _, given: {**given, "param_groups": state["param_groups"]}
            )
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

"""Tests with PyTorch's utilities for testing optimizers, with LMAdagrad in their database of optimizers.

Needs a PyTorch that brings torch.testing._internal.common_optimizers (and the package expecttest): an OptimizerInfo
describes the optimizer, `optims` makes a test of each, `TensorTracker` compares trajectories. The installed package
does not contain PyTorch's own tests (test/test_optim.py): the tests here have the same names and check the same.
"""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import torch
from torch.optim.lr_scheduler import ExponentialLR, LinearLR, PolynomialLR, ReduceLROnPlateau, StepLR
from torch.testing._internal.common_device_type import instantiate_device_type_tests
from torch.testing._internal.common_optimizers import (
    ErrorOptimizerInput,
    OptimizerErrorEnum,
    OptimizerInfo,
    OptimizerInput,
    TensorTracker,
    get_error_inputs_for_all_optims,
    optim_db,
    optims,
)
from torch.testing._internal.common_utils import TestCase, run_tests

import lmada
from lmada.torch import LMAdagrad


def inputs(device: Any, dtype: Any = None) -> Any:
    recommended: Any = lmada.recommended()
    return [
        OptimizerInput(params=None, kwargs={}, desc="default"),
        OptimizerInput(params=None, kwargs={"lr": 0.001}, desc="non-default lr"),
        OptimizerInput(params=None, kwargs={"lr": torch.tensor(0.001)}, desc="Tensor lr"),
        OptimizerInput(params=None, kwargs={"weight_decay": 0.1}, desc="nonzero weight_decay"),
        OptimizerInput(params=None, kwargs={"weight_decay": 0.1, "maximize": True}, desc="maximize"),
        OptimizerInput(params=None, kwargs={"history_size": 3, "momentum_kind": "gradient"}, desc="momentum"),
        OptimizerInput(params=None, kwargs={"momentum_kind": "window", "clip_kind": "norm"}, desc="clip"),
        OptimizerInput(params=None, kwargs=recommended, desc="recommended"),
    ]


def errors(device: Any, dtype: Any) -> Any:
    wrong = [
        (dict(lr=-0.1), ValueError, "lr is -0.1"),
        (dict(momentum=1.0), ValueError, "momentum is 1"),
        (dict(weight_decay=-1), ValueError, "weight_decay is -1"),
        (dict(history_size=0), ValueError, "history_size is 0"),
        (dict(betas=(0.9, 0.99)), TypeError, "there is no option 'betas'"),
    ]
    return get_error_inputs_for_all_optims(device, dtype) + [
        ErrorOptimizerInput(OptimizerInput(params=None, kwargs=kwargs, desc=words), error_type=kind, error_regex=words)
        for kwargs, kind, words in wrong
    ]


INFO = OptimizerInfo(
    LMAdagrad,
    optim_inputs_func=inputs,
    optim_error_inputs_func=errors,
    scheduler_inputs=(
        [lambda opt: StepLR(opt, gamma=0.9, step_size=10)],
        [lambda opt: LinearLR(opt, start_factor=0.4, total_iters=4)],
        [lambda opt: StepLR(opt, gamma=0.9, step_size=10), lambda opt: LinearLR(opt, start_factor=0.4, total_iters=4)],
        [lambda opt: StepLR(opt, gamma=0.9, step_size=10), lambda opt: ReduceLROnPlateau(opt)],
        [lambda opt: ExponentialLR(opt, gamma=0.99), lambda opt: PolynomialLR(opt, power=0.9, total_iters=4)],
    ),
    supported_impls=(),
    not_og_supported_flags=("maximize",),
    supports_multiple_devices=False,
)
optim_db.append(INFO)


def all_inputs(device: Any, dtype: Any, info: Any) -> Any:
    return info.optim_inputs_func(device=device, dtype=dtype)


class GenericTest(TestCase):
    """`optims` runs each of these tests for LMAdagrad, with `optim_info` and `dtype`."""

    @optims([INFO])
    def test_optim_infos_do_not_specify_global_cliquey_kwargs(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for optim_input in all_inputs(device, dtype, optim_info):
            self.assertFalse({"foreach", "fused", "differentiable"} & set(optim_input.kwargs))

    @optims([INFO])
    def test_errors(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for error in optim_info.optim_error_inputs_func(device=device, dtype=dtype):
            given = error.optimizer_error_input
            params = given.params if given.params is not None else [torch.nn.Parameter(torch.randn(3))]
            self.assertEqual(error.error_on, OptimizerErrorEnum.CONSTRUCTION_ERROR)
            if issubclass(error.error_type, Warning):
                with self.assertWarnsRegex(error.error_type, error.error_regex):
                    optim_info.optim_cls(params, **given.kwargs)
            else:
                with self.assertRaisesRegex(error.error_type, error.error_regex):
                    optim_info.optim_cls(params, **given.kwargs)

    def goes_the_right_way(
        self, info: Any, optim_input: Any, schedulers: Any, weight: Any, bias: Any, vector: Any
    ) -> None:
        weight, bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
        optimizer = info.optim_cls([weight, bias], **deepcopy(optim_input.kwargs))
        its = [make(optimizer) for make in schedulers]
        repr(optimizer)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = (weight.mv(vector) + bias).pow(2).sum()
            loss.backward()
            return loss

        initial = closure().item()
        for _ in range(20):
            loss = optimizer.step(closure)
            for scheduler in its:
                scheduler.step(loss) if isinstance(scheduler, ReduceLROnPlateau) else scheduler.step()
        if optim_input.kwargs.get("maximize"):
            self.assertGreater(closure().item(), initial)
        else:
            self.assertLess(closure().item(), initial)

    @optims([INFO], dtypes=[torch.float32, torch.float64])
    def test_forloop_goes_right_direction(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for optim_input in all_inputs(device, dtype, optim_info):
            for contiguous in (True, False):
                weight = (
                    torch.randn((10, 5), dtype=dtype) if contiguous else torch.randn((10, 5, 2), dtype=dtype)[..., 0]
                )
                bias = torch.randn((10,), dtype=dtype) if contiguous else torch.randn((10, 2), dtype=dtype)[..., 0]
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message=".*not contiguous in memory.*")
                    self.goes_the_right_way(optim_info, optim_input, [], weight, bias, torch.randn(5, dtype=dtype))

    @optims([INFO])
    def test_forloop_goes_right_direction_with_lrsched(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for optim_input in all_inputs(device, dtype, optim_info):
            for schedulers in optim_info.scheduler_inputs:
                self.goes_the_right_way(
                    optim_info, optim_input, schedulers, torch.randn(10, 5), torch.randn(10), torch.randn(5)
                )

    @optims([INFO], dtypes=[torch.float32])
    def test_param_group_with_lrscheduler_goes_right_direction(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for schedulers in optim_info.scheduler_inputs:
            weight, bias = torch.nn.Parameter(torch.randn(10, 5)), torch.nn.Parameter(torch.randn(10))
            vector = torch.randn(5)
            optimizer = optim_info.optim_cls([{"params": [weight]}, {"params": [bias], "lr": 0.01}], lr=0.001)
            its = [make(optimizer) for make in schedulers]
            losses = []
            for _ in range(20):
                optimizer.zero_grad()
                loss = (weight.mv(vector) + bias).pow(2).sum()
                loss.backward()
                losses.append(loss.item())
                optimizer.step()
                for scheduler in its:
                    scheduler.step(loss) if isinstance(scheduler, ReduceLROnPlateau) else scheduler.step()
            self.assertLess(losses[-1], losses[0])

    @optims([INFO], dtypes=[torch.complex64])
    def test_complex(self, device: Any, dtype: Any, optim_info: Any) -> None:
        self.assertTrue(optim_info.supports_complex)
        for optim_input in all_inputs(device, dtype, optim_info):
            param = torch.nn.Parameter(torch.randn(10, 5, dtype=dtype))
            real = torch.nn.Parameter(torch.view_as_real(param.detach()).clone())
            one, other = (optim_info.optim_cls([p], **deepcopy(optim_input.kwargs)) for p in (param, real))
            for _ in range(3):
                param.grad = torch.randn_like(param)
                real.grad = torch.view_as_real(param.grad)
                one.step()
                other.step()
                self.assertEqual(torch.view_as_real(param), real)

    @optims([INFO], dtypes=[torch.complex64])
    def test_complex_2d(self, device: Any, dtype: Any, optim_info: Any) -> None:
        """A step on a complex parameter equals the step on its parts. Trackers compare every parameter and gradient."""
        for optim_input in all_inputs(device, dtype, optim_info):
            whole = torch.nn.Parameter(torch.tensor([0.5 + 1.5j, -1.0 + 0.25j], dtype=dtype))
            pairs = torch.nn.Parameter(torch.view_as_real(whole.detach()).clone())
            one, other = (optim_info.optim_cls([p], **deepcopy(optim_input.kwargs)) for p in (whole, pairs))
            tracker = TensorTracker()
            for optimizer, param in ((one, whole), (other, pairs)):
                for _ in range(5):
                    optimizer.zero_grad()
                    x, y = torch.view_as_complex(param) if param is pairs else param
                    ((1 - x).abs() ** 2 + 100 * (y - x**2).abs() ** 2).backward()
                    for tensor in (param.grad, param):
                        seen = torch.view_as_real(tensor.detach()) if tensor.is_complex() else tensor.detach()
                        if optimizer is one:
                            tracker.add(seen)
                        else:
                            tracker.pop_check_set(seen, self)
                    optimizer.step()
            self.assertTrue(tracker.all_popped())

    def prepared(self, info: Any, optim_input: Any, dtype: Any) -> Any:
        """An optimizer after some steps, its parameters, and a function that takes more steps."""
        params = [torch.nn.Parameter(torch.randn(2, 3, dtype=dtype)) for _ in range(2)]
        optimizer = info.optim_cls(params, **deepcopy(optim_input.kwargs))

        def closure() -> Any:
            optimizer.zero_grad()
            loss = sum(((param - 1) ** 2).sum() for param in optimizer.param_groups[0]["params"])
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)
        return optimizer, params, closure

    @optims([INFO], dtypes=[torch.float32])
    def test_state_dict_deterministic(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for optim_input in all_inputs(device, dtype, optim_info):
            optimizer, params, closure = self.prepared(optim_info, optim_input, dtype)
            state = deepcopy(optimizer.state_dict())
            copies = [torch.nn.Parameter(param.detach().clone()) for param in params]
            other = optim_info.optim_cls(copies, **deepcopy(optim_input.kwargs))
            other.load_state_dict(state)
            self.assertEqual(optimizer.state_dict(), other.state_dict())
            for _ in range(5):
                optimizer.step(closure)
                for param, twin in zip(params, copies):
                    twin.grad = param.grad.clone()
                other.step()
                self.assertEqual(params, copies, atol=0, rtol=0)
            self.assertEqual(optimizer.state_dict(), other.state_dict())

    @optims([INFO], dtypes=[torch.float32])
    def test_can_load_older_state_dict(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for optim_input in all_inputs(device, dtype, optim_info):
            optimizer, _, closure = self.prepared(optim_info, optim_input, dtype)
            older = deepcopy(optimizer.state_dict())
            for group in older["param_groups"]:
                for flag in optim_info.not_og_supported_flags:
                    group.pop(flag, None)
            optimizer.load_state_dict(older)
            optimizer.step(closure)

    @optims([INFO], dtypes=[torch.float32])
    def test_save_load_equality_with_weights_only(self, device: Any, dtype: Any, optim_info: Any) -> None:
        import io

        for optim_input in all_inputs(device, dtype, optim_info):
            optimizer, _, _ = self.prepared(optim_info, optim_input, dtype)
            file = io.BytesIO()
            torch.save(optimizer.state_dict(), file)
            file.seek(0)
            self.assertEqual(torch.load(file, weights_only=True), optimizer.state_dict())

    @optims([INFO], dtypes=[torch.float32])
    def test_step_is_noop_when_params_have_no_grad(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for optim_input in all_inputs(device, dtype, optim_info):
            params = [torch.nn.Parameter(torch.randn(2, 3)) for _ in range(2)]
            before = deepcopy(params)
            optim_info.optim_cls(params, **deepcopy(optim_input.kwargs)).step()
            self.assertEqual(params, before)

    @optims([INFO], dtypes=[torch.float32])
    def test_step_is_noop_for_zero_grads(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for optim_input in all_inputs(device, dtype, optim_info):
            kwargs = {**deepcopy(optim_input.kwargs), "weight_decay": 0.0}
            param = torch.nn.Parameter(torch.randn(5, 1))
            before = param.clone().detach()
            optimizer = optim_info.optim_cls([param], **kwargs)
            for _ in range(2):
                param.grad = torch.zeros_like(param)
                optimizer.step()
            self.assertEqual(param, before)

    @optims([INFO], dtypes=[torch.float32])
    def test_optimizer_can_be_printed(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for optim_input in all_inputs(device, dtype, optim_info):
            optimizer, _, _ = self.prepared(optim_info, optim_input, dtype)
            self.assertIn("Parameter Group 0", repr(optimizer))

    @optims([INFO], dtypes=[torch.float32])
    def test_deepcopy_copies_all_public_attrs(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for optim_input in all_inputs(device, dtype, optim_info):
            optimizer, _, _ = self.prepared(optim_info, optim_input, dtype)

            def public(one: Any) -> Any:
                return {name for name in one.__dict__ if not name.startswith("_")}

            self.assertEqual(public(optimizer), public(deepcopy(optimizer)))

    @optims([INFO], dtypes=[torch.float32])
    def test_step_hooks(self, device: Any, dtype: Any, optim_info: Any) -> None:
        """Hooks before and after steps, of one optimizer and of all, run in their order."""
        from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

        for optim_input in all_inputs(device, dtype, optim_info):
            optimizer, _, closure = self.prepared(optim_info, optim_input, dtype)
            seen: Any = []
            handles = [
                optimizer.register_step_pre_hook(lambda *_: seen.append("its pre")),
                optimizer.register_step_post_hook(lambda *_: seen.append("its post")),
                register_optimizer_step_pre_hook(lambda *_: seen.append("global pre")),
                register_optimizer_step_post_hook(lambda *_: seen.append("global post")),
            ]
            optimizer.step(closure)
            for handle in handles:
                handle.remove()
            optimizer.step(closure)
            self.assertEqual(seen, ["global pre", "its pre", "its post", "global post"])

    @optims([INFO], dtypes=[torch.float32])
    def test_state_dict_hooks(self, device: Any, dtype: Any, optim_info: Any) -> None:
        for optim_input in all_inputs(device, dtype, optim_info):
            optimizer, _, closure = self.prepared(optim_info, optim_input, dtype)
            seen: Any = []

            def pre_hook(_: Any) -> None:
                seen.append("pre")

            def post_hook(_: Any, state_dict: Any) -> Any:
                seen.append("post")
                return {**state_dict, "ran_state_dict_hook": 1}

            def load_pre_hook(_: Any, state_dict: Any) -> Any:
                self.assertEqual(state_dict.pop("ran_state_dict_hook"), 1)
                seen.append("load pre")
                return state_dict

            optimizer.register_state_dict_pre_hook(pre_hook)
            optimizer.register_state_dict_post_hook(post_hook)
            optimizer.register_load_state_dict_pre_hook(load_pre_hook)
            optimizer.register_load_state_dict_post_hook(lambda _: seen.append("load post"))
            optimizer.load_state_dict(optimizer.state_dict())
            optimizer.step(closure)
            self.assertEqual(seen, ["pre", "post", "load pre", "load post"])

    @optims([INFO], dtypes=[torch.float32])
    def test_non_empty_state_goes_on(self, device: Any, dtype: Any, optim_info: Any) -> None:
        """A copied optimizer takes the steps that the original takes."""
        for optim_input in all_inputs(device, dtype, optim_info):
            optimizer, params, closure = self.prepared(optim_info, optim_input, dtype)
            twin = deepcopy(optimizer)
            for _ in range(3):
                optimizer.step(closure)
                for param, other in zip(params, twin.param_groups[0]["params"]):
                    other.grad = param.grad.clone()
                twin.step()
                self.assertEqual(params, twin.param_groups[0]["params"], atol=0, rtol=0)


instantiate_device_type_tests(GenericTest, globals(), only_for="cpu")

if __name__ == "__main__":
    run_tests()

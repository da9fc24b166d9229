"""An independent implementation of the update rule, with a tall SVD of the stored gradients in float64.

`adagrad` is the note's reference code: full-matrix Adagrad over the last k gradients, nothing else. `Reference` is the
rule with its other options.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List, Optional

import numpy as np

import lmada


def adagrad(params: Any, gradients: List[Any], lr: float, eps: float) -> Any:
    """The parameters after one step: w - lr*U (S^2 + eps)^(-1/2) U'g over the stored gradients, the newest last."""
    window = np.stack([np.asarray(g, dtype=np.float64).ravel() for g in gradients], axis=1)
    left, values, _ = np.linalg.svd(window, full_matrices=False)
    direction = left @ ((values**2 + eps) ** -0.5 * (left.T @ window[:, -1]))
    return params - lr * direction.reshape(np.shape(params))


def trajectories() -> List[Any]:
    """The recorded trajectories of the note's rule (tests/data/README.md)."""
    cases: List[Any] = json.loads(
        (Path(__file__).resolve().parents[3] / "tests" / "data" / "note_reference.json").read_text()
    )["cases"]
    assert len(cases) == 6
    return cases


class Reference:
    """One block of an optimizer with the full history format."""

    def __init__(self, dim: int, **options: Any):
        self.options: Any = {**lmada.defaults(), **options}
        self.window: List[Any] = []
        self.steps = 0
        self.gradient_average, self.update_average = np.zeros(dim), np.zeros(dim)
        self.vector_average, self.squares = np.zeros(dim), np.zeros(dim)
        self.norm_average, self.norms = 0.0, 0

    def vector(self, g: Any, ages: Any, scale: Any) -> Any:
        """The vector to precondition, after diagonal preconditioning."""
        o = self.options
        if o["momentum_kind"] == "gradient":
            self.gradient_average = o["momentum"] * self.gradient_average + (1 - o["momentum"]) * g
            corrected = 1 - o["momentum"] ** self.steps if o["bias_correction"] else 1
            return scale * self.gradient_average / corrected
        if o["momentum_kind"] == "window":
            weights = (1 - o["momentum"]) * o["momentum"] ** ages
            return np.stack(self.window, axis=1) @ weights / (weights.sum() if o["bias_correction"] else 1)
        return scale * g

    def update(self, v: Any, ages: Any) -> Any:
        """U f(S^2) U'v, plus orthogonal_scale times the part of v outside the span of the window."""
        o = self.options
        window = np.stack(self.window, axis=1) * o["history_decay"] ** ages
        centered = o["centered"] and window.shape[1] >= 2
        if centered:
            window = window - window.mean(axis=1, keepdims=True)
        left, values, _ = np.linalg.svd(window, full_matrices=False)
        eigenvalues, largest = values**2, values.max() ** 2
        if o["eps_on_root"]:
            f = 1 / (eigenvalues ** o["power"] + o["eps"] + o["eps_relative"] * largest ** o["power"])
        else:
            f = (eigenvalues + o["eps"] + o["eps_relative"] * largest) ** -o["power"]
        leaves_span = o["momentum_kind"] == "gradient" or centered
        if leaves_span:
            present = eigenvalues > o["rank_tol"] * largest
            left, f = left[:, present], f[present]
        u = left @ (f * (left.T @ v))
        return u + o["orthogonal_scale"] * (v - left @ (left.T @ v)) if leaves_span else u

    def scale(self, u: Any, v: Any) -> float:
        """The length of u after clipping or grafting."""
        o, size = self.options, float(np.linalg.norm(u))
        kind = o["clip_kind"]
        if kind == "none" or size == 0:
            return 1.0
        if kind == "norm":
            return min(1.0, o["clip_norm"] / size)
        if kind == "graft_input":
            return float(np.linalg.norm(v)) / size
        reference: Optional[float]
        if kind in ("ema_norm", "graft_ema_norm"):
            reference = self.norm_average / (1 - o["clip_beta"] ** self.norms) if self.norms else None
            self.norm_average = o["clip_beta"] * self.norm_average + (1 - o["clip_beta"]) * size
            self.norms += 1
        else:
            self.vector_average = o["clip_beta"] * self.vector_average + (1 - o["clip_beta"]) * u
            reference = float(np.linalg.norm(self.vector_average)) / (1 - o["clip_beta"] ** self.steps)
        if reference is None:
            return 1.0
        return reference / size if kind.startswith("graft") else min(1.0, o["clip_factor"] * reference / size)

    def direction(self, gradient: Any) -> Any:
        """The vector that a step multiplies by the learning rate and subtracts."""
        o = self.options
        self.steps += 1
        g, diagonal, kappa = o["grad_scale"] * np.asarray(gradient, dtype=np.float64), np.ones(1), 1.0
        if o["diagonal_beta"]:
            self.squares = o["diagonal_beta"] * self.squares + (1 - o["diagonal_beta"]) * g**2
            corrected = self.squares / (1 - o["diagonal_beta"] ** self.steps)
            diagonal = (corrected + o["diagonal_eps"]) ** -0.25
            kappa = 1.0 if o["clip_kind"] == "graft_input" else float(np.sqrt(np.sqrt(corrected).sum()))
        column = diagonal * g
        if o["grad_clip_norm"] and np.linalg.norm(column) > o["grad_clip_norm"]:
            shorter = o["grad_clip_norm"] / np.linalg.norm(column)
            g, column = g * shorter, column * shorter
        self.window = [*self.window, column][-o["history_size"] :]
        ages = np.arange(len(self.window))[::-1]
        v = self.vector(g, ages, diagonal)
        u = self.update(v, ages)
        u = self.scale(u, v) * kappa * diagonal * u
        if o["momentum_kind"] != "update":
            return u
        self.update_average = o["momentum"] * self.update_average + (1 - o["momentum"]) * u
        return self.update_average / (1 - o["momentum"] ** self.steps if o["bias_correction"] else 1)

    def step(self, params: Any, gradient: Any) -> Any:
        """The parameters after one step, in float64."""
        o = self.options
        return np.asarray(params, dtype=np.float64) * (1 - o["lr"] * o["weight_decay"]) - o["lr"] * self.direction(
            gradient
        )

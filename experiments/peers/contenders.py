# SPDX-License-Identifier: MIT OR Apache-2.0
"""The optimizers that are compared in PyTorch: each a function from model and learning rate to a list of optimizers."""

import lmada
import lmada.torch
import torch


def adam(beta1, beta2):
    return lambda model, lr: [torch.optim.Adam(model.parameters(), lr=lr, betas=(beta1, beta2))]


def with_lmada(**changes):
    options = {**lmada.recommended(), "threads": 1, **changes}
    options.pop("lr", None)
    return lambda model, lr: [lmada.torch.LMAdagrad(model.parameters(), lr=lr, **options)]


def muon(model, lr):
    """Muon for the matrices of the blocks, as it is meant to be used, and Adam for all else, at the same RMS change."""
    matrices = [w for w in model.blocks.parameters() if w.ndim == 2]
    chosen = {id(w) for w in matrices}
    others = [w for w in model.parameters() if id(w) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        torch.optim.Adam(others, lr=lr, betas=(0.9, 0.99)),
    ]


def soap(model, lr):
    from pytorch_optimizer import SOAP

    return [SOAP(model.parameters(), lr=lr, weight_decay=0.0, precondition_frequency=10)]


def contenders():
    """Names, each with its function and the learning rate where its search begins; and what is missing, in words."""
    found = {
        "Adam 0.9, 0.999": (adam(0.9, 0.999), -5),
        "Adam 0.9, 0.99": (adam(0.9, 0.99), -5),
        "lmada, recommended": (with_lmada(), -4),
        "lmada, recommended, k 100": (with_lmada(history_size=100), -4),
    }
    missing = []
    if hasattr(torch.optim, "Muon"):
        found["Muon, Adam"] = (muon, -5)
    else:
        missing.append("PyTorch %s has no torch.optim.Muon" % torch.__version__)
    try:
        import pytorch_optimizer  # noqa: F401

        found["SOAP"] = (soap, -5)
    except ImportError:
        missing.append("SOAP: the package pytorch_optimizer is not installed")
    return found, missing

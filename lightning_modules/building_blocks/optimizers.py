"""Optimisers of ``torch.optim`` by name."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from torch import nn, optim

from .choices import Options, resolve

OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": optim.SGD,
    "momentum": partial(optim.SGD, momentum=0.9),
    "nesterov": partial(optim.SGD, momentum=0.9, nesterov=True),
    "adagrad": optim.Adagrad,
    "rmsprop": optim.RMSprop,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "nadam": optim.NAdam,
    "radam": optim.RAdam,
    "adamax": optim.Adamax,
    "adadelta": optim.Adadelta,
    "adafactor": optim.Adafactor,
    "asgd": optim.ASGD,
    "rprop": optim.Rprop,
    "lbfgs": optim.LBFGS,
    "muon": optim.Muon,
    "sparse_adam": optim.SparseAdam,
}


def make_optimizer(
    optimizer: Any, parameters: Iterable[nn.Parameter], lr: float, options: Options | None = None
) -> optim.Optimizer:
    """Optimiser over the parameters.

    Args:
        optimizer: A name of the table, an import path, or a class or factory.
        parameters: What it changes.
        lr: Learning rate.
        options: Further arguments of the class, such as ``{"betas": (0.9, 0.95)}``.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> import torch
        >>> make_optimizer("momentum", [nn.Parameter(torch.zeros(1))], 0.1).defaults["momentum"]
        0.9
    """
    factory = resolve("optimizer", optimizer, OPTIMIZERS)
    made: optim.Optimizer = factory(parameters, lr=lr, **(options or {}))
    return made

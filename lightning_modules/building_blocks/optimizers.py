"""Optimisers of ``torch.optim`` by name."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from torch import nn, optim

from ...functional.arguments import plain_value
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


def check_optimizer(optimizer: Any, options: Mapping[str, Any], l2: float) -> None:
    """Check that the optimiser is known and that no setting is given twice.

    Args:
        optimizer: A name in `OPTIMIZERS`, an import path, or a class or factory.
        options: Further arguments of the class.
        l2: Factor of L2 regularisation.

    Raises:
        ValueError: If the name is unknown, the options or a partial hold the learning rate, or both
            L2 and a weight decay are given.
        TypeError: If it is neither a name nor a callable.
    """
    factory = resolve("optimizer", optimizer, OPTIMIZERS)
    bound = getattr(factory, "keywords", {})
    for name, given in (("optimizer_options", options), ("optimizer", bound)):
        if "lr" in given:
            lr = plain_value(given["lr"])
            raise ValueError(
                f"Expected `{name}` without the learning rate, but got lr={lr!r}: set `lr={lr!r}`."
            )
    decay = {**bound, **options}.get("weight_decay")
    if l2 and decay:
        raise ValueError(
            f"Expected one of `l2` and the optimiser's `weight_decay`, but got {l2} and {decay}, "
            "which would add up."
        )


def make_optimizer(
    optimizer: Any,
    parameters: Iterable[nn.Parameter],
    lr: float,
    options: Options | None = None,
    *,
    l2: float = 0.0,
) -> optim.Optimizer:
    """Create an optimiser of the parameters.

    Args:
        optimizer: A name in `OPTIMIZERS`, an import path, or a class or factory.
        parameters: Parameters to optimise.
        lr: Learning rate.
        options: Further arguments of the class, such as ``{"betas": (0.9, 0.95)}``.
        l2: Factor of L2 regularisation that is applied separately; if not 0, the default weight
            decay of the class, such as 0.01 of AdamW, is disabled.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> import torch
        >>> make_optimizer("momentum", [nn.Parameter(torch.zeros(1))], 0.1).defaults["momentum"]
        0.9
    """
    factory = resolve("optimizer", optimizer, OPTIMIZERS)
    own = {"weight_decay": 0.0} if l2 and _decays(factory) else {}
    made: optim.Optimizer = factory(parameters, lr=lr, **{**own, **(options or {})})
    # A factory may have bound numbers of NumPy, which a checkpoint would hold.
    for group in (made.defaults, *made.param_groups):
        group.update({name: plain_value(group[name]) for name in group if name != "params"})
    return made


def _decays(factory: Callable[..., optim.Optimizer]) -> bool:
    """Whether it has a weight decay by default."""
    decay = inspect.signature(factory).parameters.get("weight_decay")
    return decay is not None and decay.default not in (inspect.Parameter.empty, None, 0)

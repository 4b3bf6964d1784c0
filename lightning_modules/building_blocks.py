"""Activations, normalisations, initialisations and optimisers by name."""

import inspect
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from ..functional.choices import choose

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "relu6": nn.ReLU6,
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "hardtanh": nn.Hardtanh,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "logsigmoid": nn.LogSigmoid,
    "tanhshrink": nn.Tanhshrink,
    "identity": nn.Identity,
}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "nesterov": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
    "adadelta": torch.optim.Adadelta,
}
DENSE_NORMS: dict[str, Callable[[int], nn.Module] | None] = {
    "none": None,
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}
CONV_NORMS: dict[str, Callable[[int], nn.Module] | None] = {
    "none": None,
    "batch": nn.BatchNorm2d,
    "layer": partial(nn.GroupNorm, 1),
}
_XAVIER = (nn.Tanh, nn.Sigmoid, nn.Hardtanh, nn.Hardsigmoid, nn.Softsign, nn.Identity)
INITS = (
    "auto",
    "default",
    "kaiming_normal",
    "kaiming_uniform",
    "xavier_normal",
    "xavier_uniform",
    "lecun_normal",
    "orthogonal",
)


def make_activation(activation: str | type[nn.Module]) -> nn.Module:
    """Fresh instance of an activation, by name or class.

    Raises:
        ValueError: If the name is not known.
    """
    if isinstance(activation, str):
        return choose("activation", activation, ACTIVATIONS)()
    return activation()


def optimizer_factory(
    optimizer: str | type[torch.optim.Optimizer],
) -> Callable[..., torch.optim.Optimizer]:
    """Constructor of an optimiser, by name or class.

    Raises:
        ValueError: If the name is not known.
    """
    if isinstance(optimizer, str):
        return choose("optimizer", optimizer, OPTIMIZERS)
    return optimizer


def initialize(layers: Iterator[nn.Module], init: str, activation: nn.Module) -> None:
    """Initialise weights in place to fit the activation that follows; biases become zero.

    ``"auto"`` is Kaiming for ReLU and its kin (He et al. 2015), Xavier for tanh and sigmoid
    (Glorot and Bengio 2010), LeCun for SELU (Klambauer et al. 2017); ``"default"`` leaves
    torch's own.

    Raises:
        ValueError: If ``init`` is not known.
    """
    choose("init", init, dict.fromkeys(INITS))
    if init == "default":
        return
    if init == "auto":
        init = "kaiming_normal"
        if isinstance(activation, nn.SELU):
            init = "lecun_normal"
        elif isinstance(activation, _XAVIER):
            init = "xavier_normal"
    for layer in layers:
        weight, bias = layer.weight, layer.bias
        if not isinstance(weight, torch.Tensor):
            continue
        _fill(weight, init, activation)
        if isinstance(bias, torch.Tensor):
            nn.init.zeros_(bias)


def _fill(weight: torch.Tensor, init: str, activation: nn.Module) -> None:
    slope = activation.negative_slope if isinstance(activation, nn.LeakyReLU) else 0.0
    gain = math.sqrt(2 / (1 + slope**2))
    if isinstance(activation, nn.Tanh):
        gain = 5 / 3
    elif isinstance(activation, (nn.SELU, *_XAVIER)):
        gain = 1.0
    match init:
        case "kaiming_normal":
            nn.init.kaiming_normal_(weight, a=slope)
        case "kaiming_uniform":
            nn.init.kaiming_uniform_(weight, a=slope)
        case "xavier_normal":
            nn.init.xavier_normal_(weight, gain)
        case "xavier_uniform":
            nn.init.xavier_uniform_(weight, gain)
        case "lecun_normal":
            nn.init.kaiming_normal_(weight, nonlinearity="linear")
        case "orthogonal":
            nn.init.orthogonal_(weight, gain)
        case _:
            raise ValueError(f"Expected `init` to be one of {INITS}, but got {init!r}.")


def plain_name(choice: Any, names: dict[str, Any]) -> Any:
    """Name of a class that is in the table, so that hyper-parameters stay plain text."""
    if inspect.isclass(choice):
        return next((name for name, value in names.items() if value is choice), choice)
    return choice

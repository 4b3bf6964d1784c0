"""Activations of ``torch.nn`` by name."""

from typing import Any

from torch import nn

from .choices import Options, fresh, resolve

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "relu6": nn.ReLU6,
    "rrelu": nn.RReLU,
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "softshrink": nn.Softshrink,
    "hardshrink": nn.Hardshrink,
    "hardtanh": nn.Hardtanh,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "log_sigmoid": nn.LogSigmoid,
    "tanhshrink": nn.Tanhshrink,
    "threshold": nn.Threshold,
    "identity": nn.Identity,
}


def make_activation(activation: Any, options: Options | None = None) -> nn.Module:
    """Create an instance of an activation.

    Args:
        activation: A name in `ACTIVATIONS`, an import path, a class or factory of modules, a module
            to copy, or a function of one tensor.
        options: Arguments of the class, such as ``{"negative_slope": 0.2}``.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it does not create a module, or does not accept the options.

    Example:
        >>> make_activation("leaky_relu", {"negative_slope": 0.2})
        LeakyReLU(negative_slope=0.2)
    """
    made_of = resolve("activation", activation, ACTIVATIONS)
    try:
        return fresh(made_of, options or {})
    except TypeError as error:
        raise TypeError(
            f"Expected `activation_options` that {activation!r} accepts, but got {options or {}}: "
            f"{error}"
        ) from error

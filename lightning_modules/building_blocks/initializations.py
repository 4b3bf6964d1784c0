"""Weight initialisation by name, or fitted to the activations around each layer."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from ...functional.choices import choose
from ...functional.initialization import depth_preserving_gain
from ...functional.precision import at_least_single
from .choices import Options

_FILLS: dict[str, Callable[..., Any]] = {
    "kaiming_normal": nn.init.kaiming_normal_,
    "kaiming_uniform": nn.init.kaiming_uniform_,
    "xavier_normal": nn.init.xavier_normal_,
    "xavier_uniform": nn.init.xavier_uniform_,
    "lecun_normal": partial(nn.init.kaiming_normal_, nonlinearity="linear"),
    "lecun_uniform": partial(nn.init.kaiming_uniform_, nonlinearity="linear"),
    "orthogonal": nn.init.orthogonal_,
    "lsuv": nn.init.orthogonal_,
    "normal": partial(nn.init.normal_, std=0.01),
    "constant": partial(nn.init.constant_, val=0.0),
    "zeros": nn.init.zeros_,
    "ones": nn.init.ones_,
}
INITIALIZATIONS = ("auto", "default", *_FILLS)
WEIGHT_LAYERS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
_OPTIONS = {"normal": {"mean", "std"}, "constant": {"val"}}
_XAVIER = (nn.Tanh, nn.Sigmoid, nn.Hardtanh, nn.Hardsigmoid, nn.Softsign)


class WeightLayer(NamedTuple):
    """A layer with the activations that it reads from and that it feeds, if any."""

    layer: nn.Module
    before: nn.Module | None
    after: nn.Module | None


def initialize(layers: Iterable[WeightLayer], init: str, options: Options | None = None) -> None:
    r"""Initialise weights in place; biases become zero.

    ``"auto"`` fits the activations: Kaiming for ReLU and its variants with the gain of their slope
    (He et al. 2015), LeCun for SELU (Klambauer et al. 2017), Xavier for tanh and sigmoid (Glorot
    and Bengio 2010), and Kaiming for the rest, with the gain that changes activations and
    gradients least through 30 layers (:func:`~torchvitals.functional.depth_preserving_gain`).
    A sigmoid is a shifted and rescaled tanh, :math:`\sigma(x) = (1 + \tanh(x/2))/2`: the weights
    before and after it are doubled and the bias after it is set to cancel its mean of 1/2, so that
    the network computes the same function as one with tanh.

    ``"kaiming_*"`` uses the slope of a (leaky) ReLU, ``"orthogonal"`` and ``"lsuv"`` the
    activation's gain; a layer that feeds no activation has gain 1. ``"lsuv"`` starts from
    orthogonal weights, which the caller rescales on the first batch. ``"default"`` keeps torch's
    own initialisation.

    Args:
        layers: Layers with the activations around them.
        init: One of `INITIALIZATIONS`.
        options: ``mean`` and ``std`` of ``"normal"``, ``val`` of ``"constant"``; like the name,
            checked by `check_init` before.
    """
    gain = _remembered_gain()
    for layer, before, after in layers:
        if init == "default":
            continue
        weight: Any = layer.weight
        bias: Any = layer.bias
        if bias is not None:
            nn.init.zeros_(bias)
        if init == "auto":
            _fit(weight, bias, before, after, gain(after))
        else:
            _fill(weight, init, after, options or {}, gain)


def check_init(init: str, options: Options | None = None) -> None:
    """Refuse an unknown name or option."""
    choose("init", init, dict.fromkeys(INITIALIZATIONS))
    unknown = sorted((options or {}).keys() - _OPTIONS.get(init, set()))
    if unknown:
        allowed = sorted(_OPTIONS.get(init, set()))
        raise ValueError(f"Expected `init_options` of {init!r} among {allowed}, but got {unknown}.")


def activation_gain(activation: nn.Module | None) -> float:
    """Return the factor on a standard deviation of ``1 / sqrt(fan_in)`` before an activation."""
    if activation is None or isinstance(activation, (nn.Identity, nn.SELU)):
        return 1.0
    slope = negative_slope(activation)
    if slope is not None:
        return math.sqrt(2 / (1 + slope**2))
    if isinstance(activation, (nn.Sigmoid, nn.Hardsigmoid)):
        return 2 * depth_preserving_gain(torch.tanh)
    try:
        return depth_preserving_gain(activation)
    except (RuntimeError, TypeError):  # not a differentiable function of one number
        return 1.0


def negative_slope(activation: nn.Module | None) -> float | None:
    """Return the slope below zero of ReLU and its variants; None for other activations."""
    match activation:
        case nn.LeakyReLU():
            return activation.negative_slope
        case nn.PReLU():
            return float(activation.weight.detach().mean())
        case nn.RReLU():
            return (activation.lower + activation.upper) / 2
        case nn.ReLU() | nn.ReLU6():
            return 0.0
        case _:
            return None


def _remembered_gain() -> Callable[[nn.Module | None], float]:
    """Return a cached gain of torch's activations, whose computation takes most of the time."""
    known: dict[str, float] = {}

    def gain(activation: nn.Module | None) -> float:
        changes = activation is not None and any(True for _ in activation.parameters())
        if changes or not type(activation).__module__.startswith("torch.nn."):
            return activation_gain(activation)
        settings = repr(activation)
        if settings not in known:
            known[settings] = activation_gain(activation)
        return known[settings]

    return gain


def _fit(
    weight: Any, bias: Any, before: nn.Module | None, after: nn.Module | None, gain: float
) -> None:
    reads_sigmoid = isinstance(before, (nn.Sigmoid, nn.Hardsigmoid))
    if reads_sigmoid:
        gain *= 2
    if isinstance(after, _XAVIER):
        nn.init.xavier_normal_(weight, gain)
    else:
        nn.init.kaiming_normal_(weight, nonlinearity="linear")
        with torch.no_grad():
            weight.mul_(gain)
    if reads_sigmoid and bias is not None:
        with torch.no_grad():
            bias.copy_(-weight.flatten(1).sum(1) / 2)


def _fill(
    weight: Any,
    init: str,
    after: nn.Module | None,
    options: Options,
    gain: Callable[[nn.Module | None], float],
) -> None:
    fill = _FILLS[init]
    if fill in (nn.init.kaiming_normal_, nn.init.kaiming_uniform_):
        fill(weight, a=1.0 if after is None else negative_slope(after) or 0.0)
    elif fill is nn.init.orthogonal_:
        # Not available in half precision.
        weight.detach().copy_(fill(at_least_single(weight.detach()), gain(after)))
    else:
        fill(weight, **options)

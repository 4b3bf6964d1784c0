"""Scales of initial weights that preserve signal and gradient through depth."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .arguments import whole_number

_DEPTH = 30
_GAINS_TO_TRY = 160


def depth_preserving_gain(activation: Callable[[Tensor], Tensor], depth: int = _DEPTH) -> float:
    r"""Find the gain of weights that best preserves activations and gradients through ``depth``.

    In a wide network with weights of variance :math:`g^2/n`, the variance of the pre-activations
    follows :math:`q_{l+1} = g^2\,E[f(\sqrt{q_l}z)^2]` with :math:`z` standard normal, and that of
    the gradients grows backwards by :math:`g^2\,E[f'(\sqrt{q_l}z)^2]` per layer. From a grid of
    gains from 0.5 to 4, the one is chosen for which the larger of the two changes, as a factor, is
    the smallest.

    Args:
        activation: Element-wise function, differentiable almost everywhere.
        depth: Number of layers.

    Returns:
        The gain: the factor for weights of standard deviation :math:`1/\sqrt{n}`.

    Raises:
        TypeError: If ``activation`` is not a function or ``depth`` is not a whole number.
        ValueError: If ``activation`` passes no gradient back or ``depth`` is below 1.

    Example:
        >>> round(depth_preserving_gain(torch.tanh), 1)
        1.3

    Reference:
        Poole et al. 2016, "Exponential expressivity in deep neural networks through transient
        chaos", equation 3; Schoenholz et al. 2017, "Deep information propagation", equation 4.
    """
    if not callable(activation):
        raise TypeError(f"Expected `activation` to be a function, but got {activation!r}.")
    whole_number("depth", depth)
    points = torch.linspace(-6, 6, 601, dtype=torch.float64)
    weights = torch.exp(-points.square() / 2)
    weights /= weights.sum()
    gains = torch.logspace(math.log10(0.5), math.log10(4), _GAINS_TO_TRY, dtype=torch.float64)
    variance, forward, backward = gains.square(), [], torch.zeros_like(gains)
    for _ in range(depth):
        z = (variance.sqrt()[:, None] * points).requires_grad_()
        with torch.enable_grad():
            outputs = activation(z)
            if not outputs.requires_grad:
                raise ValueError(
                    "Expected `activation` to pass a gradient back, but its outputs require none: "
                    "use a differentiable function."
                )
            (slopes,) = torch.autograd.grad(outputs.sum(), z)
        moment = (outputs.detach().square() * weights).sum(1)
        forward.append(moment.log())
        backward += (gains.square() * (slopes.square() * weights).sum(1)).log()
        variance = gains.square() * moment
    change = torch.maximum((forward[-1] - forward[0]).abs(), backward.abs())
    return float(gains[change.nan_to_num(float("inf"), float("inf"), float("inf")).argmin()])

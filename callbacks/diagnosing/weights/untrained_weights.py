"""Frozen weights that were never trained: they keep the values of their initialisation."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ....functional.precision import widest
from .anatomy import is_whole

FEWEST = 256
_MAX_ENTRIES = 65_536
_FIRST_ENTRIES = 64
_MIN_ROWS = 8
_MAX_STANDARD_ERRORS = 4.0
_MAX_SHARE_BEYOND_BOUND = 1e-5
_MAX_SPACINGS_BELOW_BOUND = 20.0
_MAX_SHARE_OF_ROUNDING = 1e-4


class UntrainedWeights:
    """Inspect frozen weights before the first step, and some steps later.

    A moving average of another network, such as a teacher, has moved by then. At most 65,536
    entries of each weight are inspected.
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[Tensor, Tensor]] = {}

    def look(self, weights: Mapping[str, Tensor]) -> None:
        """Inspect all weights that require no gradient."""
        self._first = {
            name: (looks_drawn(weight), _head(weight).clone())
            for name, weight in weights.items()
            if not weight.requires_grad and _is_plain(weight)
        }

    def look_again(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return which of them looked freshly initialised and have not moved; flags on devices."""
        first, self._first = self._first, {}
        return {
            name: drawn & (_head(weights[name]) == head).all()
            for name, (drawn, head) in first.items()
            if name in weights and not weights[name].requires_grad
        }


def looks_drawn(weight: Tensor) -> Tensor:
    """Whether entries are distributed as a usual initialisation leaves them; on the device.

    Uniformly, up to ``1 / sqrt(inputs)`` (torch's default) or ``1 / sqrt(hidden units)``,
    ``sqrt(6 / inputs)`` (He et al., 2015) or ``sqrt(6 / (inputs + outputs))`` (Glorot and Bengio,
    2010). Or as orthogonal rows or columns of equal length (Saxe et al., 2014). Or normally, with a
    variance of ``2 / outputs`` (He et al., 2015) or a standard deviation of 0.01 or 0.02. Trained
    weights exceed these bounds, are not orthogonal to within 1e-4, and have another standard
    deviation.

    Args:
        weight: Of a linear, convolutional or recurrent layer, shape ``(outputs, inputs, ...)``.
    """
    values = weight.detach().reshape(-1)[:_MAX_ENTRIES].float()
    count, deviation, largest = len(values), values.std(), values.abs().max()
    outputs, inputs = len(weight), weight[0].numel()
    seen = outputs * math.prod(weight.shape[2:])
    drawn = _is_orthogonal(weight)
    hidden = (outputs // gates for gates in (1, 3, 4) if outputs >= gates)
    published = (math.sqrt(6 / inputs), math.sqrt(6 / (inputs + seen)))
    for bound in (*published, *(n**-0.5 for n in (inputs, *hidden))):
        within = (largest <= (1 + _MAX_SHARE_BEYOND_BOUND) * bound) & (
            largest >= (1 - _MAX_SPACINGS_BELOW_BOUND / count) * bound
        )
        usual = bound / math.sqrt(3)
        drawn |= within & (
            (deviation / usual - 1).abs() < _MAX_STANDARD_ERRORS * math.sqrt(0.2 / count)
        )
    peaked = (values**4).mean() / deviation**4
    normal = (peaked - 3).abs() < _MAX_STANDARD_ERRORS * math.sqrt(24 / count)
    for usual in (math.sqrt(2 / seen), 0.01, 0.02):
        drawn |= normal & (
            (deviation / usual - 1).abs() < _MAX_STANDARD_ERRORS / math.sqrt(2 * count)
        )
    return drawn


def _is_orthogonal(weight: Tensor) -> Tensor:
    """Whether the shorter side's vectors (a part of many) are orthogonal and of equal length."""
    matrix = weight.detach().reshape(len(weight), -1)
    matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    # On a device, a product in single precision may be rounded to ten bits (TF32).
    matrix = matrix[: max(_MAX_ENTRIES // matrix.shape[1], _MIN_ROWS)].to(widest(weight.device))
    products = matrix @ matrix.T
    square = products.diagonal().mean()
    off = products - square * torch.eye(len(matrix), dtype=matrix.dtype, device=weight.device)
    return (off.abs().max() < _MAX_SHARE_OF_ROUNDING * square) & (len(matrix) >= _MIN_ROWS)


def _is_plain(weight: Tensor) -> bool:
    plain = type(weight) in (Tensor, nn.Parameter) and weight.dtype in (torch.float, torch.double)
    return plain and not weight.is_meta and is_whole(weight) and weight.numel() >= FEWEST


def _head(weight: Tensor) -> Tensor:
    return weight.detach().reshape(-1)[:_FIRST_ENTRIES]

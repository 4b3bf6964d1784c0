"""Statistics of an activation's outputs: saturated and dormant units, moments and their drift."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .arguments import dimension, number, real_tensor, whole_number

# Derivative of a sigmoid at |x| = 5, relative to its maximum.
_FLAT = 1 - math.tanh(2.5) ** 2
# Centre of the outputs, and the distance from it at and beyond which the derivative, relative to
# its maximum, is at most `_FLAT`.
_FLAT_FROM = {
    "sigmoid": (0.5, math.tanh(2.5) / 2),
    "tanh": (0.0, math.tanh(2.5)),
    "softsign": (0.0, 1 - math.sqrt(_FLAT)),
    "hardsigmoid": (0.5, 0.5),
    "hardtanh": (0.0, 1.0),
    "relu6": (0.0, 6.0),  # never negative
}
_NON_NEGATIVE = frozenset(["relu", "relu6", "sigmoid", "hardsigmoid", "softplus"])


class UnitStatistics(NamedTuple):
    """Statistics of each unit of a layer over a window; every tensor has shape ``(units,)``.

    Attributes:
        mean: Mean output over samples and positions.
        variance: Variance of the outputs over samples and positions.
        magnitude: Mean absolute output.
        saturated: Share of saturated outputs, 0 to 1; NaN where the activation cannot saturate.
        mean_noise: Sampling variance of ``mean``; NaN for fewer than two samples.
    """

    mean: Tensor
    variance: Tensor
    magnitude: Tensor
    saturated: Tensor
    mean_noise: Tensor


class LayerIndex(NamedTuple):
    """The layer of each unit, for the units of several layers in a row.

    Attributes:
        of_unit: Index of each unit's layer, shape ``(units,)``.
        widths: Number of units of each layer, shape ``(layers,)``.
    """

    of_unit: Tensor
    widths: Tensor


def layer_index(widths: Sequence[int]) -> LayerIndex:
    """Build the index of layers whose units are in a row, layer by layer.

    Args:
        widths: Number of units of each layer.

    Returns:
        The index, for the functions that take several layers.

    Raises:
        TypeError: If a width is not a whole number.
        ValueError: If a width is negative.

    Example:
        >>> layer_index([2, 1]).of_unit
        tensor([0, 0, 1])
    """
    whole = [whole_number("widths", width, least=0) for width in widths]
    counts = torch.tensor(whole, dtype=torch.int64)
    return LayerIndex(torch.repeat_interleave(counts), counts)


def saturated_entries(outputs: Tensor, kind: str) -> Tensor | None:
    r"""Find the entries where the activation is almost flat, from its outputs.

    A sigmoid is saturated at :math:`|x| \ge 5` (DeepDiagnosis), where the derivative is 0.0266 of
    its maximum. The same share of the maximum is the limit for ``tanh`` (:math:`|x| \ge 2.5`) and
    ``softsign``; the hard variants are saturated at their ends, where the derivative is 0,
    ``relu6`` only at its upper end: at 0 it is inactive, like any ReLU.

    Args:
        outputs: Outputs of the activation, any shape.
        kind: Functional name of the activation, such as ``"sigmoid"``.

    Returns:
        Boolean tensor of the shape of ``outputs``, or None if the activation cannot saturate.

    Raises:
        TypeError: If ``outputs`` are not a tensor of real numbers.

    Example:
        >>> saturated_entries(torch.tensor([-6.0, 0.0, 6.0]).sigmoid(), "sigmoid")
        tensor([ True, False,  True])

    Reference:
        Wardat et al. 2022, "DeepDiagnosis: automatically diagnosing faults and recommending
        actionable fixes in deep learning programs", ICSE, arXiv:2112.04036.
    """
    real_tensor("outputs", outputs)
    if kind not in _FLAT_FROM:
        return None
    # In half precision the limit itself would be rounded.
    outputs = outputs.detach().to(torch.promote_types(outputs.dtype, torch.float32))
    centre, limit = _FLAT_FROM[kind]
    return (outputs - centre).abs_() >= limit


def unit_mean_and_variance(outputs: Tensor, unit_dim: int) -> tuple[Tensor, Tensor]:
    """Compute the mean and variance of each unit over one batch; on a CPU in memory order.

    Args:
        outputs: Real, not empty, at least one dimension.
        unit_dim: Dimension of the units.

    Returns:
        Both of shape ``(units,)``, single precision, or double for double outputs; the variance
        is the biased one (divided by the number of entries).

    Raises:
        TypeError: If ``outputs`` are not a tensor of real numbers.
        ValueError: If ``outputs`` are empty or have no dimension ``unit_dim``.

    Example:
        >>> unit_mean_and_variance(torch.tensor([[0.0, 4.0], [0.0, 2.0]]), 1)
        (tensor([0., 3.]), tensor([0., 1.]))
    """
    outputs, unit_dim = _checked(outputs, unit_dim)
    if outputs.device.type != "cpu":
        over = [d for d in range(outputs.ndim) if d != unit_dim]
        variance, mean = torch.var_mean(outputs, over, correction=0)
        return mean, variance
    values, units = _samples_units_positions(outputs, unit_dim)
    mean = _unit_means(values, units)
    return mean, _unit_means(_deviations(values, mean, units).square_(), units)


def unit_moments(outputs: Tensor, unit_dim: int, kind: str) -> Tensor:
    """Compute the moments of each unit over one batch, in one small tensor for `moment_sums`.

    The first dimension is that of the samples, unless it is that of the units; all others are
    positions. Deviations are taken from the mean, not from 0, so that a large mean costs no
    precision.

    Args:
        outputs: Real outputs of the activation, not empty, at least one dimension.
        unit_dim: Dimension of the units: channels of a convolution, features of a dense layer.
        kind: Functional name of the activation, such as ``"relu"``.

    Returns:
        Tensor of shape ``(7, units)``, single precision, or double for double outputs, whose rows
        `moment_sums` reads.

    Raises:
        TypeError: If ``outputs`` are not a tensor of real numbers.
        ValueError: If ``outputs`` are empty or have no dimension ``unit_dim``.

    Example:
        >>> outputs = torch.tensor([[0.0, 4.0], [0.0, 2.0]])
        >>> unit_statistics(moment_sums(unit_moments(outputs, 1, "relu"))).mean
        tensor([0., 3.], dtype=torch.float64)
    """
    outputs, unit_dim = _checked(outputs, unit_dim)
    values, units = _samples_units_positions(outputs, unit_dim)
    samples, positions = len(values), values.shape[3 - units]
    # A mean over one position is slow, and is the value itself.
    by_sample = values.mean(3 - units) if positions > 1 else values.squeeze(3 - units)
    mean = by_sample.mean(0)
    variance = _unit_means(_deviations(values, mean, units).square_(), units)
    rows = [
        torch.full_like(mean, samples),
        torch.full_like(mean, samples * positions),
        mean,
        variance,
        mean if kind in _NON_NEGATIVE else _unit_means(values.abs(), units),
        _saturated_share(values, units, kind),
        (by_sample - mean).square_().mean(0) if positions > 1 else variance,
    ]
    return torch.stack(rows)


def _checked(outputs: Tensor, unit_dim: int) -> tuple[Tensor, int]:
    """Outputs in single precision or better, and the dimension of their units, from the first."""
    unit_dim = dimension("unit_dim", unit_dim, real_tensor("outputs", outputs))
    if outputs.numel() == 0:
        raise ValueError(
            f"Expected `outputs` not to be empty, but got the shape {tuple(outputs.shape)}."
        )
    return outputs.detach().to(torch.promote_types(outputs.dtype, torch.float32)), unit_dim


def _saturated_share(values: Tensor, units: int, kind: str) -> Tensor:
    """Mean of `saturated_entries` by unit, several times as fast without a boolean tensor."""
    if kind not in _FLAT_FROM:
        return values.new_full((values.shape[units],), math.nan)
    centre, limit = _FLAT_FROM[kind]
    return _unit_means((values - centre).abs_().ge_(limit), units)


def _deviations(values: Tensor, mean: Tensor, units: int) -> Tensor:
    return values - (mean if units == 2 else mean[:, None])


def _unit_means(values: Tensor, units: int) -> Tensor:
    """Means over samples and positions, several times as fast as over both at once."""
    return values.flatten(0, 1).mean(0) if units == 2 else values.mean(0).mean(1)


def _samples_units_positions(outputs: Tensor, unit_dim: int) -> tuple[Tensor, int]:
    """Reshape outputs to three dimensions in memory order; also return that of the units.

    Samples come first. Traversing the memory in another order takes several times as long.
    """
    if unit_dim == 0:
        return outputs.reshape(1, outputs.shape[0], -1), 1
    samples, units = outputs.shape[0], outputs.shape[unit_dim]
    last = outputs.movedim(unit_dim, -1)
    if outputs.ndim > 2 and last.is_contiguous():
        return last.reshape(samples, -1, units), 2
    return outputs.movedim(unit_dim, 1).reshape(samples, units, -1), 1


def moment_sums(moments: Tensor) -> Tensor:
    """Convert moments to sums that can be added over batches and ranks, in double precision.

    Args:
        moments: Result of `unit_moments`, shape ``(7, units)``.

    Returns:
        Double precision tensor of shape ``(8, units)``; several of them add up to that of all
        their outputs together.

    Raises:
        TypeError: If ``moments`` are not a tensor of real numbers.
        ValueError: If ``moments`` have another shape.

    Example:
        >>> outputs = torch.arange(6.0).reshape(3, 2)
        >>> parts = [moment_sums(unit_moments(part, 1, "relu")) for part in outputs.split(2)]
        >>> unit_statistics(sum(parts)).mean
        tensor([2., 3.], dtype=torch.float64)
    """
    real_tensor("moments", moments, 7, "units")
    samples, entries, mean, variance, magnitude, saturated, variance_by_sample = moments.double()
    rows = [
        samples,
        entries,
        entries * mean,
        entries * (variance + mean**2),
        entries * magnitude,
        # Rounded to a count of outputs: from a rounded share, a half could become more than half.
        (entries * saturated).round(),
        samples * mean,
        samples * (variance_by_sample + mean**2),
    ]
    return torch.stack(rows)


def unit_statistics(sums: Tensor) -> UnitStatistics:
    r"""Compute the statistics of each unit over all outputs in the sums.

    The noise of a mean is the variance of the samples' own means, each over its positions,
    divided by the number of samples: the positions of a sample are not independent.

    Args:
        sums: Shape ``(8, units)``, from `moment_sums`.

    Returns:
        The statistics, in double precision.

    Raises:
        TypeError: If ``sums`` are not a tensor of real numbers.
        ValueError: If ``sums`` have another shape.

    Example:
        >>> outputs = torch.tensor([[-1.0, 1.0], [1.0, 1.0]])
        >>> unit_statistics(moment_sums(unit_moments(outputs, 1, "tanh"))).variance
        tensor([1., 0.], dtype=torch.float64)
    """
    real_tensor("sums", sums, 8, "units")
    samples, entries, total, squares, magnitudes, saturated, by_sample, by_sample_squares = sums
    mean = total / entries
    mean_by_sample = by_sample / samples
    spread = (by_sample_squares / samples - mean_by_sample**2).clamp_min(0)
    return UnitStatistics(
        mean=mean,
        variance=(squares / entries - mean**2).clamp_min(0),
        magnitude=magnitudes / entries,
        saturated=saturated / entries,
        mean_noise=torch.where(samples > 1, spread / (samples - 1), math.nan),
    )


def layer_mean_and_variance(
    statistics: UnitStatistics, layers: LayerIndex | None = None
) -> tuple[Tensor, Tensor]:
    """Compute mean and variance over all outputs of a layer: samples, positions and units.

    Args:
        statistics: Statistics of the layer's units, or of the units of several layers in a row.
        layers: Which layer each unit belongs to, if there are several.

    Returns:
        Two scalar tensors, or two of shape ``(layers,)``.

    Example:
        >>> outputs = torch.tensor([[0.0, 4.0], [0.0, 4.0]])
        >>> layer_mean_and_variance(unit_statistics(moment_sums(unit_moments(outputs, 1, "relu"))))
        (tensor(2., dtype=torch.float64), tensor(4., dtype=torch.float64))
    """
    mean = layer_means(statistics.mean, layers)
    spread = (statistics.mean - _for_each_unit(mean, layers)).square()
    return mean, layer_means(statistics.variance + spread, layers)


def layer_means(values: Tensor, layers: LayerIndex | None = None) -> Tensor:
    """Average values over the units of each layer.

    Args:
        values: A value for each unit of one layer, or of several layers in a row.
        layers: Which layer each unit belongs to, if there are several.

    Returns:
        Scalar tensor, or one of shape ``(layers,)``.

    Raises:
        TypeError: If ``values`` are not a tensor of real numbers.
        ValueError: If there is not one for each unit of ``layers``.

    Example:
        >>> layer_means(torch.tensor([1.0, 3.0, 5.0]), layer_index([2, 1]))
        tensor([2., 5.])
    """
    real_tensor("values", values)
    if layers is None:
        return values.mean()
    if values.shape != layers.of_unit.shape:
        raise ValueError(
            f"Expected `values` to have one entry for each of the {len(layers.of_unit)} units of "
            f"`layers`, but got the shape {tuple(values.shape)}."
        )
    sums = values.new_zeros(layers.widths.shape)
    return sums.index_add_(0, layers.of_unit, values).div_(layers.widths)


def _for_each_unit(by_layer: Tensor, layers: LayerIndex | None) -> Tensor:
    return by_layer if layers is None else by_layer[layers.of_unit]


def dormant_units(
    magnitude: Tensor, threshold: float = 0.025, layers: LayerIndex | None = None
) -> Tensor:
    r"""Find units whose mean absolute output is at most ``threshold`` of their layer's mean.

    Args:
        magnitude: Mean absolute output of each unit, shape ``(units,)``.
        threshold: The paper's :math:`\tau`.
        layers: Which layer each unit belongs to, if there are several.

    Returns:
        Boolean tensor of shape ``(units,)``; all True in a layer whose outputs are all 0.

    Raises:
        TypeError: If ``magnitude`` is not a tensor of real numbers or ``threshold`` not a number.
        ValueError: If ``threshold`` is negative or NaN, or ``magnitude`` does not fit ``layers``.

    Example:
        >>> dormant_units(torch.tensor([0.001, 1.0, 1.0]))
        tensor([ True, False, False])

    Reference:
        Sokar et al. 2023, "The dormant neuron phenomenon in deep reinforcement learning",
        definition 3.1, arXiv:2302.12902.
    """
    number("threshold", threshold, least=0)
    return magnitude <= threshold * _for_each_unit(layer_means(magnitude, layers), layers)


def mean_drift(
    before: UnitStatistics, after: UnitStatistics, layers: LayerIndex | None = None
) -> Tensor:
    r"""Measure how far the units' means moved between two windows, in standard deviations.

    .. math:: \sqrt{\frac{\sum_u (\mu_u' - \mu_u)^2 - s_u'^2 - s_u^2}{\sum_u \sigma_u^2 + s_u^2}}

    with mean :math:`\mu`, variance :math:`\sigma^2` and noise of the mean :math:`s^2` of each
    unit, the later window primed. Without the noise two windows of an unchanged network would
    seem to differ, the more so the smaller the batch. Sums are taken over the units before the
    division: a unit that was almost constant, such as a ReLU about to revive, has no scale of its
    own, and would outweigh all others.

    The noise is that of independent samples. Batch normalisation in training holds a batch's
    means closer together than that, so that a drift below the noise is 0.

    Args:
        before: Statistics of the earlier window.
        after: Statistics of the later window, of the same units.
        layers: Which layer each unit belongs to, if there are several.

    Returns:
        Scalar tensor, or one of shape ``(layers,)``, 0 or more: 1 where every mean moved by its
        standard deviation. NaN if a window had fewer than two samples, or all outputs of the
        earlier one were the same.

    Raises:
        ValueError: If ``before`` and ``after`` are not of equally many units.

    Example:
        >>> still = UnitStatistics(*torch.tensor([[0.0], [4.0], [2.0], [0.0], [0.0]]))
        >>> mean_drift(still, still._replace(mean=torch.tensor([2.0])))
        tensor(1.)

    Reference:
        Ioffe & Szegedy 2015, "Batch normalization: accelerating deep network training by
        reducing internal covariate shift", arXiv:1502.03167: the change of a layer's inputs.
    """
    if before.mean.shape != after.mean.shape:
        raise ValueError(
            f"Expected `after` to be of as many units as `before`, {before.mean.numel()}, but got "
            f"{after.mean.numel()}."
        )
    moved = (after.mean - before.mean).square() - after.mean_noise - before.mean_noise
    # The variance around a window's own mean lacks exactly the noise of that mean.
    scale = layer_means(before.variance + before.mean_noise, layers)
    ratio = layer_means(moved, layers) / scale
    return torch.where(scale > 0, ratio.clamp_min(0).sqrt(), math.nan)

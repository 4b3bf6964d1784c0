"""L1 and L2: as penalties on the loss, as a proximal step and as decoupled decay."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from .arguments import number, tensors
from .precision import at_least_single


def l1_penalty(weights: Sequence[Tensor]) -> Tensor:
    r"""Sum of magnitudes, :math:`\sum_i |w_i|`; differentiable, with gradient sign(w), 0 at 0.

    Args:
        weights: At least one tensor, of any shapes.

    Returns:
        Real scalar tensor; for half precision in float32, so that the sum does not overflow.

    Raises:
        TypeError: If ``weights`` are not tensors.
        ValueError: If there are none.

    Example:
        >>> l1_penalty([torch.tensor([1.0, -2.0])])
        tensor(3.)
    """
    found = tensors("weights", weights)
    return torch.stack([_whole(at_least_single(weight).abs().sum()) for weight in found]).sum()


def l2_penalty(weights: Sequence[Tensor]) -> Tensor:
    r"""Half the sum of squares, :math:`\frac{1}{2}\sum_i |w_i|^2`; its gradient is w.

    With SGD, a factor of :math:`\lambda` on it equals ``weight_decay`` of :math:`\lambda`.

    Args:
        weights: At least one tensor, of any shapes.

    Returns:
        Real scalar tensor; for half precision in float32, so that the sum does not overflow.

    Raises:
        TypeError: If ``weights`` are not tensors.
        ValueError: If there are none.

    Example:
        >>> l2_penalty([torch.tensor([3.0, 4.0])])
        tensor(12.5000)
    """
    found = tensors("weights", weights)
    squares = [_whole(_squares(at_least_single(weight)).sum()) for weight in found]
    return 0.5 * torch.stack(squares).sum()


@torch.no_grad()
def soft_threshold_(weights: Sequence[Tensor], threshold: float) -> None:
    r"""Move each weight towards zero by the threshold, in place, and stop at exactly zero.

    The proximal step of :math:`\lambda|w|`: :math:`\mathrm{sign}(w)\max(|w| - t, 0)` with
    :math:`t = \eta\lambda`.

    Args:
        weights: Tensors to change.
        threshold: The distance t, not negative.

    Raises:
        TypeError: If ``threshold`` is not a number.
        ValueError: If it is negative or NaN.

    Example:
        >>> w = torch.tensor([0.5, -0.05, -2.0])
        >>> soft_threshold_([w], 0.1)
        >>> w
        tensor([ 0.4000,  0.0000, -1.9000])

    Reference:
        Parikh and Boyd 2014, "Proximal algorithms", section 6.5.2.
    """
    _check("threshold", threshold)
    for weight in weights:
        if weight.is_complex():
            weight.copy_(weight.sgn() * (weight.abs() - threshold).clamp(min=0))
        else:
            weight.sub_(weight.clamp(-threshold, threshold))


@torch.no_grad()
def decay_(weights: Sequence[Tensor], factor: float) -> None:
    r"""Multiply each weight by :math:`1 - \eta\lambda`, in place: decoupled weight decay.

    Args:
        weights: Tensors to change.
        factor: The product of learning rate and decay.

    Raises:
        TypeError: If ``factor`` is not a number.
        ValueError: If it is negative or NaN.

    Example:
        >>> w = torch.tensor([1.0, -2.0])
        >>> decay_([w], 0.1)
        >>> w
        tensor([ 0.9000, -1.8000])

    Reference:
        Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2.
    """
    _check("factor", factor)
    found = list(weights)
    if found:
        torch._foreach_mul_(found, 1 - factor)


def zero_fraction(weights: Sequence[Tensor]) -> Tensor:
    """Share of the weights that are exactly zero, 0 to 1.

    Args:
        weights: At least one tensor.

    Returns:
        Scalar tensor.

    Raises:
        TypeError: If ``weights`` are not tensors.
        ValueError: If there are none.

    Example:
        >>> zero_fraction([torch.tensor([0.0, 1.0]), torch.tensor([0.0, 2.0])])
        tensor(0.5000)
    """
    found = tensors("weights", weights)
    zeros = torch.stack([_whole((weight == 0).sum()) for weight in found]).sum()
    return zeros / sum(weight.numel() for weight in found)


def _check(argument: str, value: float) -> None:
    # A learning rate may be a tensor on a device, and reading it would synchronise with that.
    if not isinstance(value, Tensor):
        number(argument, value, least=0)


def _squares(weight: Tensor) -> Tensor:
    return (weight * weight.conj()).real if weight.is_complex() else weight.square()


def _whole(value: Tensor) -> Tensor:
    """Sum over all shards, where the weight is sharded."""
    return value.full_tensor() if isinstance(value, DTensor) else value

"""MixUp and CutMix with a separate share for each image, and soft targets."""

import torch
from torch import Tensor

from .pixels import inside_boxes

_POINTS_OF_A_TABLE = 4097


def beta_table(alpha: float) -> Tensor:
    """Tabulate the lower half of the symmetric Beta(alpha, alpha), for `beta_quantiles`.

    Args:
        alpha: Above 0; 1 is uniform.

    Returns:
        Tensor of shape ``(2, points)``, float64: cumulative probabilities, ascending to 1/2, and
        their quantiles to the power of ``min(alpha, 1)``.

    Example:
        >>> beta_table(1.0)[:, -1]
        tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    # With t = x ** alpha the density is smooth even for alpha < 1.
    power = min(alpha, 1.0)
    t = torch.linspace(0, 0.5**power, _POINTS_OF_A_TABLE, dtype=torch.float64)
    x = t ** (1 / power)
    mass = torch.cumulative_trapezoid(t ** (alpha / power - 1) * (1 - x) ** (alpha - 1), t)
    return torch.stack([torch.cat([mass.new_zeros(1), mass / mass[-1] / 2]), t])


def beta_quantiles(uniform: Tensor, alpha: float, table: Tensor | None = None) -> Tensor:
    """Convert uniform numbers to ones of the symmetric distribution Beta(alpha, alpha).

    Each takes one number, so that the draw depends on its key alone; rejection would take more.

    Args:
        uniform: Any shape, in 0..1.
        alpha: Above 0; 1 is uniform.
        table: ``beta_table(alpha)`` on the device of ``uniform``, to save computing and copying it.

    Returns:
        Tensor of the shape of ``uniform``, float32, within 1e-4 of the quantile.

    Example:
        >>> beta_quantiles(torch.tensor([0.25, 0.5]), 1.0)
        tensor([0.2500, 0.5000])
    """
    cumulative, t = (beta_table(alpha).to(uniform.device) if table is None else table).unbind(0)
    quantile = uniform.double()
    lower = torch.minimum(quantile, 1 - quantile)
    right = torch.searchsorted(cumulative, lower.contiguous()).clamp(1, _POINTS_OF_A_TABLE - 1)
    start, stop = cumulative[right - 1], cumulative[right]
    share = (lower - start) / (stop - start)
    found = (t[right - 1] + share * (t[right] - t[right - 1])) ** (1 / min(alpha, 1.0))
    return torch.where(quantile <= 0.5, found, 1 - found).float()


def mix_up(images: Tensor, others: Tensor, share: Tensor) -> Tensor:
    """Blend each image with another.

    Args:
        images: Shape ``(N, C, H, W)``, floating point.
        others: Of the same shape.
        share: Weight of ``images``, shape ``(N,)``, in 0..1.

    Returns:
        Tensor of the shape of ``images``.

    Reference:
        Zhang et al. 2018, "mixup: beyond empirical risk minimization", equation 1.

    Example:
        >>> mix_up(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), torch.tensor([0.25]))
        tensor([[[[0.2500]]]])
    """
    return torch.lerp(others, images, share.to(images.dtype)[:, None, None, None])


def cut_mix_boxes(
    share: Tensor, x: Tensor, y: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Compute boxes to paste from another image, and the share of the image that is left.

    Args:
        share: Share of the image to keep, shape ``(N,)``, before the box is cut at the border.
        x: Centre of the box, from 0, at the left edge, to 1, shape ``(N,)``.
        y: The same from the top.
        height: Height of the images in pixels.
        width: Width of the images in pixels.

    Returns:
        Boolean tensor of shape ``(N, 1, H, W)``, True where the other image goes, and the share
        of pixels outside the box, shape ``(N,)``.

    Reference:
        Yun et al. 2019, "CutMix", equation 2 and appendix A.

    Example:
        >>> zero = torch.tensor([0.0])
        >>> cut_mix_boxes(zero, zero, zero, 2, 2)[1]
        tensor([0.7500])
    """
    side = (1 - share).sqrt()
    wide, tall = (side * width).floor(), (side * height).floor()
    left = (x * width).floor() - (wide / 2).floor()
    top = (y * height).floor() - (tall / 2).floor()
    boxes = inside_boxes(left, top, left + wide, top + tall, height, width)
    return boxes, 1 - boxes.float().mean((1, 2, 3))


def soft_targets(targets: Tensor, num_classes: int | None = None) -> Tensor:
    """Convert class indices to shares of each class.

    Args:
        targets: Class indices, int64 of shape ``(N,)``, or shares already, floating point of shape
            ``(N, classes)``, which stay as they are.
        num_classes: Needed for class indices.

    Returns:
        Tensor of shape ``(N, classes)``, floating point.

    Raises:
        ValueError: If ``targets`` are class indices and ``num_classes`` is None, or are neither, or
            an index is out of range. On devices other than a CPU such an index fails a device-side
            assertion, as in cross-entropy: checking it first would synchronise with the device.

    Example:
        >>> soft_targets(torch.tensor([1]), 3)
        tensor([[0., 1., 0.]])
    """
    if targets.is_floating_point() and targets.ndim == 2:
        return targets
    if targets.is_floating_point() or targets.ndim != 1:
        raise ValueError(
            f"Expected `targets` to be class indices of shape (N,) or shares of shape "
            f"(N, classes), but got {targets.dtype} of shape {tuple(targets.shape)}."
        )
    if num_classes is None:
        raise ValueError(
            "Expected `num_classes` to be a number to mix class indices, but got None. Give it, or "
            "give `targets` as shares of shape (N, classes)."
        )
    _check_indices(targets, num_classes)
    shares = torch.zeros(len(targets), num_classes, device=targets.device)
    return shares.scatter_(1, targets.long()[:, None], 1.0)


def _check_indices(targets: Tensor, num_classes: int) -> None:
    # Under `torch.compile` a check of values would break the graph.
    if targets.device.type != "cpu" or torch.compiler.is_compiling() or not len(targets):
        return
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"Expected class indices from 0 to {num_classes - 1}, but got {low} to {high}. Set "
            f"`num_classes` to the number of classes or correct the labels."
        )

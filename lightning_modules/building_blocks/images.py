"""Plain convolutional networks."""

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from .initializations import WeightLayer
from .recipe import Recipe


def convolutional_network(widths: Sequence[int], outputs: int, recipe: Recipe) -> nn.Sequential:
    """Build 3x3 convolutions with 2x2 pooling between, a global average and a linear layer."""
    parts: list[nn.Module] = []
    weighted, before = [], None
    for inputs, width in itertools.pairwise(widths):
        if parts:
            parts.append(nn.MaxPool2d(2, ceil_mode=True))
        layer = nn.Conv2d(inputs, width, 3, padding=1, bias=recipe.bias)
        unit = recipe.unit_after(width, dims=2)
        parts += [layer, *unit.parts]
        weighted.append(WeightLayer(layer, before, unit.activation))
        before = unit.feeds
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], outputs)]
    recipe.initialize([*weighted, WeightLayer(parts[-1], before, None)])
    return nn.Sequential(*parts)


def check_images(x: Tensor, in_channels: int) -> None:
    """Refuse anything but a batch of images with this number of channels."""
    if x.ndim != 4 or x.shape[1] != in_channels:
        raise ValueError(
            f"Expected images of shape (N, {in_channels}, H, W) with `in_channels={in_channels}`, "
            f"but got {tuple(x.shape)}."
        )

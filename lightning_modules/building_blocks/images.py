"""Plain convolutional networks."""

import itertools
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .activations import make_activation
from .choices import Options
from .dense import NormPosition, unit
from .initializations import WeightLayer, check_init, initialize
from .normalizations import cancels_bias, make_norm


def convolutional_network(
    widths: Sequence[int],
    outputs: int,
    *,
    activation: Any,
    activation_options: Options | None,
    norm: str,
    norm_options: Options | None,
    norm_position: NormPosition,
    init: str,
    init_options: Options | None,
    dropout: float,
) -> nn.Sequential:
    """3x3 convolutions with 2x2 pooling between them, a global average and a linear layer.

    Dropout takes whole channels; after SELU it is alpha dropout of them.
    """
    check_init(init, init_options)
    parts: list[nn.Module] = []
    weighted, before = [], None
    bias = norm_position == "after" or not cancels_bias(norm)
    for inputs, width in itertools.pairwise(widths):
        if parts:
            parts.append(nn.MaxPool2d(2, ceil_mode=True))
        layer = nn.Conv2d(inputs, width, 3, padding=1, bias=bias)
        after = make_activation(activation, activation_options)
        drop = nn.FeatureAlphaDropout if isinstance(after, nn.SELU) else nn.Dropout2d
        normalization = None
        if norm != "none":
            normalization = make_norm(norm, width, dims=2, options=norm_options)
        parts += unit(
            layer, normalization, after, drop(dropout) if dropout else None, norm_position
        )
        weighted.append(WeightLayer(layer, before, after))
        before = None if norm_position == "after" and norm != "none" else after
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], outputs)]
    initialize([*weighted, WeightLayer(parts[-1], before, None)], init, init_options)
    return nn.Sequential(*parts)


def check_images(x: Tensor, in_channels: int) -> None:
    """Refuse what is not a batch of images with this number of channels.

    Raises:
        ValueError: If ``x`` has another shape.
    """
    if x.ndim != 4 or x.shape[1] != in_channels:
        raise ValueError(
            f"Expected images of shape (N, {in_channels}, H, W) with `in_channels={in_channels}`, "
            f"but got {tuple(x.shape)}."
        )

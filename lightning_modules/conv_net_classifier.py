"""Plain convolutional network for classification."""

import itertools
from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from ..functional.choices import choose
from .building_blocks import CONV_NORMS, initialize, make_activation
from .classifier import Classifier


class ConvNetClassifier(Classifier):
    """3x3 convolutions, each but the last followed by 2x2 pooling, then a global average.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        channels: Width of each convolution.
        activation: Name or class of ``torch.nn``.
        norm: ``"none"``, ``"batch"`` or ``"layer"``.
        init: ``"auto"`` fits the activation; ``"default"`` leaves torch's own; or a scheme.
        dropout: Probability of dropping a channel, 0 to below 1.
        optimizer: Name or class of ``torch.optim``.
        lr: Learning rate.

    Raises:
        ValueError: If a name is unknown, a width below 1 or ``dropout`` outside [0, 1).

    Example:
        >>> import torch
        >>> ConvNetClassifier(1, 10, channels=(8, 16))(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        channels: Sequence[int] = (32, 64),
        activation: str | type[nn.Module] = "relu",
        norm: str = "none",
        init: str = "auto",
        dropout: float = 0.0,
        optimizer: str | type[Optimizer] = "adam",
        lr: float = 1e-3,
    ) -> None:
        widths = [in_channels, *channels]
        if min(widths) < 1 or not channels:
            raise ValueError(f"Expected `in_channels` and `channels` at least 1, but got {widths}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"Expected `dropout` from 0 to below 1, but got {dropout}.")
        make_norm = choose("norm", norm, CONV_NORMS)
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            if i:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            layers.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=make_norm is None))
            if make_norm is not None:
                layers.append(make_norm(outputs))
            layers.append(make_activation(activation))
            if dropout:
                layers.append(nn.Dropout2d(dropout))
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], num_classes)]
        weighted = (layer for layer in layers if isinstance(layer, (nn.Conv2d, nn.Linear)))
        initialize(weighted, init, make_activation(activation))
        super().__init__(nn.Sequential(*layers), num_classes, optimizer=optimizer, lr=lr)
        self.in_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape ``(N, num_classes)``."""
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"Expected images of shape (N, {self.in_channels}, H, W) with "
                f"`in_channels={self.in_channels}`, but got {tuple(x.shape)}."
            )
        return super().forward(x)

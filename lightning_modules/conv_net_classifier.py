"""Plain convolutional network for classification."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..functional.arguments import whole_number
from .building_blocks.choices import Options
from .building_blocks.images import check_images, convolutional_network
from .building_blocks.recipe import NormPosition, Recipe, check_widths
from .classifier import Classifier


class ConvNetClassifier(Classifier):
    """3x3 convolutions with 2x2 max pooling between them, then global average pooling.

    Each convolution is followed by normalisation, activation and dropout. Images may have any size,
    but instance normalisation needs more than ``2 ** (len(channels) - 1)`` pixels in one dimension.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        channels: Output channels of each convolution.
        activation: Name, import path or class of an activation, or a module or function.
        activation_options: Arguments of the activation, such as ``{"negative_slope": 0.2}``.
        norm: ``"none"``, ``"batch"``, ``"layer"``, ``"group"``, ``"instance"`` or ``"rms"``.
        norm_options: Arguments of the normalisation, such as ``{"momentum": 0.01}``.
        norm_position: ``"before"`` or ``"after"`` the activation.
        init: Name of a scheme; ``"auto"`` fits the activation, ``"default"`` keeps torch's own.
        init_options: Arguments of the scheme ``"normal"`` or ``"constant"``.
        dropout: Probability of dropping a channel, 0 to below 1.
        **training: Further arguments of :class:`Classifier` and :class:`SupervisedModule`.

    Raises:
        ValueError: If a name is unknown or a number is out of range.

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
        activation: Any = "relu",
        activation_options: Options | None = None,
        norm: str = "none",
        norm_options: Options | None = None,
        norm_position: NormPosition = "before",
        init: str = "auto",
        init_options: Options | None = None,
        dropout: float = 0.0,
        **training: Any,
    ) -> None:
        whole_number("in_channels", in_channels)
        check_widths(channels=channels)
        recipe = Recipe(
            activation,
            activation_options,
            norm,
            norm_options,
            norm_position,
            init,
            init_options,
            dropout,
        )
        network = convolutional_network([in_channels, *channels], num_classes, recipe)
        super().__init__(network, num_classes, **training)
        self._init_scheme, self.in_channels = init, in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape ``(N, num_classes)``."""
        check_images(x, self.in_channels)
        return super().forward(x)

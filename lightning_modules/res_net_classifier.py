"""Residual network for classification."""

from typing import Any

from torch import Tensor

from ..functional.arguments import whole_number
from .building_blocks.choices import Options
from .building_blocks.images import check_images
from .building_blocks.recipe import Recipe
from .building_blocks.residual import (
    Depth,
    ResidualNetwork,
    Stem,
    check_residual,
    initialize_residual,
)
from .classifier import Classifier


class ResNetClassifier(Classifier):
    """Residual network of 18 to 152 layers; reproduces torchvision's outputs with its weights.

    ``model.network.load_state_dict(torchvision.models.resnet18(weights="DEFAULT").state_dict())``
    works for any depth, with ``in_channels=3``, ``num_classes=1000`` and the defaults of the
    other arguments. Each activation is a separate module, so learnt slopes of ``"prelu"`` are not
    shared. Images may have any size, but instance normalisation needs more than 32 pixels in one
    dimension, or 8 with the stem ``"cifar"``.

    Args:
        in_channels: Channels of the images.
        num_classes: Number of classes.
        depth: 18 or 34 (two 3x3 convolutions per block), or 50, 101 or 152 (bottlenecks).
        stem: ``"imagenet"`` divides height and width by 4 before the first block (7x7 convolution
            with stride 2, 3x3 max pooling); ``"cifar"`` keeps them (3x3 convolution), which suits
            images smaller than about 64 pixels.
        width: Channels of the first stage; the later ones have 2, 4 and 8 times as many.
        activation: Name, import path or class of an activation, or a module or function.
        activation_options: Arguments of the activation, such as ``{"negative_slope": 0.2}``.
        norm: ``"none"``, ``"batch"``, ``"layer"``, ``"group"``, ``"instance"`` or ``"rms"``.
        norm_options: Arguments of the normalisation, such as ``{"momentum": 0.01}``.
        init: Name of a scheme; ``"auto"`` fits the activation and, without normalisation, also the
            number of blocks, ``"default"`` keeps torch's own.
        init_options: Arguments of the scheme ``"normal"`` or ``"constant"``.
        zero_init_residual: Whether each block starts as its shortcut only (Goyal et al. 2017).
        dropout: Probability of dropping a feature before the last linear layer, 0 to below 1.
        **training: Further arguments of :class:`Classifier` and :class:`SupervisedModule`.

    Raises:
        ValueError: If a name is unknown or a number is out of range.

    Example:
        >>> import torch
        >>> ResNetClassifier(3, 10, stem="cifar", width=8)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])

    Reference:
        He et al. 2016, "Deep residual learning for image recognition", table 1.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        depth: Depth = 18,
        stem: Stem = "imagenet",
        width: int = 64,
        activation: Any = "relu",
        activation_options: Options | None = None,
        norm: str = "batch",
        norm_options: Options | None = None,
        init: str = "auto",
        init_options: Options | None = None,
        zero_init_residual: bool = False,
        dropout: float = 0.0,
        **training: Any,
    ) -> None:
        check_residual(depth, stem)
        whole_number("in_channels", in_channels)
        whole_number("width", width)
        recipe = Recipe(
            activation,
            activation_options,
            norm,
            norm_options,
            init=init,
            init_options=init_options,
            dropout=dropout,
        )
        network = ResidualNetwork(
            in_channels, num_classes, depth=depth, stem=stem, width=width, recipe=recipe
        )
        initialize_residual(network, recipe, zero_init_residual=zero_init_residual)
        super().__init__(network, num_classes, **training)
        self._init_scheme, self.in_channels = init, in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape ``(N, num_classes)``."""
        check_images(x, self.in_channels)
        return super().forward(x)

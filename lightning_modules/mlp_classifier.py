"""Multi-layer perceptron for classification."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..functional.arguments import whole_number
from .building_blocks.choices import Options
from .building_blocks.dense import check_features, dense_network
from .building_blocks.recipe import NormPosition, Recipe, check_widths
from .classifier import Classifier


class MLPClassifier(Classifier):
    """Dense layers with one activation, normalisation and initialisation throughout.

    Each hidden linear layer is followed by normalisation, activation and dropout. Inputs with more
    than two dimensions are flattened.

    Args:
        in_features: Number of values in one sample.
        num_classes: Number of classes.
        hidden: Width of each hidden layer.
        activation: Name, import path or class of an activation, or a module or function.
        activation_options: Arguments of the activation, such as ``{"negative_slope": 0.2}``.
        norm: ``"none"``, ``"batch"``, ``"layer"``, ``"group"`` or ``"rms"``.
        norm_options: Arguments of the normalisation, such as ``{"momentum": 0.01}``.
        norm_position: ``"before"`` or ``"after"`` the activation.
        init: Name of a scheme; ``"auto"`` fits the activation, ``"default"`` keeps torch's own.
        init_options: Arguments of the scheme ``"normal"`` or ``"constant"``.
        dropout: Dropout probability, 0 to below 1.
        **training: Further arguments of :class:`Classifier` and :class:`SupervisedModule`.

    Raises:
        ValueError: If a name is unknown or a number is out of range.

    Example:
        >>> import torch
        >>> MLPClassifier(64, 10, hidden=(32,), norm="batch")(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        hidden: Sequence[int] = (128, 128),
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
        whole_number("in_features", in_features)
        check_widths(hidden=hidden)
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
        network = dense_network([in_features, *hidden], num_classes, recipe)
        super().__init__(network, num_classes, **training)
        self._init_scheme, self.in_features = init, in_features

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape ``(N, num_classes)``."""
        check_features(x, self.in_features)
        return super().forward(x)
